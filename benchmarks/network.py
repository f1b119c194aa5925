"""Our SQCodec network against the published package ``sq_codec``: time, memory, and the difference.

Both hold the same random weights and code the same ten seconds, in a process each, in turn, so that
a machine whose speed drifts is fair to both. ``--hour`` adds an hour of audio through ours.

Run: ``python benchmarks/network.py [--config 6kbps] [--rounds 5] [--hour]``.
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

import numpy as np

SECONDS = 10


def peak_mib() -> float:
    """Peak resident memory of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise OSError("/proc/self/status has no VmHWM")


def published(name: str, folder: Path) -> Callable[[Any], tuple[Any, Any]]:
    """The published network with the weights in ``folder``; makes them if there are none."""
    import torch
    from sq_codec import CONFIG_DIR, SQCodecConfig
    from sq_codec.en_codec import EnCodec

    torch.manual_seed(0)
    config = SQCodecConfig(config_file=CONFIG_DIR / f"{name}.toml")
    network = EnCodec(config.network_config).eval()
    folder.mkdir(exist_ok=True)
    for part, module in network.trainable_modules.items():
        path = folder / f"{part}.pt"
        if not path.is_file():
            torch.save(module.state_dict(), path)
        module.load_state_dict(torch.load(path, weights_only=True))

    def run(audio: Any) -> tuple[Any, Any]:
        padded, _ = network.preprocess(audio)
        tokens = network.en_encoder(network.encoder(padded[:, None]))
        _, codes, _ = network.quantizer(tokens)
        features = network.quantizer.to_features(codes)
        return codes.long(), network.decoder(network.en_decoder(features))[:, 0]

    return run


def ours(name: str, folder: Path) -> Callable[[Any], tuple[Any, Any]]:
    """Our codec with the same weights."""
    from sqcodec import SQCodec

    codec = SQCodec.from_pretrained(name, weights=str(folder))

    def run(audio: Any) -> tuple[Any, Any]:
        codes = codec.encode(audio)
        return codes, codec.decode(codes)

    return run


def signal(seconds: float, rate: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Harmonics of a moving pitch, in syllables, over a little noise."""
    t = np.arange(int(seconds * rate)) / rate
    phase = 2 * np.pi * np.cumsum(120 + 40 * np.sin(2 * np.pi * 0.7 * t)) / rate
    voice = sum(np.sin(k * phase) / k for k in range(1, 18))
    envelope = np.clip(np.sin(2 * np.pi * 2.6 * t), 0, 1) ** 0.5
    noise = np.random.default_rng(0).standard_normal(len(t))
    return np.asarray(0.15 * envelope * voice + 0.004 * noise, np.float32)


def worker(options: argparse.Namespace) -> None:
    """Run once for each line on stdin; answer with the time, and with the outputs' file."""
    import torch

    from sqcodec.config import load_config

    if options.threads:
        torch.set_num_threads(options.threads)
    rate = load_config(options.config).sample_rate
    run = {"published": published, "ours": ours}[options.role](options.config, options.weights)
    audio = torch.from_numpy(signal(options.seconds, rate))[None]
    print("ready", flush=True)
    for line in sys.stdin:
        with torch.no_grad():
            wall, cpu = time.perf_counter(), time.process_time()
            codes, decoded = run(audio)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        np.savez(line.strip(), codes=codes.numpy(), decoded=decoded.numpy())
        print(json.dumps({"wall": wall, "cpu": cpu, "peak_mib": peak_mib()}), flush=True)


class Peer:
    """A worker process."""

    def __init__(
        self, role: str, options: argparse.Namespace, folder: Path, seconds: float
    ) -> None:
        self.output = folder / f"{role}.npz"
        command = [sys.executable, __file__, "--role", role, "--config", options.config]
        command += ["--weights", str(folder / "weights"), "--seconds", str(seconds)]
        command += ["--threads", str(options.threads)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._read("ready")

    def run(self) -> dict[str, float]:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{self.output}\n")
        self.process.stdin.flush()
        return dict(json.loads(self._read("{")))

    def _read(self, start: str) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(start):
                return line
        raise RuntimeError(f"the worker ended with status {self.process.wait()}")

    def close(self) -> None:
        self.process.communicate()


def compare(options: argparse.Namespace, folder: Path) -> None:
    """Print the table."""
    peers = {role: Peer(role, options, folder, SECONDS) for role in ("published", "ours")}
    for peer in peers.values():
        peer.run()  # warm-up
    rows: dict[str, list[dict[str, float]]] = {role: [] for role in peers}
    for _ in range(options.rounds):
        for role, peer in peers.items():
            rows[role].append(peer.run())
    outputs = {role: np.load(peer.output) for role, peer in peers.items()}
    for peer in peers.values():
        peer.close()
    codes = int((outputs["ours"]["codes"] != outputs["published"]["codes"]).sum())
    difference = float(np.abs(outputs["ours"]["decoded"] - outputs["published"]["decoded"]).max())
    print("| | wall (s) | CPU (s) | peak (MiB) |\n|---|---:|---:|---:|")
    median = {
        role: {key: statistics.median(row[key] for row in runs) for key in runs[0]}
        for role, runs in rows.items()
    }
    for role, name in (("published", f"sq_codec {version('sq_codec')}"), ("ours", "sqcodec")):
        m = median[role]
        print(f"| {name} | {m['wall']:.2f} | {m['cpu']:.2f} | {m['peak_mib']:.0f} |")
    ratios = {
        key: statistics.median(
            a[key] / b[key] for a, b in zip(rows["published"], rows["ours"], strict=True)
        )
        for key in ("wall", "cpu")
    }
    memory = median["published"]["peak_mib"] / median["ours"]["peak_mib"]
    print(f"| ratio | {ratios['wall']:.2f} | {ratios['cpu']:.2f} | {memory:.2f} |\n")
    print(
        f"{options.config}, encode and decode of {SECONDS} s, median of {options.rounds} pairs; "
        f"{codes} of {outputs['ours']['codes'].size} codes differ, audio by at most "
        f"{difference:.1e}."
    )


def hour(options: argparse.Namespace, folder: Path) -> None:
    """Print time and memory of an hour of audio."""
    peer = Peer("ours", options, folder, 3600.0)
    result = peer.run()
    peer.close()
    print(
        f"\nAn hour of audio with {options.config}: {result['wall']:.0f} s, "
        f"peak {result['peak_mib'] / 1024:.2f} GiB."
    )


def main() -> None:
    """Parse and run."""
    parse = argparse.ArgumentParser(description=__doc__)
    parse.add_argument("--config", default="6kbps")
    parse.add_argument("--rounds", type=int, default=5)
    parse.add_argument("--threads", type=int, default=0, help="of each process; 0: torch's choice")
    parse.add_argument("--hour", action="store_true")
    parse.add_argument("--role", choices=("published", "ours"), help=argparse.SUPPRESS)
    parse.add_argument("--weights", type=Path, help=argparse.SUPPRESS)
    parse.add_argument("--seconds", type=float, default=SECONDS, help=argparse.SUPPRESS)
    options = parse.parse_args()
    if options.role:
        worker(options)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        compare(options, folder)
        if options.hour:
            hour(options, folder)
    print(
        f"\n{os.cpu_count()} cores, Python {platform.python_version()}, torch {version('torch')}, "
        f"vector-quantize-pytorch {version('vector-quantize-pytorch')}."
    )


if __name__ == "__main__":
    main()
