"""DAC: its operating points, its sizes, and chunks that equal the whole."""

from __future__ import annotations

from collections.abc import Callable

import audio_fixtures
import numpy as np
import pytest

from sqbench_codecs import CODECS, Codec
from sqbench_codecs.neural import LongAudio, NeuralCodec

Tiny = Callable[[str], Codec]


def test_every_number_of_codebooks_is_a_point() -> None:
    points = [e.spec for e in CODECS if e.name.startswith("dac-")]
    by_rate = {rate: [s for s in points if s.sample_rate == rate] for rate in (16000, 24000, 44100)}
    assert [len(v) for v in by_rate.values()] == [12, 32, 9]
    for specs in by_rate.values():
        assert [s.num_codebooks for s in specs] == list(range(1, len(specs) + 1))
    assert CODECS.get("dac-16k-1k5").spec.num_codebooks == 3
    assert CODECS.get("dac-24k-24k").spec.num_codebooks == 32
    assert CODECS.get("dac-44k-q9").spec.bitrate_bps == pytest.approx(7751.95, abs=0.01)


@pytest.mark.parametrize(
    ("name", "params_m"), [("dac-16k-6k", 74.176), ("dac-24k-24k", 74.709), ("dac-16k-1k", 74.176)]
)
def test_parameters_are_the_published_ones(name: str, params_m: float) -> None:
    blueprint = CODECS.get(name).blueprint()
    assert blueprint is not None
    network = blueprint.build()
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(params_m, abs=5e-4)
    unused = sum(
        p.numel()
        for key, p in network.named_parameters()
        if key.startswith(blueprint.parts["unused"])
    )
    spec = CODECS.get(name).spec
    books = {16000: 12, 24000: 32}[spec.sample_rate or 0]
    assert (unused > 0) == (spec.num_codebooks < books)


def test_fewer_codebooks_are_the_first_of_more(tiny: Tiny) -> None:
    few, all_ = tiny("dac-16k-3k"), tiny("dac-16k-6k")
    x = audio_fixtures.babble(0.5).astype(np.float32)
    np.testing.assert_array_equal(few.encode([x])[0], all_.encode([x])[0][:6])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dac-16k-6k", "dac-24k-6k", "dac-44k-q9"])
def test_the_context_is_as_long_as_the_network_reaches(
    name: str, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec = tiny(name)
    assert isinstance(codec, NeuralCodec)
    x = audio_fixtures.babble(12.0, codec.spec.sample_rate or 0).astype(np.float32)
    whole = codec.encode([x])
    audio = codec.decode(whole, [len(x)])[0]
    rule = codec.long
    monkeypatch.setattr(codec, "long", LongAudio(whole_s=2, chunk_s=2, context_s=rule.context_s))
    cut = codec.encode([x])
    assert np.mean(cut[0] != whole[0]) < 1e-3
    np.testing.assert_allclose(codec.decode(whole, [len(x)])[0], audio, rtol=0, atol=1e-5)
