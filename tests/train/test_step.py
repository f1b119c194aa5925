"""One optimiser step: accumulation, the adversary, noise, precision."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from train_fixtures import SMALL_ADVERSARY, speech_and_music, trainer

from sqcodec.train.distributed import World
from sqcodec.train.loop import Trainer
from sqcodec.train.losses import clamp_term
from sqcodec.train.networks import frozen
from sqcodec.train.recipes.sections import ESTIMATORS


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return speech_and_music(tmp_path / "train")


def _adversarial(root: Path, out: Path, **changes: Any) -> Trainer:
    named = {key.replace(".", "__"): value for key, value in SMALL_ADVERSARY.items()}
    return trainer(root, out, **{**named, **changes})


def test_two_passes_of_one_crop_equal_one_of_two(root: Path, tmp_path: Path) -> None:
    one = trainer(root, tmp_path / "one", batch_size=2, accumulate=1, quantizer__bypass_steps=0)
    two = trainer(root, tmp_path / "two", batch_size=1, accumulate=2, quantizer__bypass_steps=0)
    (batch,) = [one._batch(0)]
    whole = one.train_step([batch])
    parts = two.train_step(list(torch.split(batch, 1)))
    # Both terms are means over items of one length, so the split does not change them.
    assert parts["loss"] == pytest.approx(whole["loss"], rel=1e-5)
    assert parts["grad_norm"] == pytest.approx(whole["grad_norm"], rel=1e-3)


def test_the_discriminator_moves_every_nth_step_and_only_then(root: Path, tmp_path: Path) -> None:
    run = _adversarial(root, tmp_path / "out")
    assert run.state.adversary is not None
    moved = []
    for _ in range(4):
        before = [p.detach().clone() for p in run.state.adversary.module.parameters()]
        values = run.train_step()
        after = run.state.adversary.module.parameters()
        moved.append(any(not torch.equal(a, b) for a, b in zip(before, after, strict=True)))
        assert ("discriminator" in values) == moved[-1]
        assert values["feature"] > 0
    assert moved == [True, False, True, False]


def test_adversarial_terms_wait_for_their_step(root: Path, tmp_path: Path) -> None:
    run = _adversarial(root, tmp_path / "out", adversary__start_step=2)
    seen = ["adversarial" in run.train_step() for _ in range(4)]
    assert seen == [False, False, True, True]


def test_the_codec_step_leaves_no_gradient_in_the_discriminator(root: Path, tmp_path: Path) -> None:
    run = _adversarial(root, tmp_path / "out", adversary__every=100)
    run.train_step()
    assert run.state.adversary is not None
    for parameter in run.state.adversary.module.parameters():
        parameter.grad = None
    run.train_step()
    assert all(p.grad is None for p in run.state.adversary.module.parameters())
    assert all(p.requires_grad for p in run.state.adversary.module.parameters())


def test_frozen_restores_what_was() -> None:
    module = torch.nn.Linear(2, 2)
    module.bias.requires_grad_(False)
    with frozen(module):
        assert not module.training
        assert not module.weight.requires_grad
    assert module.training
    assert module.weight.requires_grad
    assert not module.bias.requires_grad


def test_the_clamp_scales_the_adversarial_gradient(root: Path, tmp_path: Path) -> None:
    """Total = weighted reconstruction + min(L, M), with the gradient of L * M / L."""
    run = _adversarial(root, tmp_path / "out", losses__adversarial_limit=0.5)
    values = run.train_step()
    recipe = run.recipe.losses
    reconstruction = recipe.l1 * values["l1"] + recipe.stft * values["stft"]
    both = values["adversarial"] + recipe.feature * values["feature"]
    assert both > 0.5
    assert values["loss"] == pytest.approx(reconstruction + 0.5, rel=1e-4)
    x = torch.tensor(3.0, requires_grad=True)
    torch.autograd.backward(clamp_term(x**2, 0.5))
    assert float(x.grad or 0.0) == pytest.approx(6.0 * 0.5 / 9.0)


def test_noise_is_per_item(root: Path, tmp_path: Path) -> None:
    stepper = trainer(root, tmp_path / "out", quantizer__estimator="taae").stepper
    four = stepper.noise(3, 4)
    assert torch.equal(four[:2], stepper.noise(3, 2))
    assert not torch.equal(four[0], four[1])
    assert not torch.equal(four, stepper.noise(4, 4))
    assert four.shape[1:] == (40, 6, 2)


def test_taae_and_bf16_train(root: Path, tmp_path: Path) -> None:
    run = trainer(
        root, tmp_path / "out", quantizer__estimator="taae", quantizer__bypass_steps=0,
        precision="bf16",
    )  # fmt: skip
    plain = trainer(root, tmp_path / "plain", quantizer__bypass_steps=0)
    values, reference = run.train_step(), plain.train_step()
    assert values["l1"] == pytest.approx(reference["l1"], rel=0.1)
    assert all(p.dtype == torch.float32 for p in run.state.model.parameters())


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_every_estimator_trains(estimator: str, root: Path, tmp_path: Path) -> None:
    run = trainer(
        root, tmp_path / "out", quantizer__estimator=estimator, quantizer__bypass_steps=0,
        max_steps=2,
    )  # fmt: skip
    first = run.train_step()
    assert first["grad_norm"] > 0
    again = trainer(
        root, tmp_path / "again", quantizer__estimator=estimator, quantizer__bypass_steps=0,
        max_steps=2,
    )  # fmt: skip
    assert again.train_step()["loss"] == first["loss"]


def test_code_usage_counts_what_was_coded(root: Path, tmp_path: Path) -> None:
    run = trainer(root, tmp_path / "out")
    run.usage.add(torch.tensor([[1, 1, 2, 3]]))
    summary = run.usage.summary(World())
    assert summary["code_usage"] == pytest.approx(0.75, abs=1e-4)
    assert summary["code_perplexity"] == pytest.approx(2.828427, rel=1e-5)
    assert math.isnan(run.usage.summary(World())["code_usage"])
