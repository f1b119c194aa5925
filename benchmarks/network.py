"""Our network against the published inference package: time, memory, and the difference.

* Time to encode and decode one clip with the same random weights, ours (`sqcodec.SQCodec`) and
  `sq_codec`, in one process, alternating, after one run each to warm up: medians, and the median
  and range of the ratios of neighbouring runs.
* Largest difference of the audio that both decode from the same codes, and differing codes.
* Peak memory of each, alone in a process that encodes and decodes the clip once.
* With ``--hour``: peak memory for an hour of audio; with ``--segments``: five minutes in segments
  against the whole at once.

Run: ``python benchmarks/network.py [--config 6kbps] [--seconds 10] [--rounds 7] [--threads 2]``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sqcodec import SQCodec
from sqcodec.inference.engine import Engine

SHARED = Path(os.environ.get("SQBENCH_SHARED", Path(__file__).resolve().parents[2] / "shared"))


def clip(seconds: float, sample_rate: int) -> Tensor:
    """Speech ``[1, T]`` from LibriSpeech below ``SQBENCH_SHARED``, or a synthetic one."""
    length = round(seconds * sample_rate)
    parts: list[Tensor] = []
    for path in sorted((SHARED / "data/eval/LibriSpeech").rglob("*.flac")):
        from sqbench import audio

        parts.append(torch.from_numpy(audio.first_channel(audio.read(path)[0])).float())
        if sum(map(len, parts)) >= length:
            break
    if parts:
        speech = torch.cat(parts)
        return speech.repeat(-(-length // len(speech)))[None, :length].contiguous()
    t = torch.arange(length) / sample_rate
    level = 0.5 + 0.5 * torch.sin(2 * torch.pi * 3 * t)
    noise = torch.randn(length, generator=torch.Generator().manual_seed(0))
    return (level * (0.3 * torch.sin(2 * torch.pi * 180 * t) + 0.03 * noise))[None]


def published(name: str, folder: Path) -> Any:
    """`sq_codec`'s network, with the five files of ``folder/{name}.v0`` if they are there."""
    import sq_codec
    from sq_codec.en_codec import EnCodec

    config = sq_codec.SQCodecConfig(config_file=sq_codec.CONFIG_DIR / f"{name}.toml")
    torch.manual_seed(0)
    network = EnCodec(config.network_config).eval()
    target = folder / f"{name}.v0"
    for part, module in network.trainable_modules.items():
        path = target / f"{part}.pt"
        if path.exists():
            module.load_state_dict(torch.load(path, weights_only=True))
    return network


def save_random_weights(name: str, folder: Path, audio: Tensor) -> None:
    """Random weights that use many codes, in the published layout."""
    network = published(name, folder)
    target = folder / f"{name}.v0"
    target.mkdir(parents=True)
    with torch.no_grad():
        padded, _ = network.preprocess(audio[:, : 10 * 16_000])
        project = network.quantizer.project_in
        values = project(network.en_encoder(network.encoder(padded[:, None])))
        spread, mean = torch.std_mean(values, dim=(0, 1))
        project.bias.copy_((project.bias - mean) / spread)
        project.weight.div_(spread[:, None])
    for part, module in network.trainable_modules.items():
        torch.save(module.state_dict(), target / f"{part}.pt")


@torch.no_grad()
def published_encode(network: Any, audio: Tensor) -> Tensor:
    padded, _ = network.preprocess(audio)
    _, codes, _ = network.quantizer(network.en_encoder(network.encoder(padded[:, None])))
    return torch.as_tensor(codes)


@torch.no_grad()
def published_decode(network: Any, codes: Tensor) -> Tensor:
    features = network.quantizer.to_features(codes.int())
    return torch.as_tensor(network.decoder(network.en_decoder(features))[:, 0])


def compare(name: str, folder: Path, audio: Tensor, rounds: int) -> dict[str, Any]:
    """Paired times, and differences."""
    codec, network = SQCodec.from_pretrained(name, folder), published(name, folder)
    runs = {who: runner(who, name, folder) for who in ("sq_codec", "ours")}
    times: dict[str, list[float]] = {who: [] for who in runs}
    for call in runs.values():
        call(audio)
    for _ in range(rounds):
        for who, call in runs.items():
            start = time.perf_counter()
            call(audio)
            times[who].append(time.perf_counter() - start)
    codes = published_encode(network, audio).long()
    difference = (codec.decode(codes) - published_decode(network, codes)).abs().max()
    ratios = [a / b for a, b in zip(times["sq_codec"], times["ours"], strict=True)]
    return {
        "seconds": {who: statistics.median(values) for who, values in times.items()},
        "ratio": (statistics.median(ratios), min(ratios), max(ratios)),
        "difference": float(difference),
        "codes": codes.numel(),
        "distinct": len(torch.unique(codes)),
        "differing": int((codec.encode(audio) != codes).sum()),
    }


