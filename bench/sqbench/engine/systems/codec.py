"""Codecs as systems: reading, resampling, checking, and losing no more than the culprit.

Where the codec runs is a `Runner`'s business: `sqbench.engine.systems.process` has it in a process
of its own, `InlineRunner` in this one.
"""

from __future__ import annotations

import secrets
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from sqbench import audio
from sqbench.counting import count
from sqbench.engine.jobs import Item
from sqbench.engine.systems.base import Coded, Lost, Reconstruction, System, read_reference, why
from sqbench.errors import InputError
from sqbench_codecs import Codec, TorchCodec, num_bits
from sqbench_codecs.host import fingerprint, seeding, server

Result = TypeVar("Result")


class CodecFailure(Exception):
    """A codec raised or died; ``trace`` is its traceback, if there is one.

    ``again`` says that trying the same clips once more may help: the process was lost, perhaps
    to something else.
    """

    def __init__(self, reason: str, *, trace: str = "", again: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.trace, self.again = reason, trace, again


@dataclass(frozen=True)
class Made:
    """What a codec made of a clip: codes ``[num_codebooks, frames]``, audio ``[T]``, seconds."""

    codes: NDArray[Any]
    estimate: NDArray[Any]
    encode_s: float
    decode_s: float


class Runner(Protocol):
    """Runs a codec over clips; thread-safe."""

    parallel: int
    """How many batches it can be at."""

    def code(self, clips: Sequence[NDArray[np.float32]], seeds: Sequence[int]) -> list[Made]:
        """Encode and decode ``[T_i]`` at the codec's rate, each with its own random numbers.

        Raises:
            CodecFailure: the codec could not.
        """
        ...

    def call(self, method: str, arrays: Sequence[Any], lengths: Sequence[int] = ()) -> list[Any]:
        """``encode`` or ``decode`` alone.

        Raises:
            CodecFailure: the codec could not.
        """
        ...

    def output(self) -> str:
        """What the codec printed, as far as it was kept."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class _Read:
    item: Item
    reference: NDArray[np.float64]
    rate: int
    input: NDArray[np.float32]
    input_rate: int


class CodecSystem(System):
    """A codec, wherever it runs.

    Args:
        description: of the codec (`System`).
        runner: runs it.
        seed: what the random numbers of a clip are made of, with the clip's id.
    """

    def __init__(
        self,
        description: dict[str, Any],
        runner: Runner,
        *,
        seed: int = 0,
        unknown: Sequence[str] = (),
        cost: dict[str, float | None] | None = None,
    ) -> None:
        self.description, self.runner, self.seed, self.unknown = description, runner, seed, unknown
        if unknown:
            settings = {**description["settings"], "unknown": secrets.token_hex(8)}
            self.description = {**description, "settings": settings}
        self._cost = cost
        self.failed = False
        self.first_trace = ""

    def cost(self) -> dict[str, float | None]:
        return self._cost if self._cost is not None else super().cost()

    def close(self) -> None:
        self.runner.close()

    def encode(self, clip: NDArray[np.float32]) -> NDArray[Any]:
        """Codes ``[num_codebooks, frames]`` of ``[T]`` at the codec's rate.

        Raises:
            CodecFailure: the codec could not.
        """
        found: NDArray[Any] = self.runner.call("encode", [clip])[0]
        return found

    def decode(self, codes: NDArray[Any], length: int) -> NDArray[Any]:
        """Audio ``[length]`` of codes.

        Raises:
            CodecFailure: the codec could not.
        """
        found: NDArray[Any] = self.runner.call("decode", [codes], [length])[0]
        return found

    def log(self) -> str:
        """The first traceback and what the codec printed, if it failed; else nothing."""
        if not self.failed:
            return ""
        said = self.runner.output()
        return "\n".join(filter(None, (self.first_trace, said and f"What it printed:\n{said}")))

    def reconstruct(
        self, batches: Iterator[Sequence[Item]], *, seconds: float | None = None
    ) -> Iterator[Reconstruction | Lost]:
        # One thread more than the runner takes: it reads the next batch meanwhile.
        ahead = self.runner.parallel + 1
        pending: deque[Future[list[Reconstruction | Lost]]] = deque()
        turn = threading.Semaphore(self.runner.parallel)
        with ThreadPoolExecutor(ahead) as threads:
            try:
                for batch in batches:
                    pending.append(threads.submit(self._batch, batch, seconds, turn))
                    if len(pending) >= ahead:
                        yield from pending.popleft().result()
                while pending:
                    yield from pending.popleft().result()
            finally:
                for future in pending:
                    future.cancel()

    def _batch(
        self, items: Sequence[Item], seconds: float | None, turn: threading.Semaphore
    ) -> list[Reconstruction | Lost]:
        outcomes = [self._read(item, seconds) for item in items]
        read = [outcome for outcome in outcomes if isinstance(outcome, _Read)]
        with turn:
            coded = iter(self._code_or_split(read))
        return [one if isinstance(one, Lost) else next(coded) for one in outcomes]

    def _read(self, item: Item, seconds: float | None) -> _Read | Lost:
        try:
            reference, rate = read_reference(item, seconds)
            input_rate = self.description["sample_rate"] or rate
            at_rate = audio.resample(reference, rate, input_rate).astype(np.float32)
        except Exception as error:
            return Lost(item, why(error))
        return _Read(item, reference, rate, at_rate, input_rate)

    def _code_or_split(
        self, clips: Sequence[_Read], *, retry: bool = True
    ) -> list[Reconstruction | Lost]:
        """Code together; if that fails, one by one, so that only the culprit is lost."""
        if not clips:
            return []
        seeds = [seeding.clip_seed(self.seed, clip.item.utterance.id) for clip in clips]
        try:
            made = self.runner.code([clip.input for clip in clips], seeds)
            return [self._checked(clip, one) for clip, one in zip(clips, made, strict=True)]
        except (CodecFailure, InputError) as error:
            again = isinstance(error, CodecFailure) and error.again and retry
            if isinstance(error, CodecFailure):
                self.first_trace = self.first_trace or error.trace
            if len(clips) == 1 and not again:
                self.failed = True
                return [Lost(clips[0].item, _named(self.name, str(error)))]
        single = len(clips) > 1
        return [
            one for clip in clips for one in self._code_or_split([clip], retry=retry and single)
        ]

    def _checked(self, clip: _Read, made: Made) -> Reconstruction:
        """A codec that breaks its contract must not get a score.

        Raises:
            InputError: it does.
        """
        sizes = self.description["codebook_sizes"]
        codes, estimate = made.codes, made.estimate
        what = f"codec {self.name}: codes"
        if not np.issubdtype(codes.dtype, np.integer):
            raise InputError(what, expected="integers", found=str(codes.dtype))
        if codes.ndim != 2 or codes.shape[0] != len(sizes):
            raise InputError(
                what, expected=f"shape [{len(sizes)}, frames]", found=f"{list(codes.shape)}"
            )
        for book, size in zip(codes, sizes, strict=True):
            if book.size and (book.min() < 0 or book.max() >= size):
                raise InputError(
                    what, expected=f"0 to {size - 1}", found=f"{book.min()} to {book.max()}"
                )
        # A codec may decode to another rate than it encodes.
        rate = self.description.get("output_sample_rate") or clip.input_rate
        shape = (-(-len(clip.input) * rate // clip.input_rate),)
        if estimate.shape != shape or not np.issubdtype(estimate.dtype, np.floating):
            raise InputError(
                f"codec {self.name}: decoded audio",
                expected=f"floating point of shape {list(shape)}",
                found=f"{estimate.dtype} of shape {list(estimate.shape)}",
            )
        return Reconstruction(
            item=clip.item,
            reference=clip.reference,
            reference_rate=clip.rate,
            estimate=np.asarray(estimate, np.float32),
            estimate_rate=rate,
            coded=Coded(
                duration_s=len(clip.reference) / clip.rate,
                bits=num_bits(codes, sizes),
                encode_s=made.encode_s,
                decode_s=made.decode_s,
            ),
            codes=codes,
        )


def _named(codec: str, reason: str) -> str:
    """A reason with the codec's name before it, once."""
    return reason if reason.startswith(f"codec {codec}") else f"codec {codec}: {reason}"


def made_of(answer: dict[str, Any], arrays: Sequence[Any]) -> list[Made]:
    """What a host's answer holds, clip by clip."""
    pairs = zip(arrays[::2], arrays[1::2], answer["times"], strict=True)
    return [Made(codes, estimate, *times) for codes, estimate, times in pairs]


class InlineRunner:
    """A codec object in this process, for whom the caller's random numbers are left alone.

    Args:
        raising: let what the codec raises out, for debugging.
    """

    parallel = 1

    def __init__(self, codec: Codec, *, raising: bool = False) -> None:
        self._server, self._raising = server.SeededCodec(codec), raising

    def code(self, clips: Sequence[NDArray[np.float32]], seeds: Sequence[int]) -> list[Made]:
        return self._guarded(lambda: made_of(*self._server.code(list(clips), list(seeds))))

    def _guarded(self, work: Callable[[], Result]) -> Result:
        before = seeding.state()
        try:
            return work()
        except InputError:
            raise
        except Exception as error:  # a codec may be anybody's code
            if self._raising:
                raise
            raise CodecFailure(why(error), trace=traceback.format_exc()) from error
        finally:
            seeding.restore(before)

    def call(self, method: str, arrays: Sequence[Any], lengths: Sequence[int] = ()) -> list[Any]:
        return self._guarded(lambda: self._server.call(method, list(arrays), list(lengths)))

    def output(self) -> str:
        return ""

    def close(self) -> None: ...


def inline(codec: Codec, *, seed: int = 0, raising: bool = False) -> CodecSystem:
    """A loaded codec as a system that stays in this process."""
    description, unknown = described(codec)
    before = seeding.state()
    try:
        cost = count(codec)
    except Exception:  # a network may be anybody's code; it is scored all the same
        cost = None
    finally:
        seeding.restore(before)
    return CodecSystem(
        {**description, "hosted": "inline"},
        InlineRunner(codec, raising=raising),
        seed=seed,
        unknown=unknown,
        cost=cost,
    )


def described(codec: Codec) -> tuple[dict[str, Any], list[str]]:
    """A codec's description with, for a third party's, the hash of its files and of what it holds.

    Returns:
        The description, and what could not be hashed.
    """
    description = codec.describe()
    kind = type(codec)
    if isinstance(codec, TorchCodec):
        kind = codec.made_by
    elif kind.__module__.partition(".")[0] == "sqbench_codecs":
        return description, []
    file = fingerprint.source_file(kind)
    # Weights are in the description: where their file lies is nobody's identity.
    held, unknown = fingerprint.of_object(codec, ("device", "origin", "weights"))
    if file is None:
        unknown = [*unknown, f"source of {kind.__qualname__}"]
    settings = {
        **description["settings"],
        "files": fingerprint.of_files(file) if file is not None else {},
        "held": held,
    }
    return {**description, "settings": settings}, unknown
