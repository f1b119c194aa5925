"""Codecs in streams as operating points: names, identity, and what comes out."""

from __future__ import annotations

import math
from dataclasses import replace
from types import MappingProxyType, SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from sqbench.complexity import report, speed
from sqbench.complexity.run import CostRow
from sqbench.complexity.streaming import measure
from sqbench.engine.systems.names import split_weights, streamed
from sqbench_codecs import CODECS, Codec, CodecSpec, load_codec
from sqbench_codecs.streaming import StreamingCodec
from sqcodec.errors import InputError

RATE = 16000


def noise(length: int) -> NDArray[np.float32]:
    return (0.1 * np.random.default_rng(0).standard_normal(length)).astype(np.float32)


@pytest.fixture(scope="module")
def codec() -> Codec:
    return load_codec("sqcodec-6k@80ms", weights="bundled")


def test_names() -> None:
    assert CODECS.get("sqcodec-6k@20ms").name == "sqcodec-6k-stream-20ms"
    assert CODECS.get("sqcodec-6k-stream-2.5ms").name == "sqcodec-6k-stream-2.5ms"
    assert CODECS.get("6kbps@20ms").name == "sqcodec-6k-stream-20ms"
    assert split_weights("sqcodec-6k@20ms@official@main") == ("sqcodec-6k@20ms", "official@main")
    assert streamed(["sqcodec-6k@bundled", "sqcodec"], 20.0) == [
        "sqcodec-6k@20ms@bundled", "sqcodec@20ms",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("opus-6k@20ms", "that streams"),
        ("sqcodec-6k@20ms@20ms", "that streams"),
        ("sqcodec-6k@0.5ms", "chunks of"),
        ("nothing@20ms", "unknown codec"),
    ],
)
def test_what_cannot_stream(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        CODECS.get(name)


def test_a_file_is_no_codec_to_stream() -> None:
    with pytest.raises(InputError, match="a file, a folder or an interpreter"):
        streamed(["mine.py:Mine"], 20.0)


def test_a_codec_that_does_not_stream_says_so() -> None:
    with pytest.raises(InputError, match="codec identity"):
        load_codec("identity").stream()


def test_clips_come_through(codec: Codec) -> None:
    whole, clips = load_codec("sqcodec-6k", weights="bundled"), [noise(9000), noise(0)]
    codes = codec.encode(clips)
    offline = whole.encode(clips)
    assert [c.shape for c in codes] == [(1, 200), (1, 0)]
    assert (codes[0] == offline[0][:, :200]).mean() > 0.98
    decoded = codec.decode(codes, [9000, 0])
    assert [len(x) for x in decoded] == [9000, 0]
    assert decoded[0].dtype == np.float32
    theirs = whole.decode([codes[0]], [9000])[0]
    assert 0 < np.abs(decoded[0] - theirs).max() < 1


def test_it_is_another_codec(codec: Codec) -> None:
    described, other = codec.describe(), load_codec("sqcodec-6k@20ms", weights="bundled")
    assert described["name"] == "sqcodec-6k-stream-80ms"
    assert described["settings"]["streaming"]["chunk_ms"] == 80
    assert described["settings"]["streaming"] != other.describe()["settings"]["streaming"]
    assert described["weights"] == other.describe()["weights"]
    assert codec.blueprint() is not None


class _Later:
    """Gives samples back ten samples late, one code a sample, and takes 'time' by request."""

    latency_s = 10 / RATE
    settings = MappingProxyType({"late": 10})

    def __init__(self) -> None:
        self.encoder = SimpleNamespace(push=lambda x: np.zeros((1, len(x)), np.int64))
        self.held = 0
        self.decoder = SimpleNamespace(push=self._push)

    def _push(self, codes: NDArray[np.int64]) -> NDArray[np.float32]:
        self.held += codes.shape[1]
        given = max(0, self.held - 400)
        self.held -= given
        return np.zeros(given, np.float32)


def test_what_a_stream_costs() -> None:
    spec = CodecSpec(
        name="later", sample_rate=RATE, frame_rate=RATE, codebook_sizes=(2,), bitrate_bps=None
    )
    codec = StreamingCodec.__new__(StreamingCodec)
    Codec.__init__(codec, spec)
    codec.chunk_ms, codec.latency_s = 20.0, _Later.latency_s
    codec.codec = SimpleNamespace(stream=_Later)  # type: ignore[assignment]
    found = measure(codec, noise(3200))
    # 400 samples wait: the second chunk of 320 is the first to give any back.
    assert 0.04 < found.first_packet_s < 0.06
    assert 0 < found.chunk_rtf <= found.chunk_rtf_p95
    assert found.latency_s == 10 / RATE
    unheard = measure(codec, noise(300))
    assert math.isnan(unheard.first_packet_s)
    row = CostRow(
        model="later", bitrate_bps=None, num_codebooks=1,
        speed=speed.Speed(
            encode_rtf=0.1, decode_rtf=0.1, peak_memory_mb=1, lookahead_s=0.0, device="cpu",
            threads=1, weights="none", stream=found,
        ),
    )  # fmt: skip
    silent = replace(row, speed=replace(row.speed, stream=unheard)) if row.speed else row
    assert '"first_packet_s": null' in report.to_json([silent], "uniform")
    heads = [head.title for head in report.to_grid([row], "uniform").heads]
    assert heads[-4:] == ["Latency", "First", "Chunk", "Chunk 95 %"]
    assert report.to_csv([row]).splitlines()[0].endswith(",".join(report.STREAM_HEADER))
    assert '"first_packet_s"' in report.to_json([row], "uniform")