def peak(arguments: argparse.Namespace, who: str, folder: Path, seconds: float) -> dict[str, float]:
    """Peak memory and time of ``who`` in a process of its own."""
    command = [
        sys.executable, __file__, "--child", who, "--config", arguments.config, "--folder",
        str(folder), "--seconds", str(seconds), "--threads", str(arguments.threads),
    ]  # fmt: skip
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: dict[str, float] = json.loads(output.splitlines()[-1])
    return found


def runner(who: str, name: str, folder: Path) -> Callable[[Tensor], Tensor]:
    """Encoding and decoding, as a function of audio."""
    if who == "ours":
        codec = SQCodec.from_pretrained(name, folder)
        return lambda audio: codec.decode(codec.encode(audio))
    network = published(name, folder)
    return lambda audio: published_decode(network, published_encode(network, audio))


def peak_mib() -> float:
    """Peak memory of this process. (`getrusage` counts what it was forked from as well.)"""
    status = Path("/proc/self/status").read_text("ascii").splitlines()
    line = next(line for line in status if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def child(arguments: argparse.Namespace) -> None:
    """Encode and decode once; print peak memory in MiB before and after, and the time."""
    run = runner(arguments.child, arguments.config, arguments.folder)
    audio = clip(arguments.seconds, 24_000 if "24khz" in arguments.config else 16_000)
    before = peak_mib()
    start = time.perf_counter()
    run(audio)
    spent = time.perf_counter() - start
    after = peak_mib()
    print(json.dumps({"before": before, "peak": after, "seconds": spent}))


@torch.no_grad()
def segments(name: str, folder: Path, seconds: float) -> dict[str, float]:
    """A clip in segments against the same clip as one."""
    codec = SQCodec.from_pretrained(name, folder)
    audio = clip(seconds, codec.sample_rate)
    padded = codec.model.pad(audio)
    parts = Engine(codec.model, keep_bytes=0)
    whole = Engine(codec.model, whole_samples=padded.shape[1], keep_bytes=1 << 40)
    codes = whole.encode(padded)
    return {
        "codes": float((parts.encode(padded) != codes).sum()),
        "audio": float((parts.decode(codes) - whole.decode(codes)).abs().max()),
    }


def report(arguments: argparse.Namespace, folder: Path) -> None:
    name, seconds = arguments.config, arguments.seconds
    audio = clip(seconds, 24_000 if "24khz" in name else 16_000)
    save_random_weights(name, folder, audio)
    found = compare(name, folder, audio, arguments.rounds)
    memory = {who: peak(arguments, who, folder, seconds) for who in ("sq_codec", "ours")}
    middle, low, high = found["ratio"]
    print(f"Encode + decode of {seconds:g} s with {name}, median of {arguments.rounds}:\n")
    print("| | time (s) | x real time | peak RSS (MiB) |\n|---|---|---|---|")
    for who, spent in found["seconds"].items():
        print(f"| {who} | {spent:.2f} | {seconds / spent:.1f} | {memory[who]['peak']:.0f} |")
    print(f"\nRatio of neighbouring runs: {middle:.2f} ({low:.2f} to {high:.2f}).")
    print(
        f"Audio of the same codes: largest difference {found['difference']:.1e}; "
        f"codes: {found['differing']} of {found['codes']} differ ({found['distinct']} distinct)."
    )
    if arguments.segments:
        gap = segments(name, folder, 300)
        print(
            f"Five minutes in segments against the whole: largest difference {gap['audio']:.1e}, "
            f"{gap['codes']:.0f} codes differ."
        )
    if arguments.hour:
        hour = peak(arguments, "ours", folder, 3600)
        print(
            f"One hour: peak RSS {hour['peak']:.0f} MiB ({hour['before']:.0f} before, audio "
            f"included), {hour['seconds']:.0f} s, {3600 / hour['seconds']:.1f} x real time."
        )
    print(
        f"\n{platform.processor() or platform.machine()}, {os.cpu_count()} CPUs, "
        f"{arguments.threads} threads, torch {version('torch')}, sq_codec {version('sq_codec')}, "
        f"vector-quantize-pytorch {version('vector-quantize-pytorch')}."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Benchmark SQCodec against sq_codec.")
    parser.add_argument("--config", default="6kbps")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--hour", action="store_true", help="peak memory of an hour of audio")
    parser.add_argument("--segments", action="store_true", help="five minutes, both ways")
    parser.add_argument("--child", choices=("ours", "sq_codec"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.child:
        child(arguments)
        return
    with tempfile.TemporaryDirectory() as folder:
        report(arguments, Path(folder))


if __name__ == "__main__":
    main()
