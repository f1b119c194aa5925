"""The whole main job against the peers: SQCodec 6 kbps and four metrics over 40 clips of 10 s.

Ours is one command, ``sqbench run`` (the bundled weights, two workers). The peers do what there was
before: the published package ``sq_codec`` with the same weights codes clip after clip into WAV
files, then the official algorithms (`official_metrics`) run over them, one script after another.
Wall seconds, in turn, medians and the range of the ratios; and the difference of the mean scores,
which holds that the peers' decoded audio passes through 16-bit files and ours does not.

Run: ``python benchmarks/main_job.py [--clips 40] [--rounds 3]``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from metric_pairs import make_pairs

HERE = Path(__file__).resolve()
METRICS = ("sdr", "mel", "stoi", "pesq")


def ours(folder: Path, out: Path) -> dict[str, float]:
    """One command; mean scores."""
    from sqbench.store import reader

    subprocess.run(
        [sys.executable, "-m", "sqbench", "run", "--codec", "sqcodec-6k@bundled", "--data",
         str(folder / "ref"), "--domain", "speech", "--out", str(out), "--quiet"],
        check=True,
    )  # fmt: skip
    scores: dict[str, list[float]] = {metric: [] for metric in METRICS}
    for record in reader.load(out).records:
        if record["kind"] == "score" and record["value"] is not None:
            scores[record["metric"] or ""].append(record["value"])
    return {metric: statistics.fmean(values) for metric, values in scores.items()}


def peers(folder: Path, decoded: Path) -> dict[str, float]:
    """Five processes, one after the other; mean scores."""
    subprocess.run(
        [sys.executable, str(HERE), "--role", "codec", "--folder", str(folder), "--decoded",
         str(decoded)],
        check=True,
    )  # fmt: skip
    means = {}
    for metric in METRICS:
        done = subprocess.run(
            [sys.executable, str(HERE.with_name("official_metrics.py")), metric,
             str(folder / "ref"), str(decoded)],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        means[metric] = statistics.fmean(json.loads(done.stdout.splitlines()[-1]).values())
    return means


def code(folder: Path, decoded: Path) -> None:
    """The published package over all clips."""
    import soundfile
    import torch
    from network import published, published_decode, published_encode

    network = published("6kbps", folder)
    decoded.mkdir(parents=True, exist_ok=True)
    for path in sorted((folder / "ref").glob("*.wav")):
        samples, rate = soundfile.read(path, dtype="float32")
        audio = torch.from_numpy(samples)[None]
        made = published_decode(network, published_encode(network, audio))[0, : len(samples)]
        soundfile.write(decoded / path.name, made.numpy(), rate, subtype="PCM_16")


def prepare(folder: Path, clips: int) -> str:
    """The clips, and the bundled weights in the published layout; says what the audio is."""
    from sqcodec.config import load_config
    from sqcodec.official import export_official
    from sqcodec.weights import load_weights

    name = make_pairs(folder, clips, 10.0)
    model, _ = load_weights(load_config("6kbps").name, "bundled")
    export_official(model, folder)
    assert (folder / "6kbps.v0").is_dir()  # without, the package would have weights of its own
    return name


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__)
    parse.add_argument("--clips", type=int, default=40)
    parse.add_argument("--rounds", type=int, default=3)
    parse.add_argument("--role", choices=("codec",))
    parse.add_argument("--folder", type=Path)
    parse.add_argument("--decoded", type=Path)
    arguments = parse.parse_args()
    if arguments.role:
        code(arguments.folder, arguments.decoded)
        return
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        audio = prepare(folder, arguments.clips)
        times: list[tuple[float, float]] = []
        for number in range(arguments.rounds):
            start = time.monotonic()
            theirs = peers(folder, folder / f"decoded-{number}")
            middle = time.monotonic()
            mine = ours(folder, folder / f"results-{number}")
            times.append((middle - start, time.monotonic() - middle))
        ratios = [a / b for a, b in times]
        print(f"\n{arguments.clips} clips of 10 s of {audio}, {os.cpu_count()} cores\n")
        print("| the whole main job, wall | seconds |\n|---|---:|")
        before, now = (statistics.median(side) for side in zip(*times, strict=True))
        print(f"| `sq_codec`, then the official scripts | {before:.1f} |")
        print(f"| `sqbench run` | {now:.1f} |")
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        print(f"| ratio | {statistics.median(ratios):.2f} ({spread}) |\n")
        for metric in METRICS:
            print(f"{metric}: {mine[metric]:.4f} against {theirs[metric]:.4f}")


if __name__ == "__main__":
    main()
