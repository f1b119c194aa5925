"""What decides how far latents grow under straight-through gradients: one change at a time.

Trains the bench's networks without commitment loss, with STE and with mSTE, on the two cells where
codes are not to spare, and varies initialisation, restarts, scales, optimiser, commitment, length
and number type. Growth is the deviation of the latents after training over that before; the
exponent is the slope of its logarithm over that of the step number in the second half of training;
pressure is the bench's ``scale_pressure``, averaged over the last third (positive: the gradient
enlarges the latents).

Run: ``python benchmarks/quantizer_growth.py --out growth.csv``.
"""

from __future__ import annotations

import argparse
import csv
import math
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor

from sqbench.quantization.cell import Cell
from sqbench.quantization.trainer import Setup, Trainer
from sqbench.quantization.vector import VectorQuantizer

Row: TypeAlias = dict[str, Any]
LOOKS = 30
"""At the latents, evenly over a training."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One change.

    Attributes:
        codebook: what codes start from: ``latents``, ``normal`` (unit variance), ``zero`` (1e-2
            of it).
        scale: of the encoder's last layer; ``torch`` of all weights, as ``nn.Linear`` starts them.
        source: factor on the inputs (not the targets).
        codebook_rate: learning rate of codes over that of the networks.
    """

    name: str
    codebook: str = "latents"
    scale: float = 1.0
    torch_start: bool = False
    source: float = 1.0
    commitment: float = 0.0
    codebook_rate: float = 1.0
    steps: int = 900
    double: bool = False
    setup: Setup = field(default_factory=Setup)


_NO_RESTARTS = Setup(restart_share=0.0)
VARIANTS = (
    Variant(name="as the bench has it"),
    Variant(name="codes start normal", codebook="normal"),
    Variant(name="codes start near zero", codebook="zero"),
    Variant(name="no restarts", setup=_NO_RESTARTS),
    Variant(name="no restarts, codes start normal", codebook="normal", setup=_NO_RESTARTS),
    Variant(name="restarts to the end", setup=Setup(restart_share=1.0)),
    Variant(name="latents start at a tenth", scale=0.1),
    Variant(name="latents start tenfold", scale=10.0),
    Variant(name="weights start as nn.Linear's", torch_start=True),
    Variant(name="source at a tenth", source=0.1),
    Variant(name="source tenfold", source=10.0),
    Variant(name="codes learn at a tenth", codebook_rate=0.1),
    Variant(name="codes learn tenfold", codebook_rate=10.0),
    Variant(name="learning rate 1e-3", setup=Setup(learning_rate=1e-3)),
    Variant(name="learning rate 1e-2", setup=Setup(learning_rate=1e-2)),
    Variant(name="hidden width 64", setup=Setup(hidden=64)),
    Variant(name="batch 512", setup=Setup(batch=512)),
    Variant(name="450 steps", steps=450),
    Variant(name="1500 steps", steps=1500),
    Variant(name="1500 steps, no restarts", steps=1500, setup=_NO_RESTARTS),
    Variant(name="3000 steps", steps=3000),
    Variant(name="commitment 0.01", commitment=0.01),
    Variant(name="commitment 0.25", commitment=0.25),
    Variant(name="float64", double=True),
)
CELLS = (
    Cell(source="alphabet", source_bits=6, quantizer="vq", bits=6, estimator="ste"),
    Cell(source="gaussian", quantizer="vq", bits=4, estimator="ste"),
)
ESTIMATORS = ("ste", "mste")


class _Scaled:
    """A source whose inputs are multiplied."""

    def __init__(self, source: object, factor: float) -> None:
        self.source, self.factor = source, factor

    def __getattr__(self, name: str) -> object:
        return getattr(self.source, name)

    def training(self, *arguments: object) -> tuple[Tensor, Tensor]:
        x, y = self.source.training(*arguments)  # type: ignore[attr-defined]
        return self.factor * x, y


def prepared(variant: Variant, cells: Sequence[Cell], seeds: Sequence[int]) -> Trainer:
    """The trainer of a variant, its changes made and its codebook started again."""
    trainer = Trainer(cells, seeds, variant.setup)
    if variant.source != 1:
        trainer.source = _Scaled(trainer.source, variant.source)  # type: ignore[assignment]
    with torch.no_grad():
        if variant.torch_start:
            for net in (trainer.encoder, trainer.decoder):
                for weight, bias in zip(net.weights, net.biases, strict=True):
                    bound = weight.shape[1] ** -0.5
                    weight.uniform_(-bound, bound)
                    bias.uniform_(-bound, bound)
        trainer.encoder.weights[2].mul_(variant.scale)
        codes = trainer.quantizer
        assert isinstance(codes, VectorQuantizer)
        if variant.codebook == "latents":
            start, _ = trainer.source.training(trainer.codebook, variant.setup.start_frames)
            codes.initialise(trainer.encoder(start), trainer.codebook)
        else:
            factor = 1.0 if variant.codebook == "normal" else 1e-2
            codes.table.copy_(factor * trainer.codebook.normal(codes.size, codes.width))
    rate = variant.setup.learning_rate
    networks = [p for p in trainer.parameters if p is not codes.table]
    groups: list[dict[str, Any]] = [
        {"params": networks}, {"params": [codes.table], "lr": rate * variant.codebook_rate}
    ]  # fmt: skip
    trainer.optimizer = torch.optim.Adam(groups, lr=rate, fused=True)
    return trainer


