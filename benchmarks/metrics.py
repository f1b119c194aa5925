"""Our metrics against the official algorithms: CPU time, wall time, memory, and the difference.

On 40 pairs of 10 s at 16 kHz, made here (from LibriSpeech below ``SQBENCH_SHARED``, or synthetic):

* CPU time of each metric, ours and `benchmarks/official_metrics.py`, alternating on the same pair
  in one process on one thread, after one pair of warm-up;
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
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sqbench import audio
from sqbench.runner.pool import WORKER_ENVIRONMENT, ProcessPool
from sqbench.runner.worker import peak_rss_bytes
from sqbench.scoring import score_folders

HERE = Path(__file__).resolve()
SHARED = Path(os.environ.get("SQBENCH_SHARED", HERE.parents[2] / "shared"))
METRICS = ("sdr", "mel", "stoi", "pesq")
RATE = 16_000
WORKERS = 2

Samples = NDArray[np.float64]


def clips(count: int, length: int) -> tuple[Iterator[Samples], str]:
    """Reference clips, and what they are."""
    files = sorted((SHARED / "data/eval/LibriSpeech").rglob("*.flac"))
    if files:
        speech = np.concatenate([audio.first_channel(audio.read(path)[0]) for path in files])
        if speech.shape[0] >= count * length:
            return (speech[i * length :][:length] for i in range(count)), "LibriSpeech"
    return (synthetic(i, length) for i in range(count)), "synthetic speech"


def synthetic(seed: int, length: int) -> Samples:
    """A buzz through moving formants, with syllables and pauses."""
    rng = np.random.default_rng(seed)
    t = np.arange(length) / RATE
    pitch = 90 + 10 * seed % 120
    phase = 2 * np.pi * (pitch * t + 5 * np.sin(2 * np.pi * rng.uniform(0.4, 0.9) * t))
    out = 0.002 * rng.standard_normal(length)
    centres = (500 + 250 * np.sin(8 * t + seed), 1500 + 500 * np.sin(5 * t), 2600 + 0 * t)
    for k in range(1, int(6000 / pitch)):
        gain = sum(1 / (1 + ((k * pitch - centre) / 180) ** 2) for centre in centres)
        out += 0.05 * gain * np.sin(k * phase + k * k)
    syllables = np.clip(np.sin(2 * np.pi * 2.3 * t) + 0.6, 0, None)
    return np.asarray(out * syllables * (np.mod(t, 2.1) < 1.8))


def damage(clean: Samples, kind: int) -> Samples:
    """Noise at 20 dB, a low-pass with a delay, six bits, or soft clipping."""
    if kind == 0:
        noise = np.random.default_rng(1).standard_normal(clean.shape[0])
        return np.asarray(clean + 0.1 * np.std(clean) * noise)
    if kind == 1:
        return np.convolve(clean, np.hanning(11) / np.hanning(11).sum())[: clean.shape[0]]
    if kind == 2:
        peak = np.abs(clean).max()
        return np.asarray(np.round(clean / peak * 32) / 32 * peak)
    return np.asarray(np.tanh(8 * clean) / 8)


def make_pairs(folder: Path, count: int, seconds: float) -> str:
    """Write ``folder/ref`` and ``folder/est`` as 16-bit WAV; returns what the audio is."""
    import soundfile

    length = int(seconds * RATE)
    references, name = clips(count, length)
    for i, clean in enumerate(references):
        for side, samples in (("ref", clean), ("est", damage(clean, i % 4))):
            path = folder / side / f"clip{i:03}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, np.clip(samples, -1, 1), RATE, subtype="PCM_16")
    return name


def measure_cpu(folder: Path) -> dict[str, Any]:
    """CPU seconds and largest difference per metric; to be run on one thread."""
    import official_metrics
    import torch

    from sqbench.metrics import registry
    from sqbench.metrics.protocol import prepare

    torch.set_num_threads(1)
    spent = {metric: {"official": 0.0, "ours": 0.0, "difference": 0.0} for metric in METRICS}
    paths = sorted((folder / "ref").glob("*.wav"))
    for number, path in enumerate([paths[0], *paths]):
        reference, rate = audio.read(path)
        estimate, _ = audio.read(folder / "est" / path.name)
        for metric in METRICS:
            start = time.process_time()
            official = official_metrics.METRICS[metric](reference, estimate, rate)
            middle = time.process_time()
            ours = registry.get(metric).measure(prepare(reference, rate, estimate, rate))
            end = time.process_time()
            if number > 0:
                row = spent[metric]
                row["official"] += middle - start
                row["ours"] += end - middle
                row["difference"] = max(row["difference"], abs(ours - official))
    return spent


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


def child(arguments: list[str], one_thread: bool) -> Any:
    """Run a Python script; returns what it prints, as JSON."""
    kept = {key: value for key, value in os.environ.items() if key not in WORKER_ENVIRONMENT}
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**kept, **WORKER_ENVIRONMENT} if one_thread else kept,
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout)


def measure_wall(folder: Path, rounds: int) -> tuple[float, float, dict[str, Any]]:
    """Best wall seconds of the scripts as shipped, and of ours; and what ours gave."""
    slow, fast = [], []
    for _ in range(rounds):
        start = time.perf_counter()
        ours = child([str(HERE), "--role", "score", "--folder", str(folder)], one_thread=False)
        middle = time.perf_counter()
        official = {
            metric: child(
                [
                    str(HERE.with_name("official_metrics.py")),
                    metric,
                    str(folder / "ref"),
                    str(folder / "est"),
                ],
                one_thread=False,
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
    for metric in METRICS:
        one = spent[metric]
        name = f"{metric.upper()}, CPU"
        lines.append(row(name, one["official"], one["ours"], "", f"{one['difference']:.1e}", "s"))
    rest = {side: totals[side] - pesq[side] for side in totals}
    lines.append(row("without PESQ, CPU", rest["official"], rest["ours"], "4.5x", "", "s"))
    lines.append(row("all four, CPU", totals["official"], totals["ours"], "2x", "", "s"))
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
    parser.add_argument("--role", choices=["cpu", "score"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.role is not None:
        work = measure_cpu if options.role == "cpu" else score_once
        print(json.dumps(work(options.folder)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = make_pairs(folder, options.pairs, options.seconds)
        spent = child([str(HERE), "--role", "cpu", "--folder", name], one_thread=True)
        wall = measure_wall(folder, options.rounds)
        title = f"{options.pairs} pairs of {options.seconds:g} s, {RATE // 1000} kHz, {source}"
        print(report(spent, wall, title))


if __name__ == "__main__":
    main()
