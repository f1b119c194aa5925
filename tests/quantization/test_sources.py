"""Sources: power, rotation, repeatability, and exactly as many points as they say."""

from __future__ import annotations

import pytest
import torch

from sqbench.quantization.draws import Draws
from sqbench.quantization.sources import CORRELATION, DEGREES, SOURCES, Alphabet, SimulatedSource


def _source(name: str, seeds: list[int]) -> SimulatedSource:
    draws = Draws(seeds, "source")
    if name == "alphabet":
        return Alphabet(draws, 5, 8)
    return SOURCES[name](draws, 4)


@pytest.mark.parametrize("name", ["alphabet", *SOURCES])
def test_unit_power_and_a_rotation_between(name: str) -> None:
    source = _source(name, [0, 1])
    x, y = source.evaluation(Draws([0, 1], "evaluation"), 20_000)
    assert x.shape == y.shape
    assert x.square().mean((1, 2)).numpy() == pytest.approx([1, 1], abs=0.05)
    assert torch.allclose(x.norm(dim=-1), y.norm(dim=-1), atol=1e-4)
    assert not torch.allclose(x[0], y[0], atol=0.1)


def test_an_alphabet_has_as_many_points_as_it_says() -> None:
    source = _source("alphabet", [3])
    x, _ = source.training(Draws([3], "training"), 4000)
    assert len(torch.unique(x[0], dim=0)) == 32
    x, _ = source.evaluation(Draws([3], "evaluation"), 64)
    assert torch.unique(x[0], dim=0, return_counts=True)[1].tolist() == [2] * 32


@pytest.mark.parametrize("name", ["alphabet", *SOURCES])
def test_a_seed_has_its_data_whatever_is_beside_it(name: str) -> None:
    together = _source(name, [5, 7]).training(Draws([5, 7], "training"), 10)
    alone = _source(name, [7]).training(Draws([7], "training"), 10)
    for a, b in zip(together, alone, strict=True):
        assert torch.allclose(a[1], b[0], atol=1e-6)
    other = _source(name, [8]).training(Draws([8], "training"), 10)
    assert not torch.allclose(alone[0], other[0])


def test_correlation_of_samples_within_and_across_frames() -> None:
    """Samples k apart correlate as the k-th power, also over the edges of frames and blocks."""
    source = SOURCES["correlated"](Draws([2], "source"), 4)
    x, _ = source.training(Draws([2], "training"), 50_000)
    samples = x.flatten()
    for lag in (1, 2, 4, 8, 300):
        found = float((samples[lag:] * samples[:-lag]).mean())
        assert found == pytest.approx(CORRELATION**lag, abs=0.03)
    starts, _ = SOURCES["correlated"](Draws(range(400), "source"), 4).training(
        Draws(range(400), "training"), 2
    )
    assert float(starts[:, 0, 0].var()) == pytest.approx(1, abs=0.2)  # stationary from the start


def test_tails_and_levels_of_frames() -> None:
    """Kurtosis 9 of five degrees; the power of a frame's components goes together."""
    assert DEGREES == 5
    source = SOURCES["student"](Draws([0], "source"), 4)
    x, _ = source.training(Draws([0], "training"), 400_000)
    far = (x.abs() > 4).double().mean()
    # P(|t_5| > 4 * sqrt(5 / 3)), from tables of Student's t: 0.00357; of a normal variable 6e-5.
    assert float(far) == pytest.approx(0.00357, rel=0.1)
    loud = x[0, :, 0].abs() > 2
    assert float(x[0, loud, 1].square().mean()) > 1.8
