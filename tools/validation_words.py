"""How well words survive a codec, on the speech that a training run holds out.

Whisper tiny.en of the installed package (extra ``whisper-weights``; engine: faster-whisper) hears
every held-out clip of speech of at least three seconds, as it is and decoded. Printed are, in
percent with all edits over all words: WER against the manifest's column ``text``, where it has one,
and dWER against what was heard in the original.

Run: ``python tools/validation_words.py --data AUDIO [--cache RUN/cache] CODEC ...``, a codec being
``sqcodec-6k=RUN``, ``sqcodec-6k=bundled`` or another name of ``sqbench codecs``. With ``--limit N``
only the N longest clips are heard.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from sqbench.tasks.words import edits, normaliser
from sqbench_codecs import load_codec
from sqcodec.train.data.corpus import Clip, Corpus

SAMPLE_RATE = 16000  # Whisper's
SHORTEST_S = 3.0

Samples = NDArray[np.float32]


@dataclass
class Count:
    """Edits and words so far."""

    edits: int = 0
    words: int = 0

    def add(self, reference: str, hypothesis: str) -> None:
        found = edits(reference, hypothesis)
        self.edits, self.words = self.edits + found.edits, self.words + found.words

    @property
    def percent(self) -> float | None:
        """``None`` where there is no reference."""
        return 100.0 * self.edits / self.words if self.words else None


@dataclass
class Row:
    """What became of one codec's words, or of the original's."""

    name: str
    wer: Count = field(default_factory=Count)
    dwer: Count = field(default_factory=Count)


def recogniser() -> Callable[[Samples], str]:
    """Whisper tiny.en, greedy, in float32 on one thread; text normalised."""
    from faster_whisper import WhisperModel

    from sqcodec.train.losses.whisper_sources import installed_folder

    model: Any = WhisperModel(
        str(installed_folder()), device="cpu", compute_type="float32", cpu_threads=1
    )
    normalise = normaliser()

    def hear(audio: Samples) -> str:
        segments, _ = model.transcribe(
            audio, language="en", beam_size=1, temperature=0.0, without_timestamps=True,
            condition_on_previous_text=False,
        )  # fmt: skip
        return normalise(" ".join(segment.text for segment in segments))

    return hear


def decoder(name: str) -> Callable[[Samples], Samples]:
    """A codec there and back, at the recogniser's rate."""
    codec_name, _, weights = name.partition("=")
    codec = load_codec(codec_name, weights=weights or "auto")
    rate = codec.spec.sample_rate

    def decode(audio: Samples) -> Samples:
        x = audio if rate == SAMPLE_RATE else soxr.resample(audio, SAMPLE_RATE, rate, "VHQ")
        y = codec.decode(codec.encode([x]), [len(x)])[0]
        return y if rate == SAMPLE_RATE else np.asarray(soxr.resample(y, rate, SAMPLE_RATE, "VHQ"))

    return decode


def texts(places: Sequence[Path]) -> dict[str, str]:
    """Transcripts of the places' manifests by path."""
    found: dict[str, str] = {}
    for place in places:
        manifest = place / "manifest.csv" if place.is_dir() else place
        if manifest.is_file():
            with manifest.open(newline="", encoding="utf-8") as file:
                rows = csv.DictReader(file)
                found |= {row["path"]: row["text"] for row in rows if row.get("text")}
    return found


def held_out(corpus: Corpus, limit: int | None) -> list[Clip]:
    """Held-out speech, the longest first."""
    clips = [
        clip
        for clip in corpus.split()[1]
        if clip.domain == "speech" and clip.length >= SHORTEST_S * SAMPLE_RATE
    ]
    return sorted(clips, key=lambda clip: (-clip.length, clip.name))[:limit]


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parse.add_argument("codecs", nargs="+", metavar="CODEC")
    parse.add_argument("--data", type=Path, nargs="+", required=True)
    parse.add_argument("--cache", type=Path, help="decoded audio of a run (default: decode it)")
    parse.add_argument("--limit", type=int)
    parse.add_argument("--json", action="store_true", help="one JSON object a codec")
    options = parse.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        corpus = Corpus(options.data, SAMPLE_RATE, options.cache or Path(scratch))
        clips = held_out(corpus, options.limit)
        audio = [
            np.array(corpus.samples[c.start : c.start + c.length], np.float32) / 32768.0
            for c in clips
        ]
    hear, written, normalise = recogniser(), texts(options.data), normaliser()
    heard = [hear(x) for x in audio]
    rows = [Row("original"), *(Row(name) for name in options.codecs)]
    for row in rows:
        decode = decoder(row.name) if row is not rows[0] else None
        for clip, x, original in zip(clips, audio, heard, strict=True):
            now = original if decode is None else hear(decode(x))
            row.dwer.add(original, now)
            if clip.name in written:
                row.wer.add(normalise(written[clip.name]), now)
        values = {
            "codec": row.name, "clips": len(clips), "WER": row.wer.percent,
            "words": row.wer.words, "dWER": row.dwer.percent, "words heard": row.dwer.words,
        }  # fmt: skip
        print(json.dumps(values) if options.json else _line(values), flush=True)


def _line(values: dict[str, Any]) -> str:
    wer, dwer = (values[key] for key in ("WER", "dWER"))
    known = (
        "none has a transcript" if wer is None else f"WER {wer:.1f} % of {values['words']} words"
    )
    heard = "in the originals no word is heard"
    if dwer is not None:
        heard = f"dWER {dwer:.1f} % of {values['words heard']} words"
    return f"{values['codec']}: {known}, {heard}"


if __name__ == "__main__":
    main()
