"""A folder to listen to: the page, WAV files, sounds and spectrograms; or a page that holds all."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from sqbench import audio
from sqbench.atomic import write_bytes, write_text
from sqbench.listening import kept, level, spectrogram
from sqbench.listening.page import Heard, Media, render
from sqbench.listening.run import Clip, Listening, Sound

_SLUG = 48  # characters of a clip's or a codec's name in a file name


def write(
    listening: Listening,
    out: Path,
    command: str = "",
    *,
    single_file: bool = False,
    match_level: bool = False,
) -> Path:
    """Write the files, then the page, then remove what an earlier page left; returns the page.

    Args:
        command: shown on the page, as what makes it again.
        single_file: put everything into the page; no file lies beside it.
        match_level: match levels when the page opens; they can be matched there in any case.

    Raises:
        InputError: the folder cannot be written to.
    """
    files = _Files(None if single_file else out)
    media = [_media(number, clip, files) for number, clip in enumerate(listening.clips, 1)]
    page = out / "index.html"
    text = render(listening, media, command, single_file=single_file, match_level=match_level)
    write_text(page, text)
    kept.replace(out, [page.name, *files.names])
    return page


class _Files:
    """Where files go: into a folder, or, without one, into the page."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.names: list[str] = []

    def picture(self, name: str, content: bytes) -> str:
        """The address of a PNG."""
        if self.folder is None:
            return data_uri("image/png", content)
        return self._named(name, content)

    def wav(self, name: str, sound: Sound) -> str | None:
        """The name of a WAV file, for other programs."""
        if self.folder is None:
            return None
        self.names.append(name)
        audio.write_pcm16(self.folder / name, sound.samples, sound.rate)
        return name

    def script(self, name: str, key: str, sounds: Sequence[str]) -> str | None:
        """The name of a script that hands over sounds: pages from a disk can read nothing else."""
        if self.folder is None:
            return None
        call = f"receiveSounds({json.dumps(key)}, {json.dumps(sounds)});\n"
        return self._named(name, call.encode())

    def _named(self, name: str, content: bytes) -> str:
        assert self.folder is not None
        self.names.append(name)
        write_bytes(self.folder / name, content)
        return name


def _media(number: int, clip: Clip, files: _Files) -> Media | None:
    if clip.original is None:
        return None
    name = PurePosixPath(clip.item.utterance.id).name
    for extension in audio.EXTENSIONS:
        name = name.removesuffix(extension)
    # Numbered, as two names may have one slug.
    stem = f"{number:02d}-{_slug(name)}"
    sounds = [("original", clip.original)]
    places = [0]
    for place, version in enumerate(clip.versions, 1):
        if version.sound is not None:
            sounds.append((version.coder.spec.name, version.sound))
            places.append(place)
    drawn = spectrogram.draw(panels(clip))
    gains = level.gains([(sound.samples, sound.rate) for _, sound in sounds])
    heard = []
    for place, (label, sound), levels, gain in zip(
        places, sounds, drawn.levels, gains, strict=True
    ):
        named = f"{stem}-{place}-{_slug(label)}"
        heard.append(
            Heard(
                picture=files.picture(f"{named}.png", spectrogram.png(levels, drawn.loudest_db)),
                file=files.wav(f"{named}.wav", sound),
                clipped=int(np.count_nonzero(np.abs(sound.samples) > 1)),
                gain=gain,
            )
        )
    uris = [sound_uri(sound) for _, sound in sounds]
    script = files.script(f"{stem}.js", f"clip-{number}", uris)
    return Media(
        heard=heard,
        script=script,
        sounds=() if script else uris,
        ticks=drawn.ticks(),
        seconds=drawn.seconds,
    )


def panels(clip: Clip) -> list[spectrogram.Panel]:
    """The original, and every version that there is; none of a clip that could not be read."""
    if clip.original is None:
        return []
    sounds = [clip.original, *(v.sound for v in clip.versions if v.sound is not None)]
    return [spectrogram.Panel(samples=sound.samples, rate=sound.rate) for sound in sounds]


def sound_uri(sound: Sound) -> str:
    """16-bit FLAC: the samples of the WAV file at half its size."""
    return data_uri("audio/flac", audio.flac16(sound.samples, sound.rate))


def data_uri(kind: str, content: bytes) -> str:
    """Content as an address that holds it."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _slug(name: str) -> str:
    """What a name has of letters, digits and dots: for files, and for addresses on the page."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-.")[:_SLUG].strip("-.") or "clip"
