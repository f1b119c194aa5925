"""Our training step against a plain loop over the published network.

* Audio-seconds trained per second: forward, the same losses (L1 and multi-scale spectra), backward,
  clip, AdamW; the same weights, batch, optimiser and threads, in one process, taking turns, after
  a step each to warm up: medians, and the median and range of the ratios of neighbouring steps.
* Ours again under bfloat16 autocast, where quantizer and losses stay in float32.
* Of the first step, on the same weights: relative difference of loss and of gradient (Euclidean
  norm over all parameters) from the published network's, and how many codes differ: one that
  rounding pushed over a boundary moves all that is decoded around it.
* CPU seconds beside those of the clock: on a machine that does other work they are the steadier.
* Peak memory of each, alone in a process that takes two steps.

Both quantizers round with a straight-through gradient: published training draws noise there.

Run: ``python benchmarks/train.py [--config 6kbps] [--batch 4] [--seconds 0.84] [--steps 7]
[--threads 2] [--device cpu]``.
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
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from network import clip, peak_mib, published, save_random_weights
from torch import Tensor, nn

from sqcodec.config import SQCodecConfig, load_config
from sqcodec.official import PARTS, load_official
from sqcodec.train.distributed import World
from sqcodec.train.losses.stft import MultiScaleSTFT
from sqcodec.train.networks import codec_learner
from sqcodec.train.objective import Objective
from sqcodec.train.recipes.recipe import Recipe, load_recipe
from sqcodec.train.step import Stepper
from sqcodec.train.usage import CodeUsage

SIDES = ("sq_codec", "ours", "ours, bf16")
STEPS_ALONE = 2


@dataclass(frozen=True, kw_only=True)
class Side:
    """A network in training.

    Attributes:
        step: takes an optimiser step on ``[B, T]`` and returns the loss.
        codes: of ``[B, T]``.
        named: parameters under the published names.
    """

    step: Callable[[Tensor], float]
    codes: Callable[[Tensor], Tensor]
    named: dict[str, nn.Parameter]


def recipe_for(arguments: argparse.Namespace, who: str) -> Recipe:
    """The published recipe without its adversary, perceptual loss and quantizer noise."""
    name = load_config(arguments.config).name
    precision = "bf16" if who.endswith("bf16") else "float32"
    return load_recipe(["published", "ste", "no-perceptual"], name).override(
        [f"batch_size={arguments.batch}", "accumulate=1", "adversary.enabled=false",
         f"seconds={arguments.seconds}", f"precision={precision}",
         # Below the published floor, rounding decides on the gradient of nearly silent bins.
         "losses.stft_floor=1e-4"]
    )  # fmt: skip


def ours(config: SQCodecConfig, recipe: Recipe, folder: Path, device: torch.device) -> Side:
    """Our trainer's step."""
    learner = codec_learner(config, recipe, device, World(), compiled=False)
    files = {part: folder / f"{config.name}.v0" / f"{part}.pt" for part in PARTS}
    learner.module.load_state_dict(load_official(files, config).state_dict())
    stepper = Stepper(
        config, recipe, learner, None,
        Objective(recipe.losses, None, World(), sample_rate=config.sample_rate).to(device),
        CodeUsage(config.codebook_size, device), World(), device,
    )  # fmt: skip
    return Side(
        step=lambda audio: stepper.step(0, [audio]).values["loss"],
        codes=lambda audio: learner.wrapped(audio)[1].flatten(),
        named=dict(learner.module.named_parameters()),
    )


def plain(config: SQCodecConfig, recipe: Recipe, folder: Path, device: torch.device) -> Side:
    """What one writes around the published network."""
    network = published(config.name, folder).to(device).train()
    network.quantizer.eval()  # straight-through
    named = {
        f"{part}.{key}": value
        for part, module in network.trainable_modules.items()
        for key, value in module.named_parameters()
    }
    factors, settings = recipe.losses, recipe.optimizer
    spectra = MultiScaleSTFT(eps=factors.stft_floor).to(device)
    optimizer = torch.optim.AdamW(
        named.values(), lr=settings.lr, betas=settings.betas, eps=settings.eps,
        weight_decay=settings.weight_decay,
    )  # fmt: skip

    def step(audio: Tensor) -> float:
        optimizer.zero_grad()
        estimate = network(audio)["generated_audio"]
        l1 = (estimate - audio).abs().mean()
        loss = factors.l1 * l1 + factors.stft * spectra(estimate, audio)
        loss.backward()
        nn.utils.clip_grad_norm_(named.values(), settings.clip_norm)
        optimizer.step()
        return float(loss.detach())

    return Side(
        step=step,
        codes=lambda audio: network(audio)["embedded_indices"].long().flatten(),
        named=named,
    )


def make(who: str, arguments: argparse.Namespace, folder: Path) -> Side:
    build = plain if who == "sq_codec" else ours
    config, device = load_config(arguments.config), torch.device(arguments.device)
    return build(config, recipe_for(arguments, who), folder, device)


def batch(arguments: argparse.Namespace) -> Tensor:
    """Speech ``[B, T]``."""
    config = load_config(arguments.config)
    length = recipe_for(arguments, "ours").crop_length(config)
    seconds = arguments.batch * length / config.sample_rate
    audio = clip(seconds, config.sample_rate).view(arguments.batch, length)
    return audio.to(arguments.device)


