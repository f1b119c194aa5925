"""Training a cell: repeatable, seed by seed, with a reason for what has no value."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from sqbench.quantization import experiment, measures
from sqbench.quantization.build import shape
from sqbench.quantization.cell import Cell
from sqbench.quantization.draws import Draws
from sqbench.quantization.trainer import Trainer

SHORT = 100
VQ = {"source": "alphabet", "source_bits": 4, "quantizer": "vq", "bits": 3, "steps": SHORT}


def test_a_trial_does_not_depend_on_the_seeds_beside_it() -> None:
    cell = Cell(estimator="mste", **VQ)  # type: ignore[arg-type]
    together, alone = experiment.train(cell, [3, 8])[1], experiment.train(cell, [8])[0]
    assert together.seed == alone.seed == 8
    # Stacked and single products may round differently; training carries that on.
    assert together.values["snr_db"] == pytest.approx(alone.values["snr_db"], abs=0.2)
    assert together.values["latent_std@0"] == pytest.approx(alone.values["latent_std@0"], rel=1e-5)
    assert together.values["bound_db"] == pytest.approx(alone.values["bound_db"], rel=1e-5)


def test_stacked_cells_train_as_each_alone() -> None:
    """Equal up to rounding, before chaos makes more of it; through every kind of codebook loss."""
    vq = {**VQ, "bits": 4, "steps": SHORT}
    cells = [
        Cell(estimator="ste", commitment=0.25, **vq),  # type: ignore[arg-type]
        Cell(estimator="mste", **{**vq, "source_bits": 6}),  # type: ignore[arg-type]
        Cell(estimator="diveq", **vq),  # type: ignore[arg-type]
        Cell(estimator="soft", **vq),  # type: ignore[arg-type]
    ]
    assert len({shape(cell) for cell in cells}) == 1
    together = Trainer(cells, [3, 8])
    alone = [Trainer([cell], [3, 8]) for cell in cells]
    for number in range(30):
        losses = torch.cat([trainer.step(number) for trainer in alone])
        assert torch.allclose(together.step(number), losses, rtol=1e-3), number
    trials = experiment.train_together(cells, [3, 8])
    assert [[trial.seed for trial in of_cell] for of_cell in trials] == [[3, 8]] * 4
    for cell, of_cell in zip(cells, trials, strict=True):
        for trial, single in zip(of_cell, experiment.train(cell, [3, 8]), strict=True):
            assert trial.values["latent_std@0"] == pytest.approx(
                single.values["latent_std@0"], rel=1e-5
            )
            assert trial.values["bound_db"] == single.values["bound_db"]
            assert trial.values["snr_db"] == pytest.approx(single.values["snr_db"], abs=0.5)


def test_what_may_not_be_stacked() -> None:
    cell = Cell(estimator="ste", **VQ)  # type: ignore[arg-type]
    changes: tuple[dict[str, Any], ...] = (
        {"bits": 2}, {"steps": 200}, {"quantizer": "vq-ema"}, {"restarts": False},
    )  # fmt: skip
    for change in changes:
        assert shape(replace(cell, **change)) != shape(cell)
    assert shape(replace(cell, source="gaussian", source_bits=0)) != shape(cell)


def test_scale_pressure_is_positive_through_ste_and_nothing_through_mste() -> None:
    cell = Cell(
        source="gaussian", quantizer="vq", bits=4, estimator="ste", steps=300, restarts=False
    )
    found = experiment.train_together([cell, replace(cell, estimator="mste")], [0, 1])
    ste, mste = ([trial.values["scale_pressure"] or 0.0 for trial in trials] for trials in found)
    assert min(ste) > 10 * max(map(abs, mste))


def test_a_trial_repeats_exactly() -> None:
    cell = Cell(source="gaussian", quantizer="fsq", levels=3, estimator="taae-mix", steps=SHORT)
    first, second = (experiment.train(cell, [0])[0].values for _ in range(2))
    assert first == second


def test_training_learns_and_values_are_consistent() -> None:
    cell = Cell(source="gaussian", quantizer="fsq", levels=4, estimator="ste", steps=300)
    (trial,) = experiment.train(cell, [0])
    values = {name: value for name, value in trial.values.items() if value is not None}
    assert set(trial.reasons.values()) <= {experiment.NOISE}
    assert -1 <= values["gradient_cosine_1_early"] <= 1
    assert 6 < values["snr_db"] < values["reference_db"] < values["bound_db"]
    assert values["gap_db"] == pytest.approx(values["bound_db"] - values["snr_db"])
    assert values["train_test_gap_db"] == pytest.approx(0, abs=1e-6)
    assert values["growth"] == pytest.approx(values["latent_std@300"] / values["latent_std@0"])
    assert 0 < values["entropy_bits"] <= 8
    assert 0 <= values["churn"] <= 1
    assert trial.cpu_s > 0


def test_an_alphabet_with_a_code_for_every_point_has_no_bound() -> None:
    cell = Cell(estimator="ste", **{**VQ, "bits": 4})  # type: ignore[arg-type]
    (trial,) = experiment.train(cell, [0])
    assert trial.values["gap_db"] is trial.values["bound_db"] is None
    assert trial.reasons["gap_db"] == experiment.UNBOUNDED


def test_a_seed_that_leaves_the_finite_numbers_costs_only_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    step = Trainer.step

    def poisoned(self: Trainer, number: int) -> torch.Tensor:
        if number == 60:
            with torch.no_grad():
                self.encoder.weights[0][1] = math.inf
        return step(self, number)

    cell = Cell(estimator="ste", **VQ)  # type: ignore[arg-type]
    untouched = experiment.train(cell, [0, 1])
    monkeypatch.setattr(Trainer, "step", poisoned)
    trials = experiment.train(cell, [0, 1])
    assert trials[1].values["snr_db"] is None
    assert trials[1].reasons["snr_db"] == "training left the finite numbers by step 100"
    assert trials[0].values == untouched[0].values


def test_usage_of_known_codes() -> None:
    index = torch.tensor([[0, 1, 2, 3] * 10, [0] * 40])
    found = measures.usage(index, 8)
    assert found.fraction.tolist() == [0.5, 0.125]
    assert found.entropy_bits.tolist() == [2.0, 0.0]
    assert found.efficiency.tolist() == pytest.approx([2 / 3, 0.0])


def test_gradient_variance_of_known_gradients() -> None:
    """Two values, 1 and 3, in one of four dimensions: variance 2, squared mean 4 + 3."""
    gradients = [torch.tensor([[1.0, 1, 1, 1]]), torch.tensor([[3.0, 1, 1, 1]])]
    assert measures.gradient_variance(gradients).tolist() == pytest.approx([2 / 7])


def test_churn_and_snr() -> None:
    assert measures.churn(torch.tensor([[1, 2, 3, 4]]), torch.tensor([[1, 2, 0, 0]])) == 0.5
    target = torch.ones(1, 10, 2)
    assert measures.snr_db(0.9 * target, target).tolist() == pytest.approx([20.0], abs=1e-4)
    assert measures.snr_db(target, target).tolist() == pytest.approx([120.0])


def test_smoothed_gradient_of_a_parabola_is_its_slope() -> None:
    z = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    first, second = measures.smoothed_gradient(
        lambda x: x.square().sum(-1), z, Draws([0, 1], "diagnostics"), torch.ones(2), 4000
    )
    for half in (first, second):
        assert measures.cosine(half.flatten(1), 2 * z.flatten(1)).min() > 0.995
