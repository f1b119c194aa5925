"""A folder to listen to: WAV files, spectrograms, and the page that shows them."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from sqbench import audio
from sqbench.atomic import write_bytes, write_text
from sqbench.listening import spectrogram
from sqbench.listening.page import Files, Written, render
from sqbench.listening.run import Clip, Coder, Listening, Sound

DPI = 130
_SLUG = 48  # characters of a clip's or a codec's name in a file name


def write(listening: Listening, out: Path, command: str = "") -> Path:
    """Write the audio, a picture a clip, and the page, in this order; returns the page's path.

    Args:
        command: shown on the page, as what makes it again.

    Raises:
        InputError: the folder cannot be written to.
    """
    files = [_files(number, clip, out) for number, clip in enumerate(listening.clips, 1)]
    page = out / "index.html"
    write_text(page, render(listening, files, command))
    return page


def panels(clip: Clip) -> Iterator[spectrogram.Panel]:
    """The original, and every version that there is; none of a clip that could not be read."""
    if clip.original is None:
        return
    yield _panel("original", f"{clip.original.rate} Hz", clip.original)
    for version in clip.versions:
        if version.sound is not None:
            weights = version.coder.weights
            made = "" if weights.source == "none" else f"{weights.label}, "
            below = f"{made}{version.sound.rate} Hz"
            yield _panel(version.coder.spec.name, below, version.sound)


def _panel(title: str, below: str, sound: Sound) -> spectrogram.Panel:
    return spectrogram.Panel(title=title, below=below, samples=sound.samples, rate=sound.rate)


def _files(number: int, clip: Clip, out: Path) -> Files:
    if clip.original is None:
        return Files(None, {}, None)
    name = PurePosixPath(clip.item.utterance.id).name
    for extension in audio.EXTENSIONS:
        name = name.removesuffix(extension)
    # Numbered, as two names may have one slug.
    stem = f"{number:02d}-{_slug(name)}"
    original = _sound(out / f"{stem}-0-original.wav", clip.original)
    versions = {
        version.coder.codec_id: _sound(out / _named(stem, place, version.coder), version.sound)
        for place, version in enumerate(clip.versions, 1)
        if version.sound is not None
    }
    picture = f"{stem}.png"
    content = io.BytesIO()
    spectrogram.draw(list(panels(clip))).savefig(content, format="png", dpi=DPI)
    write_bytes(out / picture, content.getvalue())
    return Files(original, versions, picture)


def _named(stem: str, place: int, coder: Coder) -> str:
    return f"{stem}-{place}-{_slug(coder.spec.name)}.wav"


def _sound(path: Path, sound: Sound) -> Written:
    return Written(path.name, audio.write_pcm16(path, sound.samples, sound.rate))


def _slug(name: str) -> str:
    """What a name has of letters, digits and dots: for files, and for addresses on the page."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-.")[:_SLUG].strip("-.") or "clip"
