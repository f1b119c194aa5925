"""Recipes: layers, keys, checks, and the schedule that they name."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from train_fixtures import TINY

from sqcodec.config import list_configs, load_config
from sqcodec.errors import InputError
from sqcodec.train.recipes.recipe import Recipe, keys, load_recipe, shipped_recipes
from sqcodec.train.recipes.schedule import values_at
from sqcodec.train.recipes.sections import Optimizer


@pytest.mark.parametrize("name", shipped_recipes())
@pytest.mark.parametrize("config", list_configs())
def test_every_shipped_recipe_loads_for_every_config(name: str, config: str) -> None:
    recipe = load_recipe(["published", name], config)
    assert recipe.network(load_config(config)).hop == load_config(config).hop


def test_crops_of_the_published_recipe() -> None:
    seconds = {
        name: load_recipe(["published"], name).crop_length(load_config(name))
        / load_config(name).sample_rate
        for name in list_configs()
    }
    assert seconds == pytest.approx(
        {
            "0k75bps": 9.0, "1k5bps": 6.75, "3kbps": 6.75, "6kbps": 5.90625, "12kbps": 4.2,
            "12kbps_24khz": 3.6, "24kbps_24khz": 1.8,
        }
    )  # fmt: skip


def test_later_layers_win(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('batch_size = 3\n[optimizer]\nlr = 1e-5\n[config."6kbps"]\nwindows = 9\n')
    recipe = load_recipe(["cpu", str(mine)], "6kbps").override(["optimizer.lr=2e-5"])
    assert (recipe.batch_size, recipe.windows, recipe.perceptual.source) == (3, 9, "none")
    assert recipe.optimizer.lr == 2e-5
    assert load_recipe(["cpu", str(mine)], "3kbps").windows == 1


@pytest.mark.parametrize(
    ("setting", "key", "value"),
    [
        ("ema=0.9", "ema", 0.9),
        ("perceptual=none", "perceptual.source", "none"),
        ('perceptual="a b"', "perceptual.source", "a b"),
        ("perceptual.context=clip", "perceptual.context", "clip"),
        ("optimizer.betas=0.8,0.9", "optimizer.betas", (0.8, 0.9)),
        ("data.domains=speech:3,music:1", "data.domains", {"speech": 3.0, "music": 1.0}),
        ("data.alternate=false", "data.alternate", False),
        ("adversary.periods=2,3", "adversary.periods", (2, 3)),
        ("quantizer.estimator=ste", "quantizer.estimator", "ste"),
    ],
)
def test_override(setting: str, key: str, value: Any) -> None:
    assert Recipe().override([setting]).get(key) == value


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("learning=1", "max_steps"),
        ("optimizer.lt=1", "Did you mean 'optimizer.lr'"),
        ("optimizer.lr=fast", "float"),
        ("batch_size=2.5", "int"),
        ("batch_size=0", "at least 1"),
        ("data.domains=speech:0", "weights of 0 or more"),
        ("data.alternate=maybe", "bool"),
        ("optimizer.betas=0.9", "tuple"),
        ("quantizer.estimator=magic", "ste, taae, taae-mix, mste"),
        ("quantizer.sharpness=0,1", "above 0"),
        ("select=loss", "snr_db"),
        ("ema=2", "0 to 1"),
        ("batch_size", "key=value"),
    ],
)
def test_what_does_not_fit(setting: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Recipe().override([setting])


def test_unknown_recipe_and_broken_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="published"):
        load_recipe(["sota"], "6kbps")
    (tmp_path / "bad.toml").write_text("batch_size = [")
    with pytest.raises(InputError, match=r"bad\.toml.*TOML"):
        load_recipe([str(tmp_path / "bad.toml")], "6kbps")


def test_changes_of_the_network_are_in_its_name() -> None:
    assert Recipe().network(TINY) is TINY
    changed = Recipe().override(["model.window=20", "model.tconv=false"]).network(TINY)
    assert changed == dataclasses.replace(
        TINY, name="tiny+window-20+no-tconv", window=20, tconv=False
    )


def test_every_value_has_a_key_that_overrides_it() -> None:
    recipe = Recipe()
    for key, value in keys(recipe):
        assert recipe.apply({key: value}, "test") == recipe


def test_one_cycle_equals_torch() -> None:
    steps, settings = 50, Optimizer(lr=5e-4)
    parameter = torch.nn.Parameter(torch.zeros(1))
    adam = torch.optim.AdamW([parameter], lr=settings.lr, betas=(0.95, 0.999))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        adam, max_lr=settings.lr, total_steps=steps, pct_start=0.4, three_phase=True,
        div_factor=10.0, final_div_factor=10.0,
    )  # fmt: skip
    for step in range(steps):
        lr, beta1 = values_at(step, steps, settings, settings.lr)
        assert lr == pytest.approx(adam.param_groups[0]["lr"], rel=1e-9), step
        assert beta1 == pytest.approx(adam.param_groups[0]["betas"][0], rel=1e-9), step
        adam.step()
        if step < steps - 1:
            schedule.step()


def test_one_cycle_of_few_steps_is_finite() -> None:
    for steps in (1, 2, 3):
        for step in range(steps):
            lr, _ = values_at(step, steps, Optimizer(), 5e-4)
            assert 0 < lr <= 5e-4


def test_constant_warms_up_stays_and_decays() -> None:
    settings = Optimizer(schedule="constant", warmup_steps=10, lr=1e-3, lr_end=0.0, decay_share=0.3)

    def lr(step: int) -> float:
        return values_at(step, 100, settings, settings.lr)[0]

    assert lr(0) == pytest.approx(1e-4)
    assert lr(10) == lr(69) == 1e-3
    assert lr(85) == pytest.approx(0.5e-3)
    assert lr(100) == pytest.approx(0.0)
