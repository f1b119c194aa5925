"""Which precision `auto` is, and what emulated bfloat16 says of itself."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from train_fixtures import speech_and_music, trainer

from sqcodec.train import precision
from sqcodec.train.estimate import one_pass
from sqcodec.train.optimizers import Several

CPU = torch.device("cpu")


@pytest.fixture
def processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "cpuinfo"
    monkeypatch.setattr(precision, "_CPUINFO", path)
    return path


@pytest.mark.parametrize(
    ("text", "expected", "units"),
    [
        ("flags\t\t: fpu avx2 avx512_bf16 amx_bf16\n", "bf16", ("avx512_bf16", "amx_bf16")),
        ("Features\t: fp asimd bf16 i8mm\n", "bf16", ("bf16",)),
        ("flags\t\t: fpu avx2 avx512f\nbugs\t: bf16\n", "float32", ()),
        (None, "float32", ()),
    ],
    ids=["x86 with units", "Arm with a unit", "x86 without", "no such file"],
)
def test_auto_asks_the_processor(
    text: str | None, expected: str, units: tuple[str, ...], processor: Path
) -> None:
    if text is not None:
        processor.write_text(text)
    assert precision.bf16_units(CPU) == units
    assert precision.resolve("auto", CPU) == expected
    assert precision.resolve("bf16", CPU) == "bf16"
    assert precision.resolve("float32", CPU) == "float32"


def test_emulated_bf16_warns_with_what_it_measured(
    processor: Path, caplog: pytest.LogCaptureFixture
) -> None:
    calls = []

    def run(bf16: bool) -> None:
        calls.append(bf16)
        time.sleep(0.1 if bf16 else 0.01)

    with caplog.at_level(logging.WARNING):
        factor = precision.warn_if_emulated("bf16", CPU, run)
    assert factor is not None
    assert factor > 2
    assert f"{factor:.1f} times as long" in caplog.text
    assert set(calls) == {True, False}


def test_no_warning_where_nothing_is_emulated(
    processor: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def run(bf16: bool) -> None:
        raise AssertionError("measured in vain")

    assert precision.warn_if_emulated("auto", CPU, run) is None
    assert precision.warn_if_emulated("float32", CPU, run) is None
    processor.write_text("flags : avx512_bf16")
    assert precision.warn_if_emulated("bf16", CPU, run) is None
    assert not caplog.records


def test_a_pass_runs_in_the_precision_asked_for(tmp_path: Path) -> None:
    """bfloat16 keeps less for the gradient; no pass changes the weights or what comes after."""
    run = trainer(speech_and_music(tmp_path / "data"), tmp_path / "out")
    before = {key: value.clone() for key, value in run.state.model.state_dict().items()}
    single, half, again = (one_pass(run, bf16) for bf16 in (False, True, None))
    assert half < single == again
    assert not run.state.codec.core.bf16
    assert all(torch.equal(v, before[k]) for k, v in run.state.model.state_dict().items())
    assert all(p.grad is None for p in run.state.model.parameters())


def test_the_card_says_which_it_was(tmp_path: Path, processor: Path) -> None:
    processor.write_text("flags : amx_bf16")
    run = trainer(speech_and_music(tmp_path / "data"), tmp_path / "out", precision="auto")
    assert run.describe()["precision"] == "bf16"
    assert run.state.codec.core.bf16
    processor.write_text("flags : fpu")
    assert run.describe()["precision"] == "float32"


def test_muon_moves_matrices_and_adamw_the_rest_and_both_resume(tmp_path: Path) -> None:
    root = speech_and_music(tmp_path / "data")
    changes: dict[str, Any] = {"optimizer__kind": "muon", "max_steps": 6}
    whole = trainer(root, tmp_path / "whole", **changes)
    assert isinstance(whole.state.codec.optimizer, Several)
    before = {key: value.clone() for key, value in whole.state.model.named_parameters()}
    losses = [whole.train_step() for _ in range(4)]
    moved = {key for key, value in whole.state.model.named_parameters()
             if not torch.equal(value, before[key])}  # fmt: skip
    assert any(before[key].ndim == 2 for key in moved)
    assert any(before[key].ndim == 1 for key in moved)
    groups = whole.state.codec.optimizer.param_groups
    assert {"betas" in group for group in groups} == {True, False}
    assert {group["lr"] for group in groups} == {losses[-1]["lr"]}
    first = trainer(root, tmp_path / "part", **changes)
    part = [first.train_step() for _ in range(2)]
    first.checkpoints.write(2, first.state.state_dict(), best=False)
    second = trainer(root, tmp_path / "part", **changes)
    second.resume()
    assert part + [second.train_step() for _ in range(2)] == losses
