"""An exported SQCodec under onnxruntime beside the codec itself: codes, audio, speed, size."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sqbench.report.grid import Grid, GridCell, Head

if TYPE_CHECKING:
    from sqcodec import SQCodec

Samples = NDArray[np.float32]


class _Files(Protocol):
    @property
    def encoder(self) -> Path: ...
    @property
    def decoder(self) -> Path: ...
    @property
    def size(self) -> int: ...


@dataclass(frozen=True, kw_only=True)
class OnnxRow:
    """One variant over clips.

    Attributes:
        variant: ``torch`` for the codec itself.
        size_mb: of what is on the disk, 1e6 bytes.
        codes, same: codes of all clips, and those that are the codec's.
        deviation: largest difference of a sample, decoding the codec's codes; full scale at 1.
        snr_db: of audio through the whole variant, against the clips; the mean.
        encode_rtf, decode_rtf: seconds of one thread a second of audio, the median of the clips.
    """

    variant: str
    size_mb: float
    codes: int
    same: int
    deviation: float
    snr_db: float
    encode_rtf: float
    decode_rtf: float


def measure(
    codec: SQCodec, variants: Sequence[tuple[str, _Files]], clips: Sequence[Samples]
) -> list[OnnxRow]:
    """The codec itself, then each variant, on clips ``[T]`` at its rate, one by one."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        padded = [_padded(codec, clip) for clip in clips]
        ours = [codec.encode(clip).numpy() for clip in padded]
        audio = [codec.decode(codes).numpy() for codes in ours]
        weights = sum(p.numel() * p.element_size() for p in codec.model.parameters())
        coders = [
            ("torch", weights, lambda x: codec.encode(x).numpy(), lambda c: codec.decode(c).numpy())
        ]
        coders += [(name, files.size, *_sessions(files)) for name, files in variants]
        return [_row(codec, *coder, clips, padded, ours, audio) for coder in coders]
    finally:
        torch.set_num_threads(before)


def _padded(codec: SQCodec, clip: Samples) -> Samples:
    return np.pad(clip, (0, codec.config.padded_length(len(clip)) - len(clip)))


Coder = Callable[[NDArray[Any]], NDArray[Any]]


def _sessions(files: _Files) -> tuple[Coder, Coder]:
    """Both networks on one thread, each ``[T]`` or ``[N]`` to the other."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1

    def runs(path: Path) -> Coder:
        session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        return lambda values: np.asarray(session.run(None, {name: values[None]})[0][0])

    return runs(files.encoder), runs(files.decoder)


def _row(
    codec: SQCodec, variant: str, size: int, encode: Coder, decode: Coder,
    clips: Sequence[Samples], padded: Sequence[Samples],
    ours: Sequence[NDArray[Any]], audio: Sequence[Samples],
) -> OnnxRow:  # fmt: skip
    decode(encode(padded[0]))  # the first call prepares
    same, deviation = 0, 0.0
    snr, encoding, decoding = [], [], []
    for clip, whole, codes, want in zip(clips, padded, ours, audio, strict=True):
        seconds = len(whole) / codec.sample_rate
        start = time.perf_counter()
        found = encode(whole)
        middle = time.perf_counter()
        decoded = decode(codes)
        end = time.perf_counter()
        encoding.append((middle - start) / seconds)
        decoding.append((end - middle) / seconds)
        same += int((found == codes).sum())
        deviation = max(deviation, float(np.abs(decoded - want).max()))
        through = decode(found)[: len(clip)]
        noise = float(np.mean(np.square(through - clip, dtype=np.float64)))
        power = float(np.mean(np.square(clip, dtype=np.float64)))
        if noise > 0 and power > 0:
            snr.append(10 * np.log10(power / noise))
    return OnnxRow(
        variant=variant,
        size_mb=size / 1e6,
        codes=sum(codes.size for codes in ours),
        same=same,
        deviation=deviation,
        snr_db=statistics.fmean(snr) if snr else float("nan"),
        encode_rtf=statistics.median(encoding),
        decode_rtf=statistics.median(decoding),
    )


def to_grid(rows: Sequence[OnnxRow]) -> Grid:
    """The table for people."""
    heads = [
        Head(title="Variant", number=False), Head(title="Size", below="MB"),
        Head(title="Codes", below="the same, %"), Head(title="Deviation", below="of decoded"),
        Head(title="SNR", below="dB"), Head(title="Encode", below="s/s"),
        Head(title="Decode", below="s/s"),
    ]  # fmt: skip
    lines = [
        [
            GridCell(text=text)
            for text in (
                row.variant, f"{row.size_mb:.1f}", f"{100 * row.same / row.codes:.3f}",
                f"{row.deviation:.1e}", f"{row.snr_db:.3f}", f"{row.encode_rtf:.3f}",
                f"{row.decode_rtf:.3f}",
            )
        ]
        for row in rows
    ]  # fmt: skip
    notes = [
        "Deviation: largest difference of a sample from the codec's own audio of equal codes. SNR: "
        "of audio through all of a variant, against the clip, the mean. Seconds of one thread.",
    ]
    return Grid(title="", heads=heads, groups=[lines], notes=notes)
