"""A codec over utterances for its codes alone: encoded, encoded again, encoded shifted.

Nothing is scored, so that no worker is needed. A clip that fails is a record with a reason, and is
tried again next time.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sqbench import audio
from sqbench.engine.jobs import Item, Selection
from sqbench.engine.systems.base import System, read_reference, why
from sqbench.engine.systems.codec import CodecFailure, CodecSystem
from sqbench.errors import InputError
from sqbench.tokens.records import FOLDER, TokenRecord, TokenWriter, key, load
from sqbench.tokens.selection import put_in_force
from sqbench.tokens.statistics import ClipTokens, same

SHIFT_S = 0.001
MAX_SIZE = 1 << 20
"""Entries of the largest codebook that statistics make sense of."""


def tokenize(codec: System, selection: Selection, out: Path) -> Iterator[TokenRecord]:
    """Yield the records that were missing, each on the disk by then.

    Raises:
        InputError: the codec's codes are no tokens, or the folder cannot be written to.
    """
    sizes = codec.description["codebook_sizes"]
    if not isinstance(codec, CodecSystem) or not sizes or max(sizes) > MAX_SIZE:
        raise InputError(
            f"codec {codec.name}",
            expected=f"codebooks of up to {MAX_SIZE} entries",
            found=f"one of {max(sizes)}" if sizes else "none",
        )
    identity = codec.identity
    name = selection.source.name
    put_in_force(out / FOLDER, selection)
    done = {k for k, record in load(out).records.items() if record.clip is not None}
    with TokenWriter(out, codec.name, identity) as writer:
        for item in selection.items:
            if key(identity, name, item.utterance.id, item.audio_sha256) in done:
                continue
            clip, reason = None, item.problem
            if reason is None:
                try:
                    clip = _clip(codec, item)
                except CodecFailure as failure:
                    reason = f"codec {codec.name}: {failure.reason}"
                except Exception as error:
                    reason = why(error)
            record = TokenRecord(
                codec=codec.description,
                codec_id=identity,
                source=name,
                utterance=item.utterance.id,
                audio_sha256=item.audio_sha256,
                clip=clip,
                reason=reason,
            )
            writer.append(record)
            yield record


def _clip(codec: CodecSystem, item: Item) -> ClipTokens:
    samples, rate = read_reference(item)
    to_rate = codec.description["sample_rate"] or rate
    x = audio.resample(samples, rate, to_rate).astype(np.float32)
    codes = codec.encode(x)
    frame_rate = codec.description["frame_rate"]
    hop = to_rate / frame_rate if frame_rate else 1.0
    # Frames of audio alone: what a codec pads, or sees beyond the end, says nothing of stability.
    frames = min(codes.shape[1], int(len(x) / hop))
    few = max(1, round(SHIFT_S * to_rate))
    decoded_rate = codec.description.get("output_sample_rate") or to_rate
    decoded = audio.resample(codec.decode(codes, len(x)), decoded_rate, to_rate)[: len(x)]
    probes = {"re-encode": same(codes, codec.encode(decoded.astype(np.float32)), frames=frames)}
    if len(x) > few:
        probes["1 ms"] = same(codes, codec.encode(x[few:]), frames=int((len(x) - few) / hop))
    step = round(hop)
    if len(x) > step and abs(hop - step) < 1e-6:
        shifted = codec.encode(x[step:])
        probes["1 frame"] = same(codes, shifted, offset=1, frames=frames)
    return ClipTokens(codes=codes, seconds=len(samples) / rate, probes=probes)