def measure(variant: Variant, cell: Cell, seeds: Sequence[int]) -> list[Row]:
    """Growth of every seed, with each estimator."""
    cells = [
        replace(cell, estimator=name, commitment=variant.commitment, steps=variant.steps)
        for name in ESTIMATORS
    ]
    torch.manual_seed(0)
    trainer = prepared(variant, cells, seeds)
    curve: list[Tensor] = []
    pressures: list[Tensor] = []
    x, y = trainer.source.training(trainer.draws("diagnostics"), 1024)
    for number in range(variant.steps):
        if number % (variant.steps // LOOKS) == 0:
            z = trainer.encoder(x).detach().requires_grad_()
            curve.append(z.detach().std((1, 2)))
            pressures.append(pressure(trainer, z, y))
        trainer.step(number)
    curve.append(trainer.encoder(x).detach().std((1, 2)))
    growth, half = curve[-1] / curve[0], curve[-1] / curve[len(curve) // 2]
    push = torch.stack(pressures[-LOOKS // 3 :]).median(0).values
    return [
        {
            "variant": variant.name,
            "source": _source(cell),
            "estimator": name,
            "seed": seed,
            "deviation": float(curve[-1][row]),
            "growth": float(growth[row]),
            "exponent": math.log(float(half[row])) / math.log(2),
            "pressure": float(push[row]),
        }
        for number, name in enumerate(ESTIMATORS)
        for row, seed in enumerate(seeds, start=number * len(seeds))
    ]


def pressure(trainer: Trainer, z: Tensor, y: Tensor) -> Tensor:
    """`sqbench.quantization.experiment`'s scale pressure, on these latents, now."""
    coded = trainer.trained_pass(z)
    miss: Tensor = trainer.decoder(coded.value) - y
    error = miss.square().mean((1, 2))
    (gradient,) = torch.autograd.grad((error + coded.loss).sum(), z)
    centred = z.detach() - z.detach().mean(1, keepdim=True)
    push: Tensor = -(centred * gradient).sum((1, 2)) / error.detach()
    return push


def main() -> int:
    """Run what the file lacks, and print a table of it."""
    parse = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parse.add_argument("--seeds", type=int, default=3)
    parse.add_argument("--source", choices=("alphabet", "gaussian"), help="only this one")
    parse.add_argument("--out", type=Path, required=True, help="CSV file, a row a seed")
    options = parse.parse_args()
    torch.set_num_threads(1)
    rows = read(options.out)
    for variant in VARIANTS:
        torch.set_default_dtype(torch.float64 if variant.double else torch.float32)
        for cell in CELLS:
            if options.source in (None, cell.source) and not of(rows, variant, cell):
                found = measure(variant, cell, range(options.seeds))
                append(options.out, found)
                rows += found
                print(variant.name, cell.source, flush=True)
    print("\n".join(table(rows)))
    return 0


def read(path: Path) -> list[Row]:
    """Rows of a CSV file; none where there is no file."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def append(path: Path, rows: Sequence[Row]) -> None:
    """Write rows, with a header where there is no file."""
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerows(rows)


def of(rows: Sequence[Row], variant: Variant, cell: Cell) -> list[Row]:
    """The rows of a variant and cell."""
    names = (variant.name, _source(cell))
    return [row for row in rows if (row["variant"], row["source"]) == names]


def _source(cell: Cell) -> str:
    return f"{cell.source_name}, {cell.bits} bits"


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Markdown: a line a variant, medians over seeds, [lowest, highest]."""
    sources = [_source(cell) for cell in CELLS]
    heads = [f"STE's growth, {source} | exponent | mSTE's deviation" for source in sources]
    yield f"| change | {' | '.join(heads)} |"
    yield "|---|" + "---:|" * 3 * len(sources)
    for variant in VARIANTS:
        texts = [variant.name]
        for cell in CELLS:
            found = of(rows, variant, cell)
            texts += [
                _median(found, "ste", "growth"),
                _median(found, "ste", "exponent", whole=False),
                _median(found, "mste", "deviation", whole=False),
            ]
        yield f"| {' | '.join(texts)} |"


def _median(rows: Sequence[Row], estimator: str, name: str, whole: bool = True) -> str:
    numbers = sorted(float(row[name]) for row in rows if row["estimator"] == estimator)
    if not numbers:
        return "\u2013"
    middle = statistics.median(numbers)
    return f"{middle:.2g} [{numbers[0]:.2g}, {numbers[-1]:.2g}]" if whole else f"{middle:.1f}"


if __name__ == "__main__":
    sys.exit(main())
