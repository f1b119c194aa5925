"""The perceptual metrics beside their packages' own entry points: deviation, CPU time, memory.

On the golden pairs (``SQBENCH_SHARED``, by default ``../shared`` beside the repository): the
largest difference from what the package itself says of the same two arrays, CPU seconds a clip of
each, one thread, after a clip of warm-up, and peak memory of a worker process that only has that
metric. Where there is no entry point to compare with, the line says so.

Run: ``python benchmarks/perceptual.py [--metrics visqol,...]``.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import math
import os
import time
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from memory import peak_rss_bytes

from sqbench import audio
from sqbench.engine.pool import ProcessPool
from sqbench.metrics import catalogue
from sqbench.metrics.base import Pair, Undefined
from sqbench.metrics.protocol import prepare

SHARED = Path(os.environ.get("SQBENCH_SHARED", Path(__file__).resolve().parents[2] / "shared"))
Entry = Callable[[Pair], float]


def pairs() -> Iterator[tuple[str, Pair]]:
    """The golden pairs that can be prepared."""
    for path in sorted((SHARED / "golden" / "ref").glob("*.wav")):
        estimate = SHARED / "golden" / "est" / path.name
        yield path.stem, prepare(*audio.read(path), *audio.read(estimate))


def _at(pair: Pair, rate: int) -> tuple[np.ndarray, np.ndarray]:
    return (
        audio.resample(pair.reference, pair.sample_rate, rate),
        audio.resample(pair.estimate, pair.sample_rate, rate),
    )


@cache
def _visqol(mode: str) -> Any:
    from visqol.api import VisqolApi

    api = VisqolApi()
    api.create(mode=mode, use_lattice_model=mode == "speech" or None)
    return api


def visqol(mode: str, rate: int) -> Entry:
    return lambda pair: float(_visqol(mode).measure_from_arrays(*_at(pair, rate), rate).moslqo)


def dnsmos(field: str) -> Entry:
    def run(pair: Pair) -> float:
        from speechmos import dnsmos as package

        return float(package.run(_at(pair, 16_000)[1], 16_000)[field])

    return run


@cache
def _distillmos() -> Any:
    from distillmos import ConvTransformerSQAModel

    return ConvTransformerSQAModel().eval()


def distillmos(pair: Pair) -> float:
    import torch

    with torch.no_grad():
        return float(_distillmos()(torch.from_numpy(_at(pair, 16_000)[1]).float()[None]))


@cache
def _resemblyzer() -> Any:
    from resemblyzer import VoiceEncoder

    return VoiceEncoder("cpu", verbose=False)


def resemblyzer(pair: Pair) -> float:
    from sqbench.metrics.perceptual.voice_encoder import raised

    first, second = (
        _resemblyzer().embed_utterance(raised(samples.astype(np.float32)))
        for samples in _at(pair, 16_000)
    )
    return float(first @ second)


def pesq_nb(pair: Pair) -> float:
    from pesq import pesq

    return float(pesq(8_000, *_at(pair, 8_000), "nb"))


def _spectra(pair: Pair, window: int, bands: int) -> tuple[np.ndarray, np.ndarray]:
    import librosa

    def one(samples: np.ndarray) -> np.ndarray:
        magnitude = np.abs(
            librosa.stft(
                samples.astype(np.float32), n_fft=window, hop_length=window // 4,
                center=True, pad_mode="reflect",
            )
        )  # fmt: skip
        if not bands:
            return np.asarray(magnitude)
        filters = librosa.filters.mel(sr=pair.sample_rate, n_fft=window, n_mels=bands)
        return np.asarray(filters @ magnitude)

    return one(pair.reference), one(pair.estimate)


def stft_distance(pair: Pair) -> float:
    total = 0.0
    for window in (2048, 512):
        a, b = _spectra(pair, window, 0)
        logs = [np.log10(np.maximum(x, 1e-5) ** 2) for x in (a, b)]
        total += float(np.abs(logs[0] - logs[1]).mean() + np.abs(a - b).mean())
    return total


def mel_distance(pair: Pair) -> float:
    total = 0.0
    for i, bands in enumerate((5, 10, 20, 40, 80, 160, 320)):
        logs = [np.log10(np.maximum(x, 1e-5)) for x in _spectra(pair, 32 << i, bands)]
        total += float(np.abs(logs[0] - logs[1]).mean())
    return total


ENTRIES: dict[str, Entry] = {
    "visqol": visqol("audio", 48_000),
    "visqol-speech": visqol("speech", 16_000),
    "dnsmos-sig": dnsmos("sig_mos"),
    "dnsmos-bak": dnsmos("bak_mos"),
    "dnsmos-ovrl": dnsmos("ovrl_mos"),
    "dnsmos-p808": dnsmos("p808_mos"),
    "distillmos": distillmos,
    "spk-sim": resemblyzer,
    "pesq-nb": pesq_nb,
    "stft-distance": stft_distance,
    "mel-distance": mel_distance,
}
"""Each package's own; for DAC's distances librosa and the paper's formula."""


def compare(name: str) -> dict[str, float]:
    """Largest deviation over the pairs that both score, their number, CPU seconds a clip."""
    metric, entry = catalogue.get(name), ENTRIES.get(name)
    deviation, count, ours, theirs, warm = 0.0, 0, 0.0, 0.0, False
    for _, pair in pairs():
        for _ in range(1 if warm else 2):
            start = time.process_time()
            try:
                value = metric.measure(pair)
            except Undefined:
                break
            middle = time.process_time()
            try:
                expected = entry(pair) if entry else math.nan
            except Exception:  # what a package does where it cannot: not this pair's comparison
                break
            end = time.process_time()
            warm = True
            # What metrics share of a pair must be computed in each of them here.
            pair = Pair(**vars(pair))
        else:
            deviation = max(deviation, abs(value - expected)) if entry else math.nan
            count, ours, theirs = count + 1, ours + middle - start, theirs + end - middle
    return {
        "deviation": deviation, "pairs": count, "ours": ours / count,
        "theirs": theirs / count if entry else math.nan,
    }  # fmt: skip


def measure_alone(name: str) -> int:
    """In a worker: score one pair by one metric; peak memory in MB."""
    _, pair = next(iter(pairs()))
    catalogue.get(name).measure(pair)
    return peak_rss_bytes() // 1_000_000


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parse.add_argument("--metrics", help="default: those of the perceptual suite that can run")
    options = parse.parse_args()
    wanted = (options.metrics or ",".join(catalogue.PERCEPTUAL)).split(",")
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    print("| metric | pairs | largest deviation | CPU s a clip | package | worker MB |")
    print("|:---|---:|---:|---:|---:|---:|")
    for name in wanted:
        entry = catalogue.METRICS.get(name)
        if entry.readiness() != "ready":
            print(f"| {name} | {entry.readiness()} | | | | |", flush=True)
            continue
        with contextlib.redirect_stdout(io.StringIO()):
            row = compare(name)
        import perceptual  # itself, as workers know it

        with ProcessPool(1) as pool:
            _, memory = next(iter(pool.map(perceptual.measure_alone, [name])))
        numbers = (
            f"{row['deviation']:.1e}" if name in ENTRIES else "no entry point",
            f"{row['ours']:.3f}",
            f"{row['theirs']:.3f}" if name in ENTRIES else "",
        )
        print(f"| {name} | {row['pairs']} | {' | '.join(numbers)} | {memory} |", flush=True)


if __name__ == "__main__":
    main()
