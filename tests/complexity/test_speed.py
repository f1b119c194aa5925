"""Measured speed: look-ahead of codecs whose look-ahead is known, and the process of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from sqbench.complexity.speed import lookahead, measure, measure_here
from sqbench_codecs import Codec, CodecSpec, Codes, Waveform
from sqcodec.errors import InputError


class Ahead(Codec):
    """Blocks of 100 samples, each with the mean of ``ahead`` samples after it; or of all."""

    spec = CodecSpec(
        name="ahead", sample_rate=8000, frame_rate=80.0, codebook_sizes=(2**32,), bitrate_bps=None
    )

    def __init__(self, ahead: int | None) -> None:
        super().__init__()
        self.ahead = ahead

    def encode(self, audio: Sequence[Waveform]) -> list[Codes]:
        out = []
        for x in audio:
            blocks = x[: len(x) // 100 * 100].reshape(-1, 100)
            if self.ahead is None:
                means = np.full(len(blocks), x.mean(), np.float32)
            else:
                ends = np.arange(1, len(blocks) + 1) * 100 + self.ahead
                sums = np.concatenate([[0.0], np.cumsum(x, dtype=np.float64)])
                means = (sums[np.minimum(ends, len(x))] - sums[ends - 100 - self.ahead]).astype("f")
            out.append(means.view(np.uint32)[None].astype(np.int64))
        return out

    def decode(self, codes: Sequence[Codes], lengths: Sequence[int]) -> list[Waveform]:
        return [
            np.repeat(c[0].astype(np.uint32).view(np.float32), 100)[:n]
            for c, n in zip(codes, lengths, strict=True)
        ]


@pytest.mark.parametrize("ahead", [0, 37, 400])
def test_lookahead_is_found(ahead: int) -> None:
    # The last sample that a block's first sample depends on is 99 + ahead later; the four places
    # tried are 40 samples apart.
    assert (99 + ahead - 40) / 8000 <= lookahead(Ahead(ahead)) <= (99 + ahead) / 8000


def test_a_mean_over_the_clip_needs_all_of_it() -> None:
    assert lookahead(Ahead(None)) == math.inf


def test_seconds_and_memory_are_measured() -> None:
    found = measure_here(Ahead(0), seconds=1.0)
    assert 0 < found.encode_rtf < math.inf
    assert 0 < found.decode_rtf < math.inf
    assert found.peak_memory_mb > 10


def test_a_codec_is_measured_in_a_process_of_its_own() -> None:
    found = measure("mulaw-8", threads=1)
    assert found.threads == 1
    assert found.lookahead_s == 0
    assert found.peak_memory_mb < 200  # no torch, whatever this process holds


def test_what_stops_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"sqcodec-6k.*no such path"):
        measure("sqcodec-6k", weights=str(tmp_path / "none.safetensors"))
