"""Running a codec over utterances: read, resample, encode, decode, count bits and seconds.

The one function of a codec shard. It never raises for an utterance: what went wrong with one is
its reason, and its neighbours are coded without it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sqbench import audio
from sqbench.data.base import Utterance
from sqbench.errors import InputError
from sqbench_codecs import Codec, num_bits


@dataclass(frozen=True, kw_only=True)
class Coded:
    """What coding an utterance took.

    Attributes:
        duration_s: seconds of audio.
        bits: that the codes carry, padding included.
        encode_s, decode_s: seconds spent, shared evenly where several were coded together.
    """

    duration_s: float
    bits: float
    encode_s: float
    decode_s: float


@dataclass(frozen=True, kw_only=True)
class Reconstruction:
    """An utterance that went through a codec.

    Attributes:
        reference: its first channel ``[T]`` at ``reference_rate``.
        estimate: what came out ``[T']`` at ``estimate_rate``, the codec's rate.
        coded: what it took.
    """

    utterance: Utterance
    reference: NDArray[np.float64]
    reference_rate: int
    estimate: NDArray[np.float32]
    estimate_rate: int
    coded: Coded


@dataclass(frozen=True)
class Lost:
    """An utterance that did not go through, and why."""

    utterance: Utterance
    reason: str


@dataclass(frozen=True)
class _Loaded:
    utterance: Utterance
    reference: NDArray[np.float64]
    rate: int
    input: NDArray[np.float32]
    input_rate: int


def reconstruct(
    codec: Codec, utterances: Sequence[Utterance], *, seconds: float | None = None
) -> Iterator[Reconstruction | Lost]:
    """Code a batch; yields one outcome per utterance, in order.

    Args:
        seconds: at most so much of each, from its beginning.
    """
    outcomes = [_load(codec, utterance, seconds) for utterance in utterances]
    loaded = [item for item in outcomes if isinstance(item, _Loaded)]
    coded = dict(
        zip((item.utterance.id for item in loaded), _code_or_split(codec, loaded), strict=True)
    )
    for item in outcomes:
        yield item if isinstance(item, Lost) else coded[item.utterance.id]


def read_reference(
    utterance: Utterance, seconds: float | None = None
) -> tuple[NDArray[np.float64], int]:
    """What is coded and scored of an utterance.

    Args:
        seconds: at most so much of it, from its beginning.

    Returns:
        Its first channel ``[T]`` and the rate in Hz.

    Raises:
        InputError: the audio cannot be decoded.
        OSError: the file cannot be read.
    """
    # Errors name the file where there is one: an id alone does not say which folder.
    name = str(utterance.path) if utterance.path else utterance.id
    samples, rate = audio.read(utterance.path or utterance.content(), name=name)
    reference = audio.first_channel(samples)
    if seconds is not None:
        reference = reference[: max(1, round(seconds * rate))]
    return reference, rate


def _load(codec: Codec, utterance: Utterance, seconds: float | None) -> _Loaded | Lost:
    try:
        reference, rate = read_reference(utterance, seconds)
        input_rate = codec.spec.sample_rate or rate
        at_rate = audio.resample(reference, rate, input_rate).astype(np.float32)
    except Exception as error:
        known = isinstance(error, InputError | OSError)
        return Lost(utterance, str(error) if known else f"{type(error).__name__}: {error}")
    return _Loaded(utterance, reference, rate, at_rate, input_rate)


def _code_or_split(codec: Codec, items: Sequence[_Loaded]) -> list[Reconstruction | Lost]:
    """Code together; if that fails, one by one, so that only the culprit is lost."""
    if not items:
        return []
    try:
        return list(_code(codec, items))
    except Exception as error:  # a codec may be anybody's code
        if len(items) == 1:
            what = (
                str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
            )
            return [Lost(items[0].utterance, f"codec {codec.spec.name}: {what}")]
    return [outcome for item in items for outcome in _code_or_split(codec, [item])]


def _code(codec: Codec, items: Sequence[_Loaded]) -> Iterator[Reconstruction]:
    lengths = [len(item.input) for item in items]
    start = time.perf_counter()
    codes = codec.encode([item.input for item in items])
    middle = time.perf_counter()
    estimates = codec.decode(codes, lengths)
    end = time.perf_counter()
    if not len(codes) == len(estimates) == len(items):
        raise InputError(
            f"codec {codec.spec.name}",
            expected=f"{len(items)} results",
            found=f"{len(codes)} codes and {len(estimates)} waveforms",
        )
    for item, item_codes, estimate in zip(items, codes, estimates, strict=True):
        _check(codec, item, item_codes, estimate)
        yield Reconstruction(
            utterance=item.utterance,
            reference=item.reference,
            reference_rate=item.rate,
            estimate=np.asarray(estimate, np.float32),
            estimate_rate=item.input_rate,
            coded=Coded(
                duration_s=len(item.reference) / item.rate,
                bits=num_bits(item_codes, codec.spec.codebook_sizes),
                encode_s=(middle - start) / len(items),
                decode_s=(end - middle) / len(items),
            ),
        )


def _check(
    codec: Codec, item: _Loaded, codes: NDArray[np.int64], estimate: NDArray[np.float32]
) -> None:
    """A codec that breaks its contract must not get a score."""
    sizes = codec.spec.codebook_sizes
    if not np.issubdtype(codes.dtype, np.integer):
        raise InputError(
            f"codec {codec.spec.name}: codes", expected="integers", found=str(codes.dtype)
        )
    if codes.ndim != 2 or codes.shape[0] != len(sizes):
        raise InputError(
            f"codec {codec.spec.name}: codes",
            expected=f"shape [{len(sizes)}, frames]",
            found=f"{list(codes.shape)}",
        )
    for book, size in zip(codes, sizes, strict=True):
        if book.size and (book.min() < 0 or book.max() >= size):
            raise InputError(
                f"codec {codec.spec.name}: codes",
                expected=f"0 to {size - 1}",
                found=f"{book.min()} to {book.max()}",
            )
    if estimate.shape != item.input.shape or not np.issubdtype(estimate.dtype, np.floating):
        raise InputError(
            f"codec {codec.spec.name}: decoded audio",
            expected=f"floating point of shape {list(item.input.shape)}",
            found=f"{estimate.dtype} of shape {list(estimate.shape)}",
        )
