"""Does the bench's ranking of gradient estimators predict that of real codecs?

Trains reduced codecs (`reduced_codecs.py`) on real audio: base networks without quantizing, then,
from each, every estimator with several seeds and equal steps. Trains the same quantizers in the
bench, on several sources. Correlates the rankings (Spearman, over methods) of medians over bases
and seeds. The codecs' scores are of the hard quantizer on held-out crops: SNR over all crops
together, and spectral distance.

Every run is a row of a CSV file, written when it is done; a run that has its row is not trained
again, so the same command goes on where it was stopped. ``--summary`` only reads the file. Base
networks are kept beside it.

Run: ``python benchmarks/quantizer_validation.py --out validation.csv [--kind dac] [--bases 2]``.
Audio: the speech clips of ``SQBENCH_SHARED/data/train`` (default ``../shared`` beside the
repository), or any folder with ``--data``.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from rank_agreement import agreement
from reduced_codecs import CONFIG, KINDS, Codec, State, cell_of, held_out
from torch import Tensor
from toys import TOYS, scores

from sqcodec.train.data.corpus import Corpus

SHARED = Path(os.environ.get("SQBENCH_SHARED", Path(__file__).resolve().parents[2] / "shared"))
CLIPS = 60
BASE_SEED = 1000
"""Base networks are seeds of their own, from here."""
METHODS = {
    "fsq": ("ste", "mste", "uniform", "gaussian", "taae", "taae-mix", "soft"),
    "cascade": ("ste", "ste+cl0.25", "mste", "rotation", "soft", "gaussian", "diveq"),
    "dac": ("ste", "ste+cl0.25", "mste", "rotation", "soft", "gaussian", "diveq"),
}
FIELDS = (
    "kind", "method", "base", "seed", "source", "base_steps", "steps", "snr_db", "stft", "cpu_s",
)  # fmt: skip
NO_QUANTIZER, TOY = "none", "toy"
"""Methods of rows of base networks; and the ``base`` of rows of the bench."""
Row = dict[str, str]


class Table:
    """The CSV file: rows that are done, and new ones as they come."""

    def __init__(self, path: Path) -> None:
        self.path, self.rows = path, read(path)

    def has(self, **wanted: object) -> bool:
        """Whether a row has these fields."""
        texts = {name: str(value) for name, value in wanted.items()}
        return any(texts.items() <= row.items() for row in self.rows)

    def add(self, **content: object) -> None:
        """Write a row, at once and whole."""
        row = {name: _text(content.get(name, "")) for name in FIELDS}
        new = not self.path.exists()
        with self.path.open("a", newline="") as file:
            writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
            if new:
                writer.writeheader()
            writer.writerow(row)
        self.rows.append(row)
        print(" ".join(text for text in row.values() if text), flush=True)


def read(path: Path) -> list[Row]:
    """The rows of a CSV file; none where there is no file. A line cut off by a kill is dropped."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [row for row in csv.DictReader(file) if None not in row.values() and row["cpu_s"]]


