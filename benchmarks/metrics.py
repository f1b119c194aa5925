"""Our metrics against the official algorithms: CPU time, wall time, memory, and the difference.

On 40 pairs of 10 s at 16 kHz (`benchmarks/metric_pairs.py`):

* CPU time of reading and of each metric, ours and `benchmarks/official_metrics.py`: a process each,
  on one thread, in turn on the same pair, after one pair of warm-up. Ours has the environment of
  our workers, the other has the user's: the way memory is allocated is part of either;
* wall time of `sqbench.scoring.score_folders` with two workers, against the scripts as shipped (a
  process per metric, in series, on default threads), both from a cold interpreter;
* peak memory of each scoring worker.

Run: ``python benchmarks/metrics.py [--pairs 40] [--seconds 10] [--rounds 1]``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

from memory import peak_rss_bytes
from metric_pairs import RATE, make_pairs

from sqbench import audio
from sqbench.engine.pool import WORKER_ENVIRONMENT, ProcessPool
from sqbench.metrics import catalogue
from sqbench.metrics.protocol import prepare
from sqbench.scoring import score_folders

HERE = Path(__file__).resolve()
METRICS = ("sdr", "mel", "stoi", "pesq")
READING = "reading"
PARTS = (READING, *METRICS)
WORKERS = 2

Answer: TypeAlias = dict[str, list[float]]
"""CPU seconds and value, by part."""


def answer_official(reference: Path, estimate: Path) -> Answer:
    """One pair as the scripts measure it: each metric reads the files itself."""
    import official_metrics

    answer = {READING: [0.0, 0.0]}
    for metric in METRICS:
        start = time.process_time()
        pair = official_metrics.load(reference, estimate)
        middle = time.process_time()
        value = official_metrics.METRICS[metric](*pair)
        answer[READING][0] += middle - start
        answer[metric] = [time.process_time() - middle, value]
    return answer


def answer_ours(reference: Path, estimate: Path) -> Answer:
    """One pair as a worker measures it: read, checked and prepared once."""
    start = time.process_time()
    pair = prepare(*audio.read(reference), *audio.read(estimate))
    answer = {READING: [time.process_time() - start, 0.0]}
    for metric in METRICS:
        start = time.process_time()
        value = catalogue.get(metric).measure(pair)
        answer[metric] = [time.process_time() - start, value]
    return answer


def serve(answer: Callable[[Path, Path], Answer], folder: Path) -> None:
    """Answer for each file named on stdin, with a line of JSON."""
    for line in sys.stdin:
        name = line.strip()
        print(json.dumps(answer(folder / "ref" / name, folder / "est" / name)), flush=True)


@contextmanager
def asking(role: str, folder: Path, extra: Mapping[str, str]) -> Iterator[Callable[[str], Answer]]:
    """A process in a role, as a function of a file's name."""
    with subprocess.Popen(
        [sys.executable, str(HERE), "--role", role, "--folder", str(folder)],
        env={**plain_environment(), **extra},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        lines, answers = process.stdin, process.stdout
        assert lines is not None
        assert answers is not None

        def ask(name: str) -> Answer:
            print(name, file=lines, flush=True)
            answer: Answer = json.loads(answers.readline())
            return answer

        yield ask


def measure_cpu(folder: Path) -> dict[str, dict[str, float]]:
    """CPU seconds of both sides and the largest difference, by part."""
    one_thread = {key: one for key, one in WORKER_ENVIRONMENT.items() if key.endswith("_THREADS")}
    spent = {part: {"official": 0.0, "ours": 0.0, "difference": 0.0} for part in PARTS}
    names = sorted(path.name for path in (folder / "ref").glob("*.wav"))
    with (
        asking("official", folder, one_thread) as ask_official,
        asking("ours", folder, WORKER_ENVIRONMENT) as ask_ours,
    ):
        ask_official(names[0])
        ask_ours(names[0])
        for name in names:
            official, ours = ask_official(name), ask_ours(name)
            for part, row in spent.items():
                row["official"] += official[part][0]
                row["ours"] += ours[part][0]
                row["difference"] = max(row["difference"], abs(ours[part][1] - official[part][1]))
    return spent


def plain_environment() -> dict[str, str]:
    """The user's environment, without what would limit threads or tune memory."""
    return {key: value for key, value in os.environ.items() if key not in WORKER_ENVIRONMENT}


def score_once(folder: Path) -> dict[str, Any]:
    """Score the folder with a pool; values, and the peak memory of its workers."""
    peaks: list[int] = []

    def run(function: Any, items: Any) -> Iterator[tuple[int, Any]]:
        with ProcessPool(WORKERS) as pool:
            yield from pool.map(function, items)
            for _, peak in pool.map(peak_rss_bytes, range(WORKERS)):
                assert isinstance(peak, int), peak
                peaks.append(peak)

    values: dict[str, dict[str, float]] = {metric: {} for metric in METRICS}
    for row in score_folders(folder / "ref", folder / "est", METRICS, map_fn=run):
        values[row.metric][row.id] = row.measurement.value
    return {"values": values, "peaks": peaks}


def child(arguments: list[str]) -> Any:
    """Run a Python script in the plain environment; returns what it prints, as JSON."""
    done = subprocess.run(
        [sys.executable, *arguments], env=plain_environment(), stdout=subprocess.PIPE, check=True
    )
    return json.loads(done.stdout)


def measure_wall(folder: Path, rounds: int) -> tuple[float, float, dict[str, Any]]:
    """Best wall seconds of the scripts as shipped, and of ours; and what ours gave."""
    slow, fast = [], []
    for _ in range(rounds):
        start = time.perf_counter()
        ours = child([str(HERE), "--role", "score", "--folder", str(folder)])
        middle = time.perf_counter()
        official = {
            metric: child(
                [
                    str(HERE.with_name("official_metrics.py")),
                    metric,
                    str(folder / "ref"),
                    str(folder / "est"),
                ]
            )
            for metric in METRICS
        }
        slow.append(time.perf_counter() - middle)
        fast.append(middle - start)
    for metric in METRICS:
        if official[metric].keys() != ours["values"][metric].keys():
            raise RuntimeError(f"{metric}: the two sides scored different files")
    return min(slow), min(fast), ours


def report(spent: dict[str, Any], wall: tuple[float, float, dict[str, Any]], title: str) -> str:
    """The markdown table."""
    lines = [
        f"### Signal metrics: {title}",
        "",
        "| | official | ours | ratio | aim | largest difference |",
        "|---|---:|---:|---:|---:|---:|",
    ]

    def row(name: str, official: float, ours: float, aim: str, difference: str, unit: str) -> str:
        return (
            f"| {name} | {official:.2f} {unit} | {ours:.2f} {unit} | {official / ours:.2f}x "
            f"| {aim} | {difference} |"
        )

    totals = {side: sum(spent[m][side] for m in METRICS) for side in ("official", "ours")}
    pesq = spent["pesq"]
    for part, one in spent.items():
        name, difference = f"{part.upper()}, CPU", f"{one['difference']:.1e}"
        if part == READING:
            name, difference = "reading and preparing, CPU", ""
        lines.append(row(name, one["official"], one["ours"], "", difference, "s"))
    rest = {side: totals[side] - pesq[side] for side in totals}
    lines.append(row("without PESQ, CPU", rest["official"], rest["ours"], "4.5x", "", "s"))
    lines.append(row("all four, CPU", totals["official"], totals["ours"], "2x", "", "s"))
    both = {side: totals[side] + spent[READING][side] for side in totals}
    lines.append(row("with reading, CPU", both["official"], both["ours"], "", "", "s"))
    slow, fast, ours = wall
    lines.append(row(f"wall, {WORKERS} workers", slow, fast, "5x", "", "s"))
    shares = [f"{pesq[side] / totals[side]:.0%}" for side in ("official", "ours")]
    lines.append(f"| PESQ's share of CPU | {shares[0]} | {shares[1]} | | | |")
    peaks = ", ".join(f"{peak / 2**20:.0f}" for peak in ours["peaks"])
    lines.append(f"| peak memory per worker, MiB | | {peaks} | | < 200 | |")
    packages = ("numpy", "scipy", "torch", "librosa", "mir_eval", "pesq", "soundfile")
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    lines += ["", f"Python {platform.python_version()}, {versions}; {machine()}."]
    return "\n".join(lines)


def machine() -> str:
    """Processor, cores and how busy they were."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return f"{model}, {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=1, help="of wall time; the best counts")
    parser.add_argument("--role", choices=["official", "ours", "score"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.role == "score":
        print(json.dumps(score_once(options.folder)))
        return
    if options.role is not None:
        serve(answer_ours if options.role == "ours" else answer_official, options.folder)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = make_pairs(folder, options.pairs, options.seconds)
        spent = measure_cpu(folder)
        wall = measure_wall(folder, options.rounds)
        title = f"{options.pairs} pairs of {options.seconds:g} s, {RATE // 1000} kHz, {source}"
        print(report(spent, wall, title))


if __name__ == "__main__":
    main()
