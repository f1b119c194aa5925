"""Trains cells with several seeds at once and measures what came out."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from sqbench.quantization import bounds, gradients, measures
from sqbench.quantization.cell import LEVELS, Cell
from sqbench.quantization.sources import Alphabet, SimulatedSource
from sqbench.quantization.trainer import Trainer

PROBE_EVERY = 100
"""Steps between looks at the latents; also the span over which churn is counted."""
_LOOK_EVERY = 50
"""Steps between looks whether a loss is finite."""
_PROBE_FRAMES = 512
_FRAMES = 1 << 14
_FRAMES_AT_ONCE = 1 << 11
"""Bounds the distances to all codes."""
_FRAMES_PER_CODE = 32
_GRADIENTS = 16
_PRESSURE_FRAMES = 1024
_LATE = 0.6
"""Share of the training after which the scale pressure is looked at with every probe."""
_EARLY = 50
"""Step of the early look at gradients."""

UNBOUNDED = "unbounded: there is a code for every point"
SHORT = f"needs {2 * PROBE_EVERY} steps"
NOISE = "halves of the smoothed gradient do not agree"
NO_REFERENCE = "no reference quantizer of this kind and rate"


@dataclass(frozen=True, kw_only=True)
class QuantizationTrial:
    """One seed of a cell.

    Attributes:
        values: by metric; ``None`` where there is none.
        reasons: why there is none, by metric.
        cpu_s: seconds of processor time, the cell's divided by its seeds.
    """

    seed: int
    values: dict[str, float | None]
    reasons: dict[str, str] = field(default_factory=dict)
    cpu_s: float = 0.0


def train(cell: Cell, seeds: Sequence[int]) -> list[QuantizationTrial]:
    """Train and measure a cell; a seed that leaves the finite numbers costs only itself."""
    return train_together([cell], seeds)[0]


def train_together(cells: Sequence[Cell], seeds: Sequence[int]) -> list[list[QuantizationTrial]]:
    """`train`, of cells of one `build.shape`: as each alone up to rounding, in less time."""
    started = time.process_time()
    trainer = Trainer(cells, seeds)
    steps, count = trainer.steps, len(cells) * len(seeds)
    probe, _ = trainer.source.evaluation(trainer.draws("diagnostics"), _PROBE_FRAMES)
    probe = probe[:, :_PROBE_FRAMES]
    deviations: dict[int, Tensor] = {}
    lost: dict[int, int] = {}
    before = after = torch.zeros(count, _PROBE_FRAMES, dtype=torch.int64)
    early: dict[str, Tensor] = {}
    pressures: list[Tensor] = []
    for number in range(steps):
        if number == _EARLY:
            early = {f"{name}_early": value for name, value in _cosines(trainer).items()}
        if number % PROBE_EVERY == 0:
            before, (after, deviations[number]) = after, _probe(trainer, probe)
            if number >= steps * _LATE:
                pressures.append(_scale_pressure(trainer))
        loss = trainer.step(number)
        if (number + 1) % _LOOK_EVERY == 0 or number + 1 == steps:
            for row in torch.nonzero(~torch.isfinite(loss))[:, 0].tolist():
                lost.setdefault(row, number + 1)
    before, (after, deviations[steps]) = after, _probe(trainer, probe)
    columns: dict[str, Tensor] = {
        f"latent_std@{number}": value for number, value in deviations.items()
    }
    columns["growth"] = deviations[steps] / deviations[0]
    half = steps // 2 // PROBE_EVERY * PROBE_EVERY
    columns["growth_exponent"] = (
        torch.log(deviations[steps] / deviations[half]) / math.log(steps / half)
        if half
        else torch.full((count,), math.nan)
    )
    columns["churn"] = measures.churn(before, after)
    columns |= _quality(trainer)
    columns["gradient_variance"] = _gradient_variance(trainer)
    pressures.append(_scale_pressure(trainer))
    columns["scale_pressure"] = torch.stack(pressures).median(0).values
    columns |= early | {f"{name}_end": value for name, value in _cosines(trainer).items()}
    limits = [
        _limits(cell, part, row, seed, trainer.quantizer.size)
        for cell, part in zip(cells, trainer.source.parts, strict=True)
        for row, seed in enumerate(seeds)
    ]
    seconds = (time.process_time() - started) / count
    trials = [
        _trial(seeds[row % len(seeds)], row, columns, limits[row], lost.get(row), seconds)
        for row in range(count)
    ]
    return [trials[rows] for rows in trainer.rows]


@torch.no_grad()
def _probe(trainer: Trainer, x: Tensor) -> tuple[Tensor, Tensor]:
    z = trainer.encoder(x)
    return trainer.hard_pass(z, dithered=False).index, measures.deviation(z)


def hard_snr_db(trainer: Trainer) -> Tensor:
    """SNR of a trainer's networks with the hard quantizer on fresh data ``[S]``, dB."""
    return _quality(trainer)["snr_db"]


