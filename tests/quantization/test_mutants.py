"""Wrong estimators: each must fail a check of `sqbench.quantization.checks`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from sqbench.quantization import checks, matrix
from sqbench.quantization.cell import Cell
from sqbench.quantization.experiment import train_together
from sqbench.quantization.verdict import Verdict
from sqcodec.quantize import estimators as formulas

# A vector quantizer without restarts, and levels: the fewest cells whose checks see every mutant.
CELLS = [
    cell
    for cell in matrix.default()
    if not cell.restarts
    or (cell.source, cell.quantizer, cell.levels, cell.estimator) == ("gaussian", "fsq", 4, "ste")
]


def _verdicts() -> list[Verdict]:
    trials = {}
    for group in (CELLS[:2], CELLS[2:]):
        for cell, found in zip(group, train_together(group, [0, 1]), strict=True):
            trials[cell.identity] = found
    return checks.check(CELLS, trials)


def _sign(z: Tensor, q: Tensor) -> Tensor:
    """The straight-through term with the wrong sign."""
    return z - (q - z).detach()


def _attached(z: Tensor, q: Tensor) -> Tensor:
    """No stop-gradient: the latents cancel, and the encoder gets nothing."""
    return z + (q - z)


def _reversed(z: Tensor, q: Tensor) -> Tensor:
    """Hard values and a gradient of the wrong sign."""
    return 2 * q.detach() - q.detach() - (z - z.detach())


def _not_normalised(z: Tensor, q: Tensor, dims: Sequence[int]) -> Tensor:
    """mSTE's noise times the deviation instead of times the deviation over itself."""
    return z + (q - z).detach() * z.std(tuple(dims), correction=0, keepdim=True)


def _twice(z: Tensor, q: Tensor, dims: Sequence[int]) -> Tensor:
    """mSTE with the variance's ratio for the deviation's: hard values, twice the correction."""
    variance = z.var(tuple(dims), correction=0, keepdim=True)
    return z + (q - z).detach() * (variance / variance.detach())


def _constant(z: Tensor, q: Tensor, dims: Sequence[int]) -> Tensor:
    """mSTE whose deviation has no gradient: STE."""
    return z + (q - z).detach()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "mutant", "expected"),
    [
        ("straight_through", _sign, "B14"),
        ("straight_through", _attached, "B1"),
        ("straight_through", _reversed, "B10"),
        ("modified_straight_through", _not_normalised, "B14"),
        ("modified_straight_through", _twice, "B2"),
        ("modified_straight_through", _constant, "B2"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_mutant_fails_a_check(
    name: str, mutant: Callable[..., Tensor], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formulas, name, mutant)
    assert expected in {verdict.name for verdict in _verdicts() if verdict.fails}


@pytest.mark.slow
def test_the_estimators_themselves_fail_none() -> None:
    torch.set_num_threads(1)
    assert [cell.label for cell in CELLS] == [
        "alphabet-6, vq 6 bits, ste, no restarts",
        "alphabet-6, vq 6 bits, mste, no restarts",
        "gaussian, fsq 4 levels, ste",
    ]
    assert isinstance(CELLS[0], Cell)
    assert not [verdict for verdict in _verdicts() if verdict.fails]
