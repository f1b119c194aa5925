"""The paper's counter: its rules layer by layer, and all rows of the published table."""

from __future__ import annotations

import importlib.util
import math
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sqbench.complexity import run
from sqbench.complexity.run import Convention, build
from sqbench.counting.macs import operations
from sqbench.counting.paper import see
from sqbench.published import rows as paper
from sqbench_codecs import CODECS, CodecSpec

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


# What ptflops 0.7.4 itself counts on 10 s of audio: of the published SQCodec (sq_codec 0.0.1), of
# EnCodec (encodec 0.1.1 at 6 kbps; it does not see the search in books, which is all in which the
# others differ), of WavTokenizer put together from the layers of encodec and vocos, and of our
# network of DAC (torch 2.11).
EXACT = {
    "sqcodec-750": 10101139600,
    "sqcodec-1k5": 11734705800,
    "sqcodec-3k": 11161784800,
    "sqcodec-6k": 19977396000,
    "sqcodec-12k": 37662288000,
    "sqcodec-12k-24khz": 37683830400,
    "sqcodec-24k-24khz": 76348214400,
    "encodec-24k-1k5": 55952473152,
    "encodec-24k-3k": 55952473152,
    "encodec-24k-6k": 55952473152,
    "encodec-24k-12k": 55952473152,
    "encodec-24k-24k": 55952473152,
    "wavtokenizer-40": 34263316000,
    "wavtokenizer-75": 64170612000,
    "dac-16k-1k": 555897851576,
    "dac-16k-1k5": 555911167576,
    "dac-16k-3k": 555951115576,
    "dac-16k-6k": 556031011576,
    "dac-24k-6k": 833974003576,
    "dac-24k-12k": 834133795576,
    "dac-24k-24k": 834453379576,
}

# One of each network by default: the others differ in a number of codebooks, or in strides.
QUICK = {"sqcodec-6k", "encodec-24k-6k", "dac-16k-1k", "wavtokenizer-40"}
NAMES = [
    pytest.param(name, marks=() if name in QUICK else pytest.mark.slow, id=name) for name in EXACT
]


@pytest.mark.parametrize("name", NAMES)
def test_published_rows(name: str) -> None:
    entry = CODECS.get(name)
    if entry.missing():
        pytest.skip(entry.readiness())
    (row,) = build([name], convention="paper")
    assert row.published is not None, row.reason
    assert row.macs == EXACT[name]
    assert round(row.params / 1e6, 2) == row.published.params_m
    if name.startswith("dac"):
        # The paper ran one forward, in which the decoder projects no code; and 0.1245 G of it, at
        # every rate and number of codebooks, is not explained.
        forward = row.macs / 1e9 - _projections(entry.spec, with_bias=True) / 1e9
        assert forward + 0.1245 == pytest.approx(row.published.macs_g, abs=0.01)
    else:
        assert round(row.macs / 1e9, 2) == row.published.macs_g


def _projections(spec: CodecSpec, *, with_bias: bool) -> int:
    """Multiply-adds by which DAC's decoder makes latents of codes, for 10 s: 8 to 1024 channels."""
    assert spec.frame_rate is not None
    return spec.num_codebooks * round(10 * spec.frame_rate) * 1024 * (8 + with_bias)


def test_every_row_of_the_paper_has_a_codec_and_they_stand_in_its_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run, "_counted", lambda entry, convention: entry.name)
    found = [str(row) for row in build(convention="paper")]
    assert set(found) == set(EXACT)
    assert [paper.published(CODECS.get(name).spec) for name in found] == list(paper.table1())


def test_a_decoder_that_gets_codes_has_to_project_them() -> None:
    """DAC's forward hands the projected latents over; a file or a line holds codes alone."""
    entry = CODECS.get("dac-16k-6k")
    if entry.missing():
        pytest.skip(entry.readiness())
    blueprint = entry.blueprint()
    assert blueprint is not None
    network: Any = blueprint.build()
    forward = Call(lambda audio: network.network(audio[:, None], n_quantizers=12))
    with_codes = operations(network, entry.spec, {}).total
    assert with_codes - operations(forward, entry.spec, {}).total == _projections(
        entry.spec, with_bias=False
    )


def test_what_the_counter_misses_of_sqcodec() -> None:
    (row,) = (row for row in paper.table5() if row.bitrate_bps == 6000)
    (counted,) = build(["sqcodec-6k"], convention="paper")
    assert counted.published is not None
    assert row.macs_g == counted.published.macs_g
    assert counted.seen is not None
    assert counted.operations is not None
    assert "Conv1d" not in counted.seen  # every convolution is weight-normed, or inline
    assert counted.seen["Linear"] > 0.99 * counted.macs
    assert counted.operations.total / counted.macs == pytest.approx(3.718, abs=1e-3)


@pytest.mark.parametrize("convention", ["uniform", "paper"])
def test_a_missing_package_is_a_reason(
    convention: Convention, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "vocos" else find(name)
    )
    (row,) = build(["wavtokenizer-40"], convention=convention)
    assert row.reason.startswith("needs vocos: pip install 'av>=14'")
    assert math.isnan(row.macs)


def test_rows_of_the_paper_are_found_by_facts() -> None:
    found = {entry.name: paper.published(entry.spec) for entry in CODECS}
    assert sum(name.startswith("sqcodec") and bool(row) for name, row in found.items()) == 7
    twelve = found["sqcodec-12k-24khz"]
    assert twelve is not None
    assert twelve.macs_g == 37.68
    assert found["opus-6k"] is None


@pytest.fixture(autouse=True)
def published_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests of codecs that ran before in this process may have left narrow networks."""
    from sqbench_codecs.wavtokenizer import sizes

    for hop, size in list(sizes.SIZES.items()):
        monkeypatch.setitem(sizes.SIZES, hop, sizes.Sizes(strides=size.strides))
