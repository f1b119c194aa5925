"""The published rows: Tables 1, 2, 3 and 5 of "One Quantizer is Enough" (arXiv 2504.04949).

The figures are the paper's, as printed. Sample rates are inferred where the paper prints none:
its two DAC families and its two SQCodec rows at 12 kbps differ in parameters and operations only.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, TypeVar, get_type_hints

if TYPE_CHECKING:
    from sqbench_codecs import CodecSpec

CITATION = "arXiv 2504.04949"

Row = TypeVar("Row")


@dataclass(frozen=True, kw_only=True)
class Model:
    """What Tables 1, 2 and 5 say of a model: operations in G (the paper's count), parameters in M.

    ``sample_rate`` is in Hz, ``bitrate_bps`` in bits a second.
    """

    model: str
    sample_rate: int
    bitrate_bps: float
    macs_g: float
    params_m: float


@dataclass(frozen=True, kw_only=True)
class SignalRow(Model):
    """A row of Table 1: SDR in dB, MEL, STOI and PESQ on speech; SDR and MEL on audio."""

    num_codebooks: int
    sdr: float
    mel: float
    stoi: float
    pesq: float
    audio_sdr: float
    audio_mel: float


@dataclass(frozen=True, kw_only=True)
class ApplicationRow(Model):
    """A row of Table 2: WER and EER in percent, accuracies of emotion and audio events too."""

    num_codebooks: int
    wer: float
    eer: float
    er_acc: float
    aec_acc: float


@dataclass(frozen=True, kw_only=True)
class AblationRow:
    """A row of Table 3: the first holds values, the others their differences to it."""

    variant: str
    receptive_field_s: float
    sdr: float
    pesq: float
    wer: float
    eer: float
    audio_sdr: float
    aec_acc: float


@dataclass(frozen=True, kw_only=True)
class TrainingRow(Model):
    """A row of Table 5: strides, attention windows, quantizer levels and hours of training."""

    encoder_rates: tuple[int, ...]
    decoder_rates: tuple[int, ...]
    window: tuple[int, ...]
    levels: tuple[int, ...]
    training_hours: float


@cache
def table1() -> tuple[SignalRow, ...]:
    """Signal level."""
    return _read("table1", SignalRow)


@cache
def table2() -> tuple[ApplicationRow, ...]:
    """Application level."""
    return _read("table2", ApplicationRow)


@cache
def table3() -> tuple[AblationRow, ...]:
    """Ablations at 6 kbps."""
    return _read("table3", AblationRow)


@cache
def table5() -> tuple[TrainingRow, ...]:
    """Training configurations of the seven SQCodec models."""
    return _read("table5", TrainingRow)


def published(spec: CodecSpec) -> SignalRow | None:
    """The row of Table 1 that a codec's facts and name's beginning match, if there is one.

    The paper rounds bitrates: SQCodec's 5989 b/s are its 6000.
    """
    rows = [
        row
        for row in table1()
        if spec.name.lower().startswith(row.model.lower())
        and spec.sample_rate == row.sample_rate
        and spec.num_codebooks == row.num_codebooks
        and spec.bitrate_bps is not None
        and abs(spec.bitrate_bps - row.bitrate_bps) < 0.01 * row.bitrate_bps
    ]
    return rows[0] if rows else None


def label(row: Model) -> str:
    """``SQCodec 6k (paper)``; with the rate for the higher rate of a model that has two."""
    lowest = min(other.sample_rate for other in table1() if other.model == row.model)
    rate = f" {row.sample_rate // 1000}kHz" if row.sample_rate > lowest else ""
    return f"{row.model} {_short(row.bitrate_bps)}{rate} (paper)"


def _short(bitrate_bps: float) -> str:
    """750, 1k5, 6k: as the codecs here are named."""
    whole, rest = divmod(int(bitrate_bps), 1000)
    return f"{whole}k{str(rest).rstrip('0') if rest else ''}" if whole else str(rest)


def _read(name: str, kind: type[Row]) -> tuple[Row, ...]:
    """A table of the package data, each column converted to the type of its field."""
    text = (resources.files("sqbench.published") / "data" / f"{name}.csv").read_text(
        encoding="utf-8"
    )
    types = get_type_hints(kind)
    return tuple(
        kind(**{column: _convert(types[column], value) for column, value in row.items()})
        for row in csv.DictReader(text.splitlines())
    )


def _convert(kind: object, text: str) -> str | int | float | tuple[int, ...]:
    if kind is str:
        return text
    if kind is int:
        return int(text)
    if kind is float:
        return float(text)
    return tuple(int(part) for part in text.split())
