"""Make the embedded mini set: ``python -m tools.make_mini`` in the repository root.

Needs Debian's flite 2.2 and espeak-ng 1.51 (``apt-get install flite espeak-ng``) besides the
project's own packages. Seeds are fixed and the tools deterministic, so that the same tool versions
give the same bytes; ``--out DIR`` writes elsewhere, for comparing.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import soundfile

from tools.mini_set import events, music, speech
from tools.mini_set.dsp import Clip

HOME = Path(__file__).resolve().parent.parent / "bench/sqbench/data/mini"
COLUMNS = (
    "path",
    "dataset",
    "domain",
    "duration_s",
    "sample_rate",
    "text",
    "speaker",
    "style",
    "condition",
    "synthesiser",
    "event",
    "instrument",
    "genre",
    "sha256",
)


def all_clips() -> Iterator[Clip]:
    """The set in its stable order: speech, music, events."""
    yield from speech.clips()
    yield from music.clips()
    yield from events.clips()


def write(clip: Clip, home: Path) -> dict[str, str]:
    """Write one clip as 16-bit FLAC and return its manifest row."""
    path = home / f"{clip.id}.flac"
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(
        path, clip.wave, clip.rate, format="FLAC", subtype="PCM_16", compression_level=1.0
    )
    return {
        "path": f"{clip.id}.flac",
        "dataset": clip.dataset,
        "domain": clip.domain,
        "duration_s": f"{clip.wave.size / clip.rate:.3f}",
        "sample_rate": str(clip.rate),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        **clip.labels,
    }


def main() -> None:
    """Write the clips and the manifest; old clips are removed first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=HOME)
    home: Path = parser.parse_args().out
    for name in ("speech", "music", "events"):
        shutil.rmtree(home / name, ignore_errors=True)
    rows = [write(clip, home) for clip in all_clips()]
    with (home / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    size = sum(path.stat().st_size for path in home.rglob("*.flac"))
    total = sum(float(row["duration_s"]) for row in rows)
    print(f"{len(rows)} clips, {total:.0f} s, {size / 1e6:.2f} MB in {home}")


if __name__ == "__main__":
    main()
