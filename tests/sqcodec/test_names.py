"""Weights under other names than ours, and files with code in them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from sqcodec import InputError, SQCodec
from sqcodec.config import load_config
from sqcodec.model import SQCodecModel
from sqcodec.names import DIRECTION, GAIN
from sqcodec.weights import export_official, load_weights, save_checkpoint, tensors_sha256

State = Mapping[str, Tensor]


@pytest.fixture(scope="module")
def model() -> SQCodecModel:
    torch.manual_seed(0)
    return SQCodecModel(load_config("6kbps"))


def prefixed(prefix: str) -> Callable[[State], dict[str, Any]]:
    return lambda state: {prefix + key: value for key, value in state.items()}


def old(state: State) -> dict[str, Any]:
    return {
        key.replace(GAIN, "weight_g").replace(DIRECTION, "weight_v"): value
        for key, value in state.items()
    }


WRAPPED: dict[str, Callable[[State], Any]] = {
    "plain": dict,
    "data parallel": prefixed("module."),
    "compiled": prefixed("_orig_mod."),
    "both": prefixed("module._orig_mod."),
    "compiled part": lambda s: {k.replace("encoder.", "encoder._orig_mod.", 1): s[k] for k in s},
    "state_dict": lambda s: {"state_dict": dict(s), "epoch": 3},
    "model": lambda s: {"model": prefixed("module.")(s), "adversary": {"a": torch.ones(2)}},
    "old weight norm": old,
}


@pytest.mark.parametrize("kind", WRAPPED)
def test_it_loads_by_setting_and_by_itself(model: SQCodecModel, tmp_path: Path, kind: str) -> None:
    torch.save(WRAPPED[kind](model.state_dict()), tmp_path / "x.pt")
    for arguments in (("6k", tmp_path / "x.pt"), (tmp_path / "x.pt",)):
        _, info = load_weights(*arguments)
        assert (info.sha256, info.config) == (tensors_sha256(model), "6kbps")


def test_safetensors_without_a_card(model: SQCodecModel, tmp_path: Path) -> None:
    state = {key: value.contiguous() for key, value in model.state_dict().items()}
    save_file(prefixed("module.")(state), tmp_path / "x.safetensors")
    assert load_weights("6k", tmp_path / "x.safetensors")[1].sha256 == tensors_sha256(model)


def test_without_weight_norm(model: SQCodecModel, tmp_path: Path) -> None:
    state = model.state_dict()
    plain = {key: value for key, value in state.items() if GAIN not in key and DIRECTION not in key}
    for key in state:
        if key.endswith(GAIN):
            stem = key.removesuffix(GAIN)
            plain[f"{stem}weight"] = torch._weight_norm(state[f"{stem}{DIRECTION}"], state[key], 0)
    torch.save(plain, tmp_path / "x.pt")
    found, _ = load_weights("6k", tmp_path / "x.pt")
    audio = torch.sin(torch.arange(13500) * 0.05)[None]
    with torch.no_grad():
        assert torch.allclose(found.eval()(audio), model.eval()(audio), atol=1e-4)


def test_wrapped_official_files(model: SQCodecModel, tmp_path: Path) -> None:
    for path in export_official(model, tmp_path):
        state = old(torch.load(path, weights_only=True))
        torch.save({"state_dict": prefixed("module.")(state)}, path)
    assert load_weights("6k", tmp_path)[1].sha256 == tensors_sha256(model)


def test_several_networks_in_a_file(model: SQCodecModel, tmp_path: Path) -> None:
    state = dict(model.state_dict())
    torch.save({"model": state, "ema": state}, tmp_path / "x.pt")
    with pytest.raises(InputError, match="several, under ema, model"):
        load_weights("6k", tmp_path / "x.pt")


@pytest.mark.parametrize(
    ("content", "words"),
    [({"a": torch.ones(3)}, "no encoder"), ([1], "a list without any"), ({}, "a dict without any")],
    ids=["others", "list", "empty"],
)
def test_files_of_something_else(tmp_path: Path, content: Any, words: str) -> None:
    torch.save(content, tmp_path / "x.pt")
    with pytest.raises(InputError, match=words):
        load_weights("6k", tmp_path / "x.pt")


class _Code:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


def test_code_is_refused_in_a_line(tmp_path: Path) -> None:
    torch.save({"state_dict": _Code(tmp_path / "ran")}, tmp_path / "x.pt")
    with pytest.raises(InputError, match=r"would run posix.mkdir: refused") as raised:
        load_weights("6k", tmp_path / "x.pt")
    assert len(str(raised.value)) - 2 * len(str(tmp_path)) < 250
    assert not (tmp_path / "ran").exists()


def test_a_run_tells_its_own_config(tmp_path: Path) -> None:
    from sqbench_codecs import load_codec
    from sqcodec.train.command import network_config

    config = network_config("reduced")
    save_checkpoint(SQCodecModel(config), tmp_path / "model.safetensors")
    assert SQCodec.from_pretrained(tmp_path).config == config
    codec = load_codec("sqcodec", weights=str(tmp_path))
    assert codec.spec.bitrate_bps == config.bitrate_bps
    assert codec.settings == {"config": config.to_dict()}
    with pytest.raises(InputError, match="--codec sqcodec"):
        load_weights("6k", tmp_path)
    with pytest.raises(InputError, match="--weights RUN"):
        load_codec("sqcodec")
