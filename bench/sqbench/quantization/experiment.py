"""Trains one cell with several seeds at once and measures what came out."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from sqbench.quantization import bounds, gradients, measures
from sqbench.quantization.cell import LEVELS, Cell
from sqbench.quantization.draws import Draws
from sqbench.quantization.estimators import ESTIMATORS, estimate
from sqbench.quantization.networks import Frames
from sqbench.quantization.quantizer import Quantized
from sqbench.quantization.sources import Alphabet

HIDDEN = 48
BATCH = 128
LEARNING_RATE = 3e-3
PROBE_EVERY = 100
"""Steps between looks at the latents; also the span over which churn is counted."""
_RESTART_EVERY = 50
_RESTART_SHARE = 0.7
_PROBE_FRAMES = 512
_FRAMES = 1 << 14
_FRAMES_PER_CODE = 32
_GRADIENTS = 16
_EARLY = 50
"""Step of the early look at gradients."""

UNBOUNDED = "unbounded: there is a code for every point"
NOISE = "halves of the smoothed gradient do not agree"
NO_REFERENCE = "no reference quantizer of this kind and rate"


@dataclass(frozen=True, kw_only=True)
class Trial:
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


class Trainer:
    """Encoder, quantizer and decoder of one cell, trained by Adam on the mean squared error."""

    def __init__(self, cell: Cell, seeds: Sequence[int]) -> None:
        self.cell, self.seeds = cell, seeds
        self.source = cell.make_source(Draws(seeds, "source"))
        weights = Draws(seeds, "networks")
        self.encoder = Frames(weights, cell.features, cell.latent, HIDDEN)
        self.decoder = Frames(weights, cell.latent, cell.features, HIDDEN)
        self.quantizer = cell.make_quantizer(len(seeds), weights)
        self.data = Draws(seeds, "training")
        self.noise = Draws(seeds, "estimator")
        self.codebook = Draws(seeds, "codebook")
        start, _ = self.source.training(self.codebook, max(_FRAMES // 8, 2 * BATCH))
        with torch.no_grad():
            self.quantizer.initialise(self.encoder(start), self.codebook)
        modules = (self.encoder, self.decoder, self.quantizer)
        self.parameters = [p for m in modules for p in m.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(self.parameters, lr=LEARNING_RATE, foreach=True)
        self.progress = 0.0

    def step(self, number: int) -> Tensor:
        """Step ``number``, from 0; returns the loss of each seed ``[S]``."""
        self.progress = number / max(1, self.cell.steps - 1)
        x, y = self.source.training(self.data, BATCH)
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(x, y)
        loss.sum().backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.quantizer.after_step()
        done = number + 1
        if done % _RESTART_EVERY == 0 and done <= _RESTART_SHARE * self.cell.steps:
            self.quantizer.restart(self.codebook)
        return loss.detach()

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        """Training loss of each seed ``[S]``."""
        coded = self.trained_pass(self.encoder(x))
        error: Tensor = self.decoder(coded.value) - y
        return error.square().mean((1, 2)) + coded.loss

    def trained_pass(self, z: Tensor) -> Quantized:
        """The quantizer with the estimator in it, on encoder outputs."""
        cell = self.cell
        function = estimate(cell.estimator, self.noise, cell.annealing, self.progress)
        found: Quantized = self.quantizer(z, function, self._dither(z))
        return found

    def hard_pass(self, z: Tensor, dithered: bool = True) -> Quantized:
        """The quantizer as it is used, on encoder outputs; without its dither for probes."""
        found: Quantized = self.quantizer(z, None, self._dither(z) if dithered else None)
        return found

    def _dither(self, z: Tensor) -> Tensor | None:
        if not ESTIMATORS[self.cell.estimator].dithered:
            return None
        return self.noise.uniform(*z.shape[1:]) - 0.5


def train(cell: Cell, seeds: Sequence[int]) -> list[Trial]:
    """Train and measure a cell; a seed that leaves the finite numbers costs only itself."""
    started = time.process_time()
    trainer = Trainer(cell, seeds)
    probe, _ = trainer.source.evaluation(Draws(seeds, "diagnostics"), _PROBE_FRAMES)
    probe = probe[:, :_PROBE_FRAMES]
    deviations: dict[int, Tensor] = {}
    lost: dict[int, int] = {}
    before = after = torch.zeros(len(seeds), _PROBE_FRAMES, dtype=torch.int64)
    early: dict[str, Tensor] = {}
    for number in range(cell.steps):
        if number == _EARLY:
            early = {f"{name}_early": value for name, value in _cosines(trainer).items()}
        if number % PROBE_EVERY == 0:
            before, (after, deviations[number]) = after, _probe(trainer, probe)
        loss = trainer.step(number)
        if (number + 1) % _RESTART_EVERY == 0 or number + 1 == cell.steps:
            for row in torch.nonzero(~torch.isfinite(loss))[:, 0].tolist():
                lost.setdefault(row, number + 1)
    before, (after, deviations[cell.steps]) = after, _probe(trainer, probe)
    columns: dict[str, Tensor] = {
        f"latent_std@{number}": value for number, value in deviations.items()
    }
    columns["growth"] = deviations[cell.steps] / deviations[0]
    columns["churn"] = measures.churn(before, after)
    columns |= _quality(trainer)
    columns["gradient_variance"] = _gradient_variance(trainer)
    columns |= early | {f"{name}_end": value for name, value in _cosines(trainer).items()}
    limits = [_limits(cell, trainer, row) for row in range(len(seeds))]
    seconds = (time.process_time() - started) / len(seeds)
    return [
        _trial(seed, row, columns, limits[row], lost.get(row), seconds)
        for row, seed in enumerate(seeds)
    ]


@torch.no_grad()
def _probe(trainer: Trainer, x: Tensor) -> tuple[Tensor, Tensor]:
    z = trainer.encoder(x)
    return trainer.hard_pass(z, dithered=False).index, measures.deviation(z)


@torch.no_grad()
def _quality(trainer: Trainer) -> dict[str, Tensor]:
    size = trainer.quantizer.size
    x, y = trainer.source.evaluation(
        Draws(trainer.seeds, "evaluation"), max(_FRAMES, _FRAMES_PER_CODE * size)
    )
    hard_out, soft_out, index = [], [], []
    relative = []
    trainer.progress = 1.0
    for part in torch.split(x, _FRAMES, dim=1):  # bounds the distances to all codes
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
        x, y = trainer.source.training(trainer.data, BATCH)
        gradients = torch.autograd.grad(trainer.loss(x, y).sum(), weights)
        found.append(torch.cat([g.flatten(1) for g in gradients], dim=1))
    return measures.gradient_variance(found)


def _cosines(trainer: Trainer) -> dict[str, Tensor]:
    """`gradients.cosines`, with noise of its own: looking must not change the training."""
    noise, trainer.noise = trainer.noise, Draws(trainer.seeds, "diagnostics")
    try:
        return gradients.cosines(
            trainer.source,
            trainer.encoder,
            trainer.decoder,
            trainer.trained_pass,
            lambda z: trainer.hard_pass(z, dithered=False),
            trainer.seeds,
        )
    finally:
        trainer.noise = noise


def _limits(cell: Cell, trainer: Trainer, row: int) -> dict[str, float]:
    """``bound_db``, which nothing exceeds, and ``reference_db``, of a known good quantizer."""
    rate = cell.rate_bits / cell.features
    if isinstance(trainer.source, Alphabet):
        if cell.rate_bits >= cell.source_bits:
            return {"bound_db": math.inf, "reference_db": math.inf}
        points = trainer.source.points[row]
        best = bounds.alphabet_db(points, trainer.quantizer.size, trainer.seeds[row])
        return {"bound_db": best, "reference_db": best}
    scalar = cell.quantizer in LEVELS and cell.stages == 1
    if cell.source == "uniform":
        reference = bounds.DB_PER_BIT * rate if scalar else math.nan
        return {"bound_db": bounds.shannon_uniform_db(rate), "reference_db": reference}
    reference = math.nan
    if scalar:
        reference = bounds.lloyd_max(cell.levels).snr_db
    elif cell.quantizer in ("vq", "vq-ema", "simvq"):
        reference = bounds.vector_gaussian_db(cell.features, trainer.quantizer.size)
    return {"bound_db": bounds.shannon_gaussian_db(rate), "reference_db": reference}


def _trial(
    seed: int,
    row: int,
    columns: dict[str, Tensor],
    limits: dict[str, float],
    lost: int | None,
    cpu_s: float,
) -> Trial:
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
        elif name in ("bound_db", "reference_db", "gap_db"):
            reasons[name] = NO_REFERENCE if math.isnan(value) else UNBOUNDED
        else:
            reasons[name] = f"is {value}"
    return Trial(seed=seed, values=values, reasons=reasons, cpu_s=cpu_s)