def _text(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


class Plan:
    """What is trained, in an order in which every part of the file is of use."""

    def __init__(self, options: argparse.Namespace, corpus: Corpus, table: Table) -> None:
        self.options, self.corpus, self.table = options, corpus, table
        self.kinds = KINDS if options.kind == "all" else (options.kind,)
        self.crops = held_out(corpus)

    def run(self) -> None:
        """One seed of one base of every kind first, and the bench's side of it; then the others."""
        for seed in range(self.options.seeds):
            for base in range(self.options.bases):
                for kind in self.kinds:
                    self._codecs(kind, base, seed)
                    self._toys(kind, list(TOYS)[:1])
        for kind in self.kinds:
            self._toys(kind, list(TOYS))

    def _toys(self, kind: str, names: Sequence[str]) -> None:
        for name in names:
            keys = [
                {"kind": kind, "method": method, "base": TOY, "source": name}
                for method in METHODS[kind]
            ]
            seeds = range(self.options.seeds)
            if all(self.table.has(**key, seed=seed) for key in keys for seed in seeds):
                continue
            started = time.process_time()
            cells = [cell_of(kind, method, TOYS[name].source) for method in METHODS[kind]]
            found = scores(cells, seeds, TOYS[name])
            cost = (time.process_time() - started) / len(cells) / len(seeds)
            for key, of_method in zip(keys, found, strict=True):
                for seed, snr in zip(seeds, of_method, strict=True):
                    if not self.table.has(**key, seed=seed):
                        self.table.add(
                            **key, seed=seed, steps=cells[0].steps, snr_db=snr, cpu_s=cost
                        )

    def _codecs(self, kind: str, base: int, seed: int) -> None:
        steps = {"base_steps": self.options.base_steps, "steps": self.options.steps}
        for method in METHODS[kind]:
            key = {"kind": kind, "method": method, "base": base, "seed": seed, **steps}
            if self.table.has(**key):
                continue
            state = self._base(kind, base)
            started = time.process_time()
            codec = Codec(kind, method, seed, self.corpus, state)
            finite = codec.train(self.options.steps, quantized=True)
            measured = codec.measure(self.crops) if finite else {}
            self.table.add(
                **key,
                snr_db=measured.get("snr_db", math.nan),
                stft=measured.get("stft", math.nan),
                cpu_s=time.process_time() - started,
            )

    def _base(self, kind: str, base: int) -> State:
        steps = self.options.base_steps
        path = self.table.path.with_name(f"{self.table.path.stem}-{kind}-{base}-{steps}.pt")
        if not path.exists():
            started = time.process_time()
            codec = Codec(kind, "ste", BASE_SEED + base, self.corpus)
            codec.train(steps, quantized=False)
            measured = codec.measure(self.crops, quantized=False)
            torch.save(codec.model.state_dict(), path.with_suffix(".part"))
            path.with_suffix(".part").rename(path)
            self.table.add(
                kind=kind, method=NO_QUANTIZER, base=base, base_steps=steps, steps=0, **measured,
                cpu_s=time.process_time() - started,
            )  # fmt: skip
        state: dict[str, Tensor] = torch.load(path, weights_only=True)
        return state


def summary(rows: Sequence[Row]) -> Iterator[str]:
    """Markdown: what each method reaches, and the correlations, by kind and number of steps."""
    for kind in KINDS:
        codec_rows = [r for r in rows if r["kind"] == kind and r["base"] != TOY]
        for steps in sorted(
            {(r["base_steps"], r["steps"]) for r in codec_rows if r["steps"] != "0"}
        ):
            mine = [r for r in codec_rows if (r["base_steps"], r["steps"]) == steps]
            toys = [r for r in rows if r["kind"] == kind and r["base"] == TOY]
            yield f"\n{kind}: {steps[0]} steps without quantizing, then {steps[1]}\n"
            yield from _table(kind, mine, toys)
            yield from _correlations(kind, mine, toys)


def _table(kind: str, rows: Sequence[Row], toys: Sequence[Row]) -> Iterator[str]:
    yield "| method | bench SNR (dB) | codec SNR (dB) | spectral distance | bases | runs |"
    yield "|---|---:|---:|---:|---:|---:|"
    for method in METHODS[kind]:
        mine = [r for r in rows if r["method"] == method]
        if not mine:
            continue
        snr = [_number(r["snr_db"]) for r in mine]
        stft = [-_number(r["stft"], -1) for r in mine]
        toy = [_number(r["snr_db"]) for r in toys
               if r["method"] == method and r["source"] == "gaussian"]  # fmt: skip
        bench = f"{statistics.median(toy):.2f}" if toy else "\u2013"
        yield (
            f"| `{method}` | {bench} | {statistics.median(snr):.2f} [{min(snr):.2f}, "
            f"{max(snr):.2f}] | {statistics.median(stft):.3f} | "
            f"{len({r['base'] for r in mine})} | {len(mine)} |"
        )


def _correlations(kind: str, rows: Sequence[Row], toys: Sequence[Row]) -> Iterator[str]:
    yield "\n| bench | codec's score | rank correlation | p | methods | bases |"
    yield "|---|---|---:|---:|---:|---:|"
    for source in TOYS:
        toy = {
            m: [_number(r["snr_db"]) for r in toys if r["method"] == m and r["source"] == source]
            for m in METHODS[kind]
        }
        toy = {method: scores for method, scores in toy.items() if scores}
        for metric, sign in (("snr_db", 1), ("stft", -1)):
            codec: dict[str, dict[int, list[float]]] = {}
            for r in rows:
                if r["method"] in toy:
                    of = codec.setdefault(r["method"], {}).setdefault(int(r["base"]), [])
                    of.append(_number(r[metric], sign))
            if len(codec) < 3:
                continue
            found = agreement(toy, codec)
            interval = (
                "" if found.low is None or found.high is None
                else f" [{found.low:+.2f}, {found.high:+.2f}]"
            )  # fmt: skip
            yield (
                f"| {source} | {'SNR' if sign > 0 else 'spectral distance'} | {found.rho:+.2f}"
                f"{interval} | {found.p:.3f} | {found.methods} | {found.bases} |"
            )


def _number(text: str, sign: int = 1) -> float:
    """A score, higher being better; what is no number is the worst."""
    value = sign * float(text)
    return -math.inf if math.isnan(value) else value


def main() -> int:
    """Run; 0 even if the rankings disagree: that is a finding."""
    parse = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parse.add_argument("--out", type=Path, required=True, help="CSV file, a row a run")
    parse.add_argument("--data", type=Path, default=SHARED / "data/train/speech")
    parse.add_argument("--kind", choices=(*KINDS, "all"), default="all")
    parse.add_argument("--base-steps", type=int, default=1000, help="without quantizing")
    parse.add_argument("--steps", type=int, default=250, help="with each estimator")
    parse.add_argument("--bases", type=int, default=2, help="base networks of each kind")
    parse.add_argument("--seeds", type=int, default=3)
    parse.add_argument("--summary", action="store_true", help="train nothing; read the file")
    options = parse.parse_args()
    if not options.summary:
        if not options.data.is_dir():
            print(f"no audio at {options.data}: set SQBENCH_SHARED or --data; skipped")
            return 0
        torch.set_num_threads(1)
        with tempfile.TemporaryDirectory() as folder:
            Plan(options, corpus_of(options.data, Path(folder)), Table(options.out)).run()
    print("\n".join(summary(read(options.out))))
    return 0


def corpus_of(data: Path, folder: Path) -> Corpus:
    """`CLIPS` clips of a folder of audio, evenly over its names."""
    files = sorted(data.rglob("*.opus")) or sorted(data.rglob("*.flac"))
    manifest = folder / "clips.csv"
    chosen = files[:: max(1, len(files) // CLIPS)][:CLIPS]
    lines = [f"{path},speech,{path.name}" for path in chosen]
    manifest.write_text("path,domain,group\n" + "\n".join(lines) + "\n")
    return Corpus([manifest], CONFIG.sample_rate, folder / "cache")


if __name__ == "__main__":
    sys.exit(main())
