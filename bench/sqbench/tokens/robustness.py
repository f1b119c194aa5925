"""Whether tokens are those of the audio, or of how it was handed over.

Each clip is encoded as it is, then changed (`changes`), decoded and encoded again five times, and
in ways that should not count: beside another clip, in two parts, in bfloat16, on a GPU.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from sqbench import audio
from sqbench.engine.jobs import Item, Selection
from sqbench.engine.options import Options
from sqbench.engine.systems.base import System, read_reference, why
from sqbench.engine.systems.codec import CodecFailure, CodecSystem, inline
from sqbench.engine.systems.names import split_weights
from sqbench.engine.systems.opening import open_system
from sqbench.errors import InputError
from sqbench.tokens.changes import CHANGES, Samples
from sqbench.tokens.edits import Edits, edits
from sqbench.tokens.run import MAX_SIZE
from sqbench_codecs import Codec, Codes, load_codec
from sqbench_codecs.host.seeding import clip_seed

GENERATIONS = 5
EQUALITY = ("batch", "chunks", "bfloat16", "device")


@dataclass(frozen=True, kw_only=True)
class ClipRobustness:
    """A clip's counts, or why there are none.

    Attributes:
        found: by probe: a change, ``generation 1`` to 5, or one of `EQUALITY`.
        tokens: of all codebooks.
        seconds: of the clip.
        encode_s: that encoding it alone took.
        reason: why there is nothing; ``None`` if there is.
    """

    utterance: str
    found: Mapping[str, Edits]
    tokens: int = 0
    seconds: float = 0.0
    encode_s: float = 0.0
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Probed:
    """A codec's clips, and what could not be tried, with the reason."""

    model: str
    source: str
    clips: tuple[ClipRobustness, ...]
    untried: Mapping[str, str]


Encode = Callable[[Samples], Codes]


def other_encoders(
    codec: Codec, open_on: Callable[[str], Codec]
) -> tuple[dict[str, Encode], dict[str, str]]:
    """Ways to encode that need the codec in this process, and why some cannot be tried.

    Args:
        codec: in this process.
        open_on: loads it once more on a device.
    """
    if codec.blueprint() is None:
        return {}, dict.fromkeys(("bfloat16", "device"), "has no network")
    import torch

    def bfloat16(clip: Samples) -> Codes:
        with torch.autocast(torch.device(codec.device).type, torch.bfloat16):
            return np.asarray(codec.encode([clip])[0])

    encoders: dict[str, Encode] = {"bfloat16": bfloat16}
    if codec.device != "cpu" or not torch.cuda.is_available():
        why_not = "no CUDA device here" if codec.device == "cpu" else f"runs on {codec.device}"
        return encoders, {"device": why_not}
    other = open_on("cuda")
    encoders["device"] = lambda clip: np.asarray(other.encode([clip])[0])
    return encoders, {}


def opened(
    name: str, weights: str, device: str
) -> tuple[System, dict[str, Encode], dict[str, str]]:
    """A codec for `probe`: one of the registry in this process, others in their own.

    Returns:
        The codec, further ways to encode, and what cannot be tried, with the reason.

    Raises:
        InputError: it cannot be loaded.
    """
    registry, own = split_weights(name)
    if ":" in registry:
        system = open_system(name, Options(weights=weights, device=device))
        return system, {}, dict.fromkeys(("bfloat16", "device"), "in a process of its own")

    def load(on: str) -> Codec:
        return load_codec(registry, weights=own or weights, device=on)

    codec = load(device)
    return (inline(codec), *other_encoders(codec, load))


