"""The uniform count: known layers, parts, what is listed, parameters and bytes."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sqbench.counting import count, macs, operations, parameters
from sqbench.counting.lstm import unrolled
from sqbench_codecs import CODECS, CodecSpec

SPEC = CodecSpec(
    name="toy", sample_rate=100, frame_rate=25.0, codebook_sizes=(4,), bitrate_bps=50.0
)
PARTS = {"encoder": ("down",), "quantizer": ("book",), "decoder": ("up",), "unused": ("idle",)}


class Toy(nn.Module):
    """1000 samples to 250 frames and back: every count can be done by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.Conv1d(1, 8, 4, stride=4), nn.ELU())
        self.book = nn.Linear(8, 4, bias=False)
        self.up = nn.ModuleDict(
            {"lstm": nn.LSTM(4, 4, 2), "conv": nn.ConvTranspose1d(4, 1, 8, stride=4)}
        )
        self.idle = nn.Linear(3, 3)
        self.register_buffer("table", torch.zeros(5, 2))

    def forward(self, audio: Tensor) -> Tensor:
        frames = self.book(self.down(audio[:, None]).transpose(1, 2))
        up: Any = self.up
        hidden = up["lstm"](frames.transpose(0, 1))[0]
        out: Tensor = up["conv"](hidden.permute(1, 2, 0))
        scaled: Tensor = out * (frames @ frames.transpose(1, 2)).mean()
        return scaled * F.linear(frames, self.book.weight.T).mean()


@pytest.fixture
def toy() -> Toy:
    with torch.device("meta"):
        return Toy().eval()


def test_counts_by_hand(toy: Toy) -> None:
    found = operations(toy, SPEC, PARTS)
    lstm, transposed = 2 * 250 * (4 * 4 * 4 * 2), 250 * 4 * 8  # at input positions
    assert found.by_part == {
        "encoder": 250 * 8 * 4,
        "quantizer": 2 * 250 * 8 * 4,  # also where its weights work outside its forward
        "decoder": lstm + transposed,
        "other": 250 * 250 * 4,
    }
    assert found.total == sum(found.by_part.values())
    assert found.per_s == found.total / 10
    assert found.not_counted["aten.elu"] == 1
    assert not {"aten.convolution", "aten.view", "aten.transpose"} & found.not_counted.keys()


def test_parameters_by_part(toy: Toy) -> None:
    found = parameters(toy, PARTS)
    lstm = 2 * (2 * 4 * 4 * 4 + 2 * 4 * 4)
    parts = {"encoder": 8 * 4 + 8, "quantizer": 32, "decoder": lstm + 4 * 8 + 1, "unused": 12}
    assert found.by_part == parts
    assert found.total == sum(parts.values())
    assert found.buffers == 10
    assert found.bytes == 4 * (found.total + 10)


def test_shared_tensors_count_once() -> None:
    network = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    network[1].weight = network[0].weight
    found = parameters(network, {"encoder": ("0",), "decoder": ("1",)})
    assert found.total == 9 + 3 + 3
    assert found.bytes == 4 * 15


def test_unrolled_lstms_do_the_same_products() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"):
        network = nn.Sequential(nn.LSTM(6, 5, 2))
        x = torch.zeros(7, 1, 6)
    totals = []
    with torch.no_grad():
        for context in (unrolled(network), torch.no_grad()):
            with context, FlopCounterMode(display=False) as counter:
                out, (hidden, cell) = network(x)
            totals.append(counter.get_total_flops())
            assert (out.shape, hidden.shape, cell.shape) == ((7, 1, 5), (2, 1, 5), (2, 1, 5))
    assert totals[0] == totals[1] == 2 * 7 * 20 * (6 + 5 + 5 + 5)


def test_unrolled_lstms_of_a_codec_count_as_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = CODECS.get("encodec-24k-6k")
    if entry.missing():
        pytest.skip(entry.readiness())
    blueprint = entry.blueprint()
    assert blueprint is not None
    monkeypatch.setattr(macs, "SECONDS", 0.2)
    fast = operations(blueprint.build(), entry.spec, blueprint.parts)
    monkeypatch.setattr(macs, "unrolled", lambda network: nullcontext())
    assert operations(blueprint.build(), entry.spec, blueprint.parts).by_part == fast.by_part


@pytest.mark.parametrize(
    ("name", "macs_g"),
    [
        ("sqcodec-750", 46.03),
        ("sqcodec-6k", 74.29),
        ("sqcodec-24k-24khz", 272.11),
    ],
)
def test_sqcodec(name: str, macs_g: float) -> None:
    blueprint = CODECS.get(name).blueprint()
    assert blueprint is not None
    found = operations(blueprint.build(), CODECS.get(name).spec, blueprint.parts)
    assert found.total / 1e9 == pytest.approx(macs_g, abs=0.005)
    assert "other" not in found.by_part


def test_a_codec_without_a_network_has_no_counts() -> None:
    assert count(CODECS.get("identity").load()) == {"macs_g": None, "params_m": None}