def deviation(side: Side, loss: float, against: Side, expected: float) -> tuple[float, float]:
    """Relative differences of loss and gradient; clipping scales all of a gradient alike."""
    difference = total = torch.zeros((), dtype=torch.float64, device="cpu")
    for name, parameter in against.named.items():
        if parameter.grad is None:  # the published file's empty placeholder
            continue
        grad, mine = parameter.grad.double().cpu(), side.named[name].grad
        assert mine is not None, name
        difference = difference + (mine.double().cpu() - grad).square().sum()
        total = total + grad.square().sum()
    return abs(loss - expected) / abs(expected), float((difference / total).sqrt())


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step: seconds by the clock, seconds of all CPUs together, loss."""

    clock: float
    cpu: float
    loss: float


def timed(side: Side, audio: Tensor) -> Step:
    """Take a step."""
    start, cpu = time.perf_counter(), time.process_time()
    loss = side.step(audio)
    if audio.is_cuda:
        torch.cuda.synchronize()
    return Step(clock=time.perf_counter() - start, cpu=time.process_time() - cpu, loss=loss)


def compare(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Times of all, taking turns, and deviations of the first step."""
    audio = batch(arguments)
    sides = {who: make(who, arguments, folder) for who in SIDES}
    with torch.no_grad():
        codes = {who: side.codes(audio) for who, side in sides.items()}
    losses = {who: timed(side, audio).loss for who, side in sides.items()}
    reference = sides["sq_codec"]
    deviations = {
        who: deviation(side, losses[who], reference, losses["sq_codec"])
        for who, side in sides.items()
    }
    times: dict[str, list[Step]] = {who: [] for who in SIDES}
    for _ in range(arguments.steps):
        for who, side in sides.items():
            times[who].append(timed(side, audio))
    differing = {who: int((found != codes["sq_codec"]).sum()) for who, found in codes.items()}
    return {
        "times": times,
        "deviations": deviations,
        "differing": differing,
        "codes": codes["ours"].numel(),
    }


def child(arguments: argparse.Namespace) -> None:
    """Take two steps; print peak memory in MiB before and after."""
    side, audio = make(arguments.child, arguments, arguments.folder), batch(arguments)
    on_gpu = audio.is_cuda
    before = torch.cuda.memory_allocated() / 2**20 if on_gpu else peak_mib()
    for _ in range(STEPS_ALONE):
        timed(side, audio)
    after = torch.cuda.max_memory_allocated() / 2**20 if on_gpu else peak_mib()
    print(json.dumps({"before": before, "peak": after}))


def peak(arguments: argparse.Namespace, who: str, folder: Path) -> dict[str, float]:
    """Peak memory of ``who`` in a process of its own."""
    command = [
        sys.executable, __file__, "--child", who, "--folder", str(folder),
        *(f"--{key}={getattr(arguments, key)}"
          for key in ("config", "batch", "seconds", "threads", "device")),
    ]  # fmt: skip
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: dict[str, float] = json.loads(output.splitlines()[-1])
    return found


def ratio(base: list[Step], steps: list[Step], key: str) -> str:
    """Median and range of how many times as long neighbouring steps of the published take."""
    ratios = [getattr(a, key) / getattr(b, key) for a, b in zip(base, steps, strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def report(arguments: argparse.Namespace, folder: Path) -> None:
    config = load_config(arguments.config)
    save_random_weights(config.name, folder, clip(4.0, config.sample_rate))
    found = compare(arguments, folder)
    memory = {who: peak(arguments, who, folder) for who in SIDES}
    length = recipe_for(arguments, "ours").crop_length(config)
    audio_s = arguments.batch * length / config.sample_rate
    base = found["times"]["sq_codec"]
    print(
        f"A training step of {config.name} on {arguments.batch} x {length / config.sample_rate:.2f}"
        f" s of audio, median of {arguments.steps}:\n"
    )
    print(
        "| | step (s) | audio-s per s | ratio | step (CPU s) | ratio | peak memory (MiB) "
        f"| loss | gradient | codes of {found['codes']} |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for who, steps in found["times"].items():
        loss, gradient = found["deviations"][who]
        clock, cpu = (statistics.median(getattr(s, key) for s in steps) for key in ("clock", "cpu"))
        cells = [
            f"{clock:.3f}", f"{audio_s / clock:.2f}", ratio(base, steps, "clock"), f"{cpu:.3f}",
            ratio(base, steps, "cpu"), f"{memory[who]['peak']:.0f}", f"{loss:.1e}",
            f"{gradient:.1e}", str(found["differing"][who]),
        ]  # fmt: skip
        print(f"| {who} | {' | '.join(cells)} |")
    kind = "allocated on the GPU" if arguments.device != "cpu" else "resident"
    print(
        f"\nRatio: of neighbouring steps. Memory: {kind}, alone, two steps. Loss, gradient: "
        "relative difference from the published network's on the same weights; codes: how many "
        "differ."
    )
    where = (
        torch.cuda.get_device_name()
        if arguments.device != "cpu"
        else f"{platform.processor() or platform.machine()}, {os.cpu_count()} CPUs, "
        f"{arguments.threads} threads"
    )
    print(
        f"{where}, torch {version('torch')}, sq_codec {version('sq_codec')}, "
        f"vector-quantize-pytorch {version('vector-quantize-pytorch')}."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Benchmark training SQCodec against sq_codec.")
    parser.add_argument("--config", default="6kbps")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=0.84, help="of a crop, in whole windows")
    parser.add_argument("--steps", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--child", choices=SIDES, help=argparse.SUPPRESS)
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