def probe(
    codec: System, selection: Selection, encoders: Mapping[str, Encode]
) -> Iterator[ClipRobustness]:
    """The clips of a selection, one by one.

    Args:
        codec: with codes.
        encoders: further ways to encode, by the name of the probe; what one of them raises is the
            reason of the clip.

    Raises:
        InputError: the codec's codes are no tokens.
    """
    sizes = codec.description["codebook_sizes"]
    if not isinstance(codec, CodecSystem) or not sizes or max(sizes) > MAX_SIZE:
        raise InputError(
            f"codec {codec.name}", expected=f"codebooks of up to {MAX_SIZE} entries",
            found=f"one of {max(sizes)}" if sizes else "none",
        )  # fmt: skip
    before: Samples | None = None
    for item in selection.items:
        name = item.utterance.id
        if item.problem is not None:
            yield ClipRobustness(utterance=name, found={}, reason=item.problem)
            continue
        try:
            clip, rate = _read(codec, item)
            yield _probed(codec, name, clip, rate, before, encoders)
            before = clip
        except CodecFailure as failure:
            reason = f"codec {codec.name}: {failure.reason}"
            yield ClipRobustness(utterance=name, found={}, reason=reason)
        except Exception as error:
            yield ClipRobustness(utterance=name, found={}, reason=why(error))


def _read(codec: CodecSystem, item: Item) -> tuple[Samples, int]:
    """A clip at the codec's rate, or at its own where that is any."""
    samples, rate = read_reference(item)
    to_rate = codec.description["sample_rate"] or rate
    return audio.resample(samples, rate, to_rate).astype(np.float32), to_rate


def _probed(
    codec: CodecSystem, name: str, x: Samples, rate: int, before: Samples | None,
    encoders: Mapping[str, Encode],
) -> ClipRobustness:  # fmt: skip
    frame_rate = codec.description["frame_rate"]
    start = time.perf_counter()
    whole = codec.encode(x)
    encode_s = time.perf_counter() - start
    # Frames of the audio: what a codec pads says nothing.
    hop = rate / frame_rate if frame_rate else None
    frames = whole.shape[1] if hop is None else min(whole.shape[1], int(len(x) / hop))
    codes = whole[:, :frames]

    def against(other: Codes) -> Edits:
        # Where codes have no fixed rate, all of them count.
        return edits(codes, other if hop is None else other[:, :frames])

    found = {}
    for change, apply in CHANGES.items():
        found[change] = against(codec.encode(apply(x, rate, clip_seed(0, name))))
    found |= _generations(codec, x, rate, whole, against)
    if before is not None:
        found["batch"] = against(np.asarray(codec.runner.call("encode", [before, x])[1]))
    cut = _cut(len(x), hop)
    if cut:
        parts = [codec.encode(x[:cut]), codec.encode(x[cut:])]
        if hop is not None:  # without what pads the first
            parts[0] = parts[0][:, : round(cut / hop)]
        found["chunks"] = against(np.concatenate(parts, axis=1))
    found |= {probe: against(encode(x)) for probe, encode in encoders.items()}
    return ClipRobustness(
        utterance=name,
        found=found,
        tokens=int(codes.size),
        seconds=len(x) / rate,
        encode_s=encode_s,
    )


def _generations(
    codec: CodecSystem, x: Samples, rate: int, codes: Codes, against: Callable[[Codes], Edits]
) -> dict[str, Edits]:
    """Decoded and encoded again, each time from what came out: the codes against the first ones."""
    found = {}
    for generation in range(1, GENERATIONS + 1):
        decoded = codec.decode(codes, len(x))
        decoded_rate = codec.description.get("output_sample_rate") or rate
        if decoded_rate != rate:
            decoded = audio.resample(decoded, decoded_rate, rate)[: len(x)]
        codes = codec.encode(np.asarray(decoded, np.float32))
        found[f"generation {generation}"] = against(codes)
    return found


def _cut(length: int, hop: float | None) -> int:
    """The middle of a clip, between two frames; 0 if there is no such place."""
    if hop is None:
        return length // 2
    frame = length // 2 // hop
    exact = frame * hop
    return round(exact) if abs(exact - round(exact)) < 1e-6 else 0
