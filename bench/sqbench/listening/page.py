"""The page to listen on: what is on it; its form is ``page.html.j2``.

All text from outside (ids, names, weights, reasons, commands) reaches the page through Jinja2's
escaping alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqbench.listening import level
from sqbench.listening.level import Gain
from sqbench.listening.run import Clip, Coder, Listening, Version
from sqbench.listening.spectrogram import RANGE_DB
from sqbench.metrics import catalogue
from sqbench.report.columns import FIXED
from sqbench.report.grid import NOTHING
from sqbench.store.record import Record

if TYPE_CHECKING:
    from jinja2 import Environment

KEYS = 9
"""Versions of a clip that have a key to switch to them."""
_COLUMNS = {column.key: column for column in FIXED}


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What there is of a version that can be played.

    Attributes:
        picture: address of its spectrogram.
        file: name of its WAV file beside the page; ``None`` on a page of a single file.
        clipped: samples that lay beyond full scale.
        gain: that makes it as loud as the original.
    """

    picture: str
    file: str | None
    clipped: int
    gain: Gain


@dataclass(frozen=True, kw_only=True)
class Media:
    """What a clip has to be seen and played, the original first.

    Attributes:
        heard: of the original, then of each version that has audio.
        script: name of the file that holds the sounds, or ``None`` where ``sounds`` does.
        sounds: the sounds as data URIs.
        ticks: frequencies to name, and their places from 0 to 1.
        seconds: where the time axis ends.
    """

    heard: Sequence[Heard]
    script: str | None
    sounds: Sequence[str]
    ticks: Sequence[tuple[str, float]]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class _Card:
    """A version as the page shows it: with a player and scores, or why there is none."""

    name: str
    about: Sequence[str] = ()
    codec_id: str = ""
    heard: Heard | None = None
    reason: str = ""
    scores: Sequence[tuple[str, str, str]] = ()


@lru_cache(maxsize=1)
def templates() -> Environment:
    """The templates of this folder; every expression in them is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(
    listening: Listening,
    media: Sequence[Media | None],
    command: str,
    *,
    single_file: bool,
    match_level: bool,
) -> str:
    """The whole page.

    Args:
        media: of each clip; ``None`` where it could not be read.
        command: what makes it again, if it is to be shown.
        single_file: whether nothing lies beside the page.
        match_level: whether levels are matched when the page opens.
    """
    from sqbench import __version__

    sections = [
        _section(number, clip, some)
        for number, (clip, some) in enumerate(zip(listening.clips, media, strict=True), 1)
    ]
    return templates().get_template("page.html.j2").render(
        listening=listening,
        command=command,
        version=__version__,
        range_db=RANGE_DB,
        level=level,
        match_level=match_level,
        single_file=single_file,
        coders=[_coder(coder) for coder in listening.coders],
        sections=sections,
        lost=[
            (section, card.name)
            for section in sections
            if section["media"]
            for card in section["cards"]
            if card.heard is None
        ],
        clips=[
            {
                "key": section["key"],
                "script": section["media"].script,
                "gains": [each.gain.factor for each in section["media"].heard],
                "axis_s": section["media"].seconds,
            }
            for section in sections
            if section["media"]
        ],
        keys=KEYS,
    )  # fmt: skip


def _coder(coder: Coder) -> dict[str, str]:
    spec, weights = coder.spec, coder.weights
    return {
        "name": spec.name,
        "bitrate": NOTHING if spec.bitrate_bps is None else f"{spec.bitrate_bps:.0f}",
        "rate": "the clip's" if spec.sample_rate is None else str(spec.sample_rate),
        "weights": weights.label,
        # The label has the hash's beginning; the whole of it is what proves anything.
        "sha256": weights.sha256 or "",
        "from": weights.detail or NOTHING,
        "id": coder.codec_id,
    }


def _section(number: int, clip: Clip, media: Media | None) -> dict[str, Any]:
    utterance = clip.item.utterance
    about = [utterance.domain, utterance.dataset]
    if clip.original is not None:
        seconds = len(clip.original.samples) / clip.original.rate
        about += [f"{seconds:.2f} s", f"{clip.original.rate} Hz"]
    if clip.item.audio_sha256:
        about.append(f"sha256 {clip.item.audio_sha256[:8]}")
    return {
        "number": number,
        "key": f"clip-{number}",
        "id": utterance.id,
        "domain": utterance.domain,
        "about": ", ".join(about),
        "text": utterance.labels.get("text") or "",
        "problem": clip.problem,
        "media": media,
        "cards": list(_cards(clip, media)) if media else [],
    }


def _cards(clip: Clip, media: Media) -> Iterator[_Card]:
    heard = iter(media.heard)
    assert clip.original is not None, "a clip with media has its original"
    yield _Card(name="original", about=(f"{clip.original.rate} Hz",), heard=next(heard))
    for version in clip.versions:
        coder = version.coder
        weights = "no weights" if coder.weights.source == "none" else coder.weights.label
        coding = next(record for record in version.records if record["kind"] == "coding")
        playable = version.sound is not None
        yield _Card(
            name=coder.spec.name,
            about=(weights, *([f"{version.sound.rate} Hz"] if version.sound else [])),
            codec_id=coder.codec_id,
            heard=next(heard) if playable else None,
            reason="" if playable else str(coding["reason"]),
            scores=list(_scores(version, coding)) if playable else (),
        )


def _scores(version: Version, coding: Record) -> Iterator[tuple[str, str, str]]:
    """Name, value and remark of each score."""
    if coding["bits"] is None or not coding["duration_s"]:
        yield "Measured", NOTHING, "decoded elsewhere"
    else:
        yield "Measured", f"{coding['bits'] / coding['duration_s']:.0f} bps", ""
    scores = {record["metric"]: record for record in version.records if record["kind"] == "score"}
    for name in catalogue.SIGNAL:
        column = _COLUMNS[name]
        yield f"{column.title} {column.arrow}", *_value(name, scores.get(name))


def _value(metric: str, record: Record | None) -> tuple[str, str]:
    """A value as the tables show it; without one, why."""
    if record is None:
        kinds = " and ".join(catalogue.get(metric).categories)
        return NOTHING, f"for {kinds} only"
    if record["value"] is not None:
        column = _COLUMNS[metric]
        return f"{record['value']:.{column.digits}f} {column.unit}".rstrip(), ""
    mark = "identical" if record["status"] == "identical" else NOTHING
    return mark, (record["reason"] or record["status"]).removeprefix(f"{mark}: ")