@torch.no_grad()
def _quality(trainer: Trainer) -> dict[str, Tensor]:
    size = trainer.quantizer.size
    x, y = trainer.source.evaluation(
        trainer.draws("evaluation"), max(_FRAMES, _FRAMES_PER_CODE * size)
    )
    hard_out, soft_out, index = [], [], []
    relative = []
    trainer.progress = 1.0
    for part in torch.split(x, _FRAMES_AT_ONCE, dim=1):
        z = trainer.encoder(part)
        hard, trained = trainer.hard_pass(z), trainer.trained_pass(z)
        hard_out.append(trainer.decoder(hard.value))
        soft_out.append(trainer.decoder(trained.value))
        index.append(hard.index)
        relative.append(measures.relative_noise(hard.z, hard.q))
    used = measures.usage(torch.cat(index, 1), size)
    return {
        "snr_db": measures.snr_db(torch.cat(hard_out, 1), y),
        "train_snr_db": measures.snr_db(torch.cat(soft_out, 1), y),
        "usage": used.fraction,
        "entropy_bits": used.entropy_bits,
        "efficiency": used.efficiency,
        "relative_noise": torch.stack(relative).mean(0),
    }


def _gradient_variance(trainer: Trainer) -> Tensor:
    """Of the encoder's parameters at the end of training, over minibatches."""
    weights = list(trainer.encoder.parameters())
    found = []
    for _ in range(_GRADIENTS):
        x, y = trainer.source.training(trainer.data, trainer.setup.batch)
        gradients = torch.autograd.grad(trainer.loss(x, y).sum(), weights)
        found.append(torch.cat([g.flatten(1) for g in gradients], dim=1))
    return measures.gradient_variance(found)


def _scale_pressure(trainer: Trainer) -> Tensor:
    """How much a step along the training gradient would enlarge the latents.

    The derivative of the training loss with respect to the logarithm of the latents' scale about
    their mean, negated, over the error: positive where training enlarges them. At a decoder that
    has found the scale of its input, scaling the *quantized* values gains nothing, so mSTE's is 0;
    straight-through it is what the quantization error costs, to first order, and never negative.
    Noise comes from generators of its own: looking must not change the training.
    """
    noise, trainer.noise = trainer.noise, trainer.draws("diagnostics")
    x, y = trainer.source.training(trainer.draws("diagnostics"), _PRESSURE_FRAMES)
    z = trainer.encoder(x).detach().requires_grad_()
    coded = trainer.trained_pass(z)
    trainer.noise = noise
    miss: Tensor = trainer.decoder(coded.value) - y
    error = miss.square().mean((1, 2))
    (gradient,) = torch.autograd.grad((error + coded.loss).sum(), z)
    centred = z.detach() - z.detach().mean(1, keepdim=True)
    push: Tensor = -(centred * gradient).sum((1, 2)) / error.detach()
    return push.double()


def _cosines(trainer: Trainer) -> dict[str, Tensor]:
    """`gradients.cosines`, with noise of its own: looking must not change the training."""
    noise, trainer.noise = trainer.noise, trainer.draws("diagnostics")
    try:
        return gradients.cosines(
            trainer.source,
            trainer.encoder,
            trainer.decoder,
            trainer.trained_pass,
            lambda z: trainer.hard_pass(z, dithered=False),
            trainer.draws("diagnostics"),
        )
    finally:
        trainer.noise = noise


def _limits(
    cell: Cell, source: SimulatedSource, row: int, seed: int, size: int
) -> dict[str, float]:
    """``bound_db``, which nothing exceeds, and ``reference_db``, of a known good quantizer."""
    rate = cell.rate_bits / cell.features
    if isinstance(source, Alphabet):
        if cell.rate_bits >= cell.source_bits:
            return {"bound_db": math.inf, "reference_db": math.inf}
        best = bounds.alphabet_db(source.points[row], size, seed)
        return {"bound_db": best, "reference_db": best}
    scalar = cell.quantizer in LEVELS and cell.stages == 1
    bound, reference = bounds.shannon_db(cell.source, cell.features, rate), math.nan
    if scalar and cell.source == "uniform":
        reference = bounds.DB_PER_BIT * rate
    elif scalar and cell.source == "gaussian":
        reference = bounds.lloyd_max(cell.levels).snr_db
    elif cell.quantizer in ("vq", "vq-ema", "simvq"):
        reference = bounds.vector_db(cell.source, cell.features, size)
    return {"bound_db": bound, "reference_db": reference}


def _trial(
    seed: int,
    row: int,
    columns: dict[str, Tensor],
    limits: dict[str, float],
    lost: int | None,
    cpu_s: float,
) -> QuantizationTrial:
    found = {name: float(column[row]) for name, column in columns.items()}
    found |= limits
    found["gap_db"] = limits["bound_db"] - found["snr_db"]
    found["train_test_gap_db"] = found["train_snr_db"] - found["snr_db"]
    values: dict[str, float | None] = {}
    reasons = {}
    for name, value in found.items():
        values[name] = value if math.isfinite(value) else None
        if values[name] is not None:
            continue
        if lost is not None:
            reasons[name] = f"training left the finite numbers by step {lost}"
        elif name.startswith("gradient_cosine"):
            reasons[name] = NOISE
        elif name == "growth_exponent":
            reasons[name] = SHORT
        elif name in ("bound_db", "reference_db", "gap_db"):
            reasons[name] = NO_REFERENCE if math.isnan(value) else UNBOUNDED
        else:
            reasons[name] = f"is {value}"
    return QuantizationTrial(seed=seed, values=values, reasons=reasons, cpu_s=cpu_s)
