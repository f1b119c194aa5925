"""What a stream costs and how far it is behind, measured as it would be used: chunk by chunk."""

from __future__ import annotations

import math
import statistics
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sqbench_codecs.streaming import StreamingCodec


@dataclass(frozen=True, kw_only=True)
class StreamSpeed:
    """Measured on one clip.

    Attributes:
        latency_s: algorithmic latency, as the codec states it: the most that the last sample heard
            is ahead of the last one given back, were chunks single samples and computing free.
        first_packet_s: from the first sample to the first one given back: whole chunks of audio,
            then the computing of the last of them; NaN if the clip was over before.
        chunk_rtf: seconds of computing, both ways, a second of a chunk; the median.
        chunk_rtf_p95: that 95 of 100 chunks do not exceed.
    """

    latency_s: float
    first_packet_s: float
    chunk_rtf: float
    chunk_rtf_p95: float


def measure(codec: StreamingCodec, clip: NDArray[np.float32]) -> StreamSpeed:
    """Send a clip ``[T]`` through a stream, both ends in this process; chunks all of one length."""
    rate = codec.spec.sample_rate
    assert rate is not None
    stream, spent, first = codec.codec.stream(), [], None
    for part in codec.chunks(len(clip), rate):
        start = time.perf_counter()
        given = stream.decoder.push(stream.encoder.push(clip[part]))
        seconds = time.perf_counter() - start
        spent.append(seconds / ((part.stop - part.start) / rate))
        if first is None and len(given):
            first = part.stop / rate + seconds
    if first is None:
        first = math.nan
    return StreamSpeed(
        latency_s=codec.latency_s,
        first_packet_s=first,
        chunk_rtf=statistics.median(spent),
        chunk_rtf_p95=float(np.quantile(spent, 0.95)),
    )
