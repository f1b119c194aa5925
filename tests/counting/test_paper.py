"""The paper's counter: its rules layer by layer, and all rows of the published table."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sqbench.complexity.paper_networks import count
from sqbench.counting.paper import see
from sqbench.published import rows as paper
from sqbench_codecs import CODECS
from sqcodec.errors import InputError

old_weight_norm = nn.utils.weight_norm
new_weight_norm = nn.utils.parametrizations.weight_norm


class Call(nn.Module):
    """A function of torch as a module."""

    def __init__(self, function: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Any:
        return self.function(x)


def _attention(x: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(x, x, x)


# What ptflops 0.7.4 itself counts for these layers (torch 2.11, CPU).
LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], int]] = {
    "grouped convolution": (lambda: nn.Conv1d(4, 6, 3, stride=2, groups=2), (4, 50), 1008),
    "no bias": (lambda: nn.Conv1d(4, 6, 3, bias=False), (4, 50), 3456),
    "transposed, at output rate": (lambda: nn.ConvTranspose1d(4, 6, 8, stride=4), (4, 50), 40392),
    "linear": (lambda: nn.Linear(5, 7), (10, 5), 420),
    "lstm": (lambda: nn.LSTM(8, 8, 2), (12, 8), 15744),
    "elu, twice": (nn.ELU, (4, 50), 400),
    "gelu, twice": (nn.GELU, (4, 50), 400),
    "silu, once": (nn.SiLU, (4, 50), 200),
    "upsample, twice": (lambda: nn.Upsample(scale_factor=3, mode="linear"), (4, 50), 1200),
    "group norm": (lambda: nn.GroupNorm(2, 4), (4, 50), 400),
    "instance norm": (lambda: nn.InstanceNorm1d(4, affine=True), (4, 50), 400),
    "layer norm, its scale missed": (lambda: nn.LayerNorm(50), (4, 50), 200),
    "older weight norm": (lambda: old_weight_norm(nn.Conv1d(4, 6, 3)), (4, 50), 3744),
    "newer weight norm": (lambda: new_weight_norm(nn.Conv1d(4, 6, 3)), (4, 50), 0),
    "bmm": (lambda: Call(lambda x: torch.bmm(x, x.transpose(1, 2))), (4, 50), 800),
    "@": (lambda: Call(lambda x: x @ x.transpose(1, 2)), (4, 50), 0),
    "einsum": (lambda: Call(lambda x: torch.einsum("bct,bdt->bcd", x, x)), (4, 50), 0),
    "fused attention": (lambda: Call(_attention), (4, 50), 0),
    "softmax": (lambda: Call(lambda x: F.softmax(x, -1)), (4, 50), 200),
    "max pool": (lambda: Call(lambda x: F.max_pool1d(x, 5, 1, 2)), (4, 50), 200),
    "average pool": (lambda: Call(lambda x: F.avg_pool1d(x, 5, 1, 2)), (4, 50), 200),
}


@pytest.mark.parametrize("name", LAYERS)
def test_rules_are_those_of_the_counter(name: str) -> None:
    make, shape, macs = LAYERS[name]
    with warnings.catch_warnings(), torch.device("meta"):
        warnings.simplefilter("ignore", FutureWarning)
        network, x = nn.Sequential(make()), torch.zeros(1, *shape)
    assert see(network, x).macs == macs


def test_functions_of_torch_are_put_back_after_an_error() -> None:
    before = F.gelu, torch.bmm

    def fail(x: Tensor) -> Tensor:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        see(Call(fail), torch.zeros(1, 8))
    assert (F.gelu, torch.bmm) == before


# What ptflops 0.7.4 itself counts of the published networks on 10 s of audio: sq_codec 0.0.1,
# encodec 0.1.1, and DAC and WavTokenizer as in `paper_networks` (torch 2.11, CPU).
EXACT = {
    ("SQCodec", 16000, 750): 10101139600,
    ("SQCodec", 16000, 1500): 11734705800,
    ("SQCodec", 16000, 3000): 11161784800,
    ("SQCodec", 16000, 6000): 19977396000,
    ("SQCodec", 16000, 12000): 37662288000,
    ("SQCodec", 24000, 12000): 37683830400,
    ("SQCodec", 24000, 24000): 76348214400,
    ("EnCodec", 24000, 6000): 55952473152,
    ("WavTokenizer", 24000, 480): 34263316000,
    ("WavTokenizer", 24000, 900): 64170612000,
}
PACKAGE = {"EnCodec": "encodec", "DAC": "transformers", "WavTokenizer": "vocos", "SQCodec": "torch"}


# One of each network by default: the others differ in a number of codebooks, or in strides.
QUICK = {("SQCodec", 6000), ("EnCodec", 6000), ("DAC", 1000), ("WavTokenizer", 480)}
ROWS = [
    pytest.param(
        row,
        id=paper.label(row),
        marks=() if (row.model, row.bitrate_bps) in QUICK else pytest.mark.slow,
    )
    for row in paper.table1()
]


@pytest.mark.parametrize("row", ROWS)
def test_published_rows(row: paper.SignalRow) -> None:
    pytest.importorskip(PACKAGE[row.model], reason="extra `codecs` is not installed")
    counted = count(row)
    macs_g, params_m = counted.seen.macs / 1e9, counted.seen.params / 1e6
    assert round(params_m, 2) == row.params_m
    if row.model == "DAC":  # a constant 0.1245 G, at both rates, is not explained
        assert macs_g == pytest.approx(row.macs_g, rel=0.0005)
    else:
        assert round(macs_g, 2) == row.macs_g
    key = (row.model, row.sample_rate, int(row.bitrate_bps))
    assert counted.seen.macs == EXACT.get(key, counted.seen.macs)


def test_what_the_counter_misses_of_sqcodec() -> None:
    (row,) = (row for row in paper.table5() if row.bitrate_bps == 6000)
    (signal,) = (r for r in paper.table1() if (r.model, r.bitrate_bps) == ("SQCodec", 6000))
    counted = count(signal)
    assert row.macs_g == signal.macs_g
    assert "Conv1d" not in counted.seen.by_kind  # every convolution is weight-normed, or inline
    assert counted.seen.by_kind["Linear"] > 0.99 * counted.seen.macs
    assert counted.uniform.total / counted.seen.macs == pytest.approx(3.718, abs=1e-3)


def test_a_missing_package_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "vocos" else find(name)
    )
    with pytest.raises(InputError, match=r"vocos to be installed.*pip install 'sqbench\[codecs\]'"):
        count(paper.table1()[0])


def test_rows_of_the_paper_are_found_by_facts() -> None:
    found = {entry.name: paper.published(entry.spec) for entry in CODECS}
    assert sum(name.startswith("sqcodec") and bool(row) for name, row in found.items()) == 7
    twelve = found["sqcodec-12k-24khz"]
    assert twelve is not None
    assert twelve.macs_g == 37.68
    assert found["opus-6k"] is None
