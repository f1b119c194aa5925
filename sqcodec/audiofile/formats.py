"""Which names are audio, and which of those libsndfile does not read."""

from __future__ import annotations

from pathlib import Path

EXTENSIONS = (
    *(".wav", ".flac", ".ogg", ".opus", ".mp3"),
    *(".aif", ".aifc", ".aiff", ".au", ".avr", ".bwf", ".caf", ".ircam", ".mp1", ".mp2", ".nist"),
    *(".oga", ".paf", ".pvf", ".rf64", ".snd", ".sph", ".svx", ".voc", ".w64", ".wave"),
)
"""Extensions, in lower case, of the formats that libsndfile reads without being told anything."""

SHARED = (".htk", ".iff", ".mat", ".mat4", ".mat5", ".mpc2k", ".sf", ".wve", ".xi")
"""Extensions that other data carries too: audio if libsndfile opens the file."""

FOREIGN = (
    *(".3gp", ".aac", ".ac3", ".alac", ".amr", ".ape", ".dff", ".dsf", ".m4a", ".m4b", ".mka"),
    *(".mkv", ".mov", ".mp4", ".mpc", ".pcm", ".ra", ".raw", ".sd2", ".sds", ".spx", ".tta"),
    *(".webm", ".wma", ".wv"),
)
"""Extensions of files that hold audio, and are not read: convert them to WAV or FLAC."""


def is_audio(path: str | Path) -> bool:
    """Whether a file is audio that is read: by its extension, in any case, and where that leaves it
    open, by its beginning."""
    name = str(path).lower()
    if name.endswith(EXTENSIONS):
        return True
    return name.endswith(SHARED) and _opens(str(path))


def _opens(path: str) -> bool:
    import soundfile

    try:
        soundfile.info(path)
    except (soundfile.LibsndfileError, OSError, RuntimeError, ValueError, TypeError):
        return False
    return True
