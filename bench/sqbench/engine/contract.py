"""Does a codec keep its contract? Tried on three clips, in a process of its own as in a run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sqbench import audio
from sqbench.engine.bitrate import TOLERANCE
from sqbench.engine.options import Options
from sqbench.engine.systems.codec import CodecFailure, CodecSystem, Made
from sqbench.engine.systems.opening import check_names, open_system
from sqbench.errors import InputError
from sqbench_codecs import num_bits

Verdict = Literal["ok", "mend", "note"]

RATE = 16000
"""Of the clips, in Hz, before they are resampled for the codec."""

_SECONDS = 10.0
_SHORT_S = 0.02
_ODD_SAMPLES = 12347


@dataclass(frozen=True)
class ContractFinding:
    """One thing that was tried.

    Attributes:
        verdict: ``ok``, ``mend`` (a run would lose clips, or say something untrue) or ``note``.
        what: what was tried.
        text: what was found, and what to do about it.
    """

    verdict: Verdict
    what: str
    text: str


@dataclass
class Checked:
    """All findings of a codec."""

    name: str
    findings: list[ContractFinding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return all(finding.verdict != "mend" for finding in self.findings)


def check(codec: str, *, weights: str = "auto", device: str = "cpu") -> Checked:
    """Try the contract of `sqbench_codecs.Codec` on a codec.

    Args:
        codec: what ``--codec`` takes, but for folders.

    Raises:
        InputError: there is no codec of that name or file.
    """
    check_names([codec], weights)
    checked = Checked(codec)
    try:
        system = open_system(codec, Options(weights=weights, device=device))
    except InputError as error:
        text = str(error)
        if "__init__()" in text:
            text += (
                "; a codec is made as Class(spec, weights=..., device=...): give your __init__ "
                "these parameters, or leave it out"
            )
        checked.findings.append(ContractFinding("mend", "loads", text))
        return checked
    if not isinstance(system, CodecSystem):
        raise InputError(
            f"codec {codec}", expected="a codec that codes", found="audio decoded elsewhere"
        )
    checked.name = system.name
    try:
        checked.findings += _Trial(system).all()
    finally:
        system.close()
    return checked


def clips(rate: int) -> dict[str, NDArray[np.float32]]:
    """Three made clips ``[T]`` at ``rate``, by name."""
    speech = _speech_like()
    short = speech[RATE : RATE + round(_SHORT_S * RATE)]
    found = {
        f"{_SECONDS:g} s": audio.resample(speech, RATE, rate),
        f"{1000 * _SHORT_S:g} ms": audio.resample(short, RATE, rate),
        "odd length": audio.resample(speech, RATE, rate)[:_ODD_SAMPLES],
    }
    return {name: np.asarray(clip, np.float32) for name, clip in found.items()}


def _speech_like() -> NDArray[np.float64]:
    """Harmonics of a moving pitch in syllables, with noise between."""
    rng = np.random.default_rng(0)
    t = np.arange(round(_SECONDS * RATE)) / RATE
    pitch = 120 + 40 * np.sin(2 * np.pi * 0.7 * t)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    voice = sum(np.sin(k * phase + rng.uniform(0, 6)) / k for k in range(1, 18))
    syllables = np.clip(np.sin(2 * np.pi * 2.6 * t), 0, 1) ** 0.5
    return np.asarray(0.15 * syllables * voice + 0.004 * rng.standard_normal(len(t)))


class _Trial:
    """What is asked of one loaded codec."""

    def __init__(self, system: CodecSystem) -> None:
        self.system = system
        self.facts: dict[str, Any] = system.description
        self.rate = self.facts["sample_rate"] or RATE
        self.sizes: Sequence[int] = self.facts["codebook_sizes"]
        self.clips = clips(self.rate)

    def all(self) -> Iterator[ContractFinding]:
        yield from self.loaded()
        made: dict[str, Made] = {}
        for name, clip in self.clips.items():
            found = self.coded(name, [clip], 0)
            if isinstance(found, ContractFinding):
                yield found
                continue
            problems = list(self.kept(name, clip, found[0]))
            yield from problems or [ContractFinding("ok", name, _shapes(found[0]))]
            if not problems:
                made[name] = found[0]
        if len(made) == len(self.clips):
            repeated = self.repeated(made)
            yield repeated
            if repeated.verdict != "mend":  # else that is why
                yield from self.together(made)
            yield self.bitrate(next(iter(made.values())))
        yield from self.said()

    def loaded(self) -> Iterator[ContractFinding]:
        system, settings = self.system, self.facts["settings"]
        files = ", ".join(settings.get("files", {})) or "the registry"
        yield ContractFinding(
            "ok", "identity", f"{system.identity} from {files}; weights {system.weights_label}"
        )
        if system.unknown:
            yield ContractFinding(
                "note", "identity",
                f"{', '.join(system.unknown)} cannot be hashed, so every run scores it anew; "
                "hold plain values, arrays, tensors and modules instead",
            )  # fmt: skip
        cost = system.cost()
        problem = self.facts.get("not_counted", "")
        if cost["macs_g"] is not None:
            yield ContractFinding(
                "ok", "cost", f"{cost['macs_g']:.3g} G multiply-adds for 10 s, "
                f"{cost['params_m']:.3g} M parameters",
            )  # fmt: skip
        elif problem:
            yield ContractFinding(
                "note", "cost", f"not counted, the network fails on meta: {problem}"
            )
        else:
            yield ContractFinding("note", "cost", "not counted: `blueprint()` gives no network")

    def coded(
        self, what: str, audio: Sequence[NDArray[np.float32]], seed: int
    ) -> list[Made] | ContractFinding:
        try:
            return self.system.runner.code(audio, [seed] * len(audio))
        except CodecFailure as failure:
            where = _last_frame(failure.trace)
            return ContractFinding("mend", what, failure.reason + (f" ({where})" if where else ""))

    def kept(self, what: str, clip: NDArray[np.float32], made: Made) -> Iterator[ContractFinding]:
        """What is wrong with codes and audio of one clip."""
        codes, estimate, books = made.codes, made.estimate, len(self.sizes)
        if not np.issubdtype(codes.dtype, np.integer):
            yield ContractFinding("mend", what, f"codes are {codes.dtype}; return integers")
        if codes.ndim != 2 or codes.shape[0] != books:
            yield ContractFinding(
                "mend", what,
                f"codes have shape {list(codes.shape)}; return [{books}, frames], one row for each "
                "of spec.codebook_sizes, without a batch dimension",
            )  # fmt: skip
        else:
            for index, (row, size) in enumerate(zip(codes, self.sizes, strict=True)):
                if row.size and (row.min() < 0 or row.max() >= size):
                    yield ContractFinding(
                        "mend", what,
                        f"codebook {index} has codes {row.min()} to {row.max()}, outside of 0 to "
                        f"{size - 1}; mend the codes or spec.codebook_sizes",
                    )  # fmt: skip
        # A codec may decode to another rate than it encodes.
        out = self.facts.get("output_sample_rate") or self.rate
        expected = (-(-len(clip) * out // self.rate),)
        if estimate.shape != expected:
            yield ContractFinding(
                "mend", what,
                f"decoded audio has shape {list(estimate.shape)}; return {list(expected)}: pad in "
                "encode, and cut to lengths[i] in decode",
            )  # fmt: skip
        if not np.issubdtype(estimate.dtype, np.floating):
            yield ContractFinding(
                "mend", what, f"decoded audio is {estimate.dtype}; return float32"
            )
        elif not np.isfinite(estimate).all():
            yield ContractFinding("mend", what, "decoded audio has NaN or infinity in it")

    def together(self, made: dict[str, Made]) -> Iterator[ContractFinding]:
        found = self.coded("batch", list(self.clips.values()), 0)
        if isinstance(found, ContractFinding):
            yield found
            return
        differing = [
            name for (name, alone), one in zip(made.items(), found, strict=True)
            if not (np.array_equal(alone.codes, one.codes) and _close(alone.estimate, one.estimate))
        ]  # fmt: skip
        if differing:
            yield ContractFinding(
                "mend", "batch",
                f"{', '.join(differing)}: coded beside other clips they come out differently; code "
                "clips of other lengths apart, or mask what pads them",
            )  # fmt: skip
        else:
            yield ContractFinding("ok", "batch", "clips come out the same alone and together")

    def repeated(self, made: dict[str, Made]) -> ContractFinding:
        what, name = "repeat", "odd length"
        clip, first = self.clips[name], made[name]
        same = self.coded(what, [clip], 0)
        if isinstance(same, ContractFinding):
            return same
        if not _equal(first, same[0]):
            return ContractFinding(
                "mend", what,
                "the same clip with the same seed comes out differently: it keeps a state between "
                "calls, or draws numbers from a generator of its own; use the global ones of "
                "random, numpy or torch, which are seeded for each clip",
            )  # fmt: skip
        other = self.coded(what, [clip], 1)
        if isinstance(other, ContractFinding):
            return other
        if not _equal(first, other[0]):
            return ContractFinding("note", what, "it draws random numbers; --seed decides which")
        return ContractFinding("ok", what, "the same codes and audio each time; nothing is drawn")

    def bitrate(self, made: Made) -> ContractFinding:
        clip = next(iter(self.clips.values()))
        bits = num_bits(made.codes, self.sizes)
        measured = bits / (len(clip) / self.rate)
        nominal = self.facts["bitrate_bps"]
        if nominal is None:
            return ContractFinding("note", "bitrate", f"{measured:.0f} b/s; the spec states none")
        if math.isclose(measured, nominal, rel_tol=TOLERANCE):
            return ContractFinding(
                "ok", "bitrate", f"{measured:.0f} b/s, by the spec {nominal:.0f}"
            )
        frames = made.codes.shape[-1] / (len(clip) / self.rate)
        return ContractFinding(
            "mend", "bitrate",
            f"{measured:.1f} b/s measured, bitrate_bps says {nominal:g}: {frames:.4g} frames a "
            f"second of {sum(map(math.log2, self.sizes)):.4g} bits; mend bitrate_bps, frame_rate "
            f"({self.facts['frame_rate']}) or codebook_sizes",
        )  # fmt: skip

    def said(self) -> Iterator[ContractFinding]:
        lines = self.system.runner.output().strip().splitlines()
        if lines:
            yield ContractFinding(
                "note", "prints",
                f"{len(lines)} lines, such as {lines[0][:100]!r}; runs keep them to themselves",
            )  # fmt: skip


def _shapes(made: Made) -> str:
    codes = made.codes
    return (
        f"codes {list(codes.shape)} in {codes.min()} to {codes.max()}, "
        f"audio {list(made.estimate.shape)}"
        if codes.size
        else f"no codes, audio {list(made.estimate.shape)}"
    )


def _equal(a: Made, b: Made) -> bool:
    return np.array_equal(a.codes, b.codes) and np.array_equal(a.estimate, b.estimate)


def _close(a: NDArray[Any], b: NDArray[Any]) -> bool:
    """Equal but for the order of sums, which a batch may change."""
    return a.shape == b.shape and np.allclose(a, b, rtol=0, atol=1e-4 * (np.abs(a).max() or 1.0))


def _last_frame(trace: str) -> str:
    """``net.py, line 12``: where it was raised, as far as that is in somebody's file."""
    lines = [line.strip() for line in trace.splitlines() if line.strip().startswith('File "')]
    own = [line for line in lines if "site-packages" not in line and "sqbench" not in line]
    return own[-1].removeprefix("File ") if own else ""
