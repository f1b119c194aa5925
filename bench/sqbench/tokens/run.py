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
from sqbench.errors import InputError
from sqbench.store.record import codec_id
from sqbench.tokens.records import TokenRecord, TokenWriter, key, load
from sqbench.tokens.statistics import Clip, same
from sqbench_codecs import Codec, Waveform

SHIFT_S = 0.001
MAX_SIZE = 1 << 20
"""Entries of the largest codebook that statistics make sense of."""


def tokenize(codec: Codec, selection: Selection, out: Path) -> Iterator[TokenRecord]:
    """Yield the records that were missing, each on the disk by then.

    Raises:
        InputError: the codec's codes are no tokens, or the folder cannot be written to.
    """
    sizes = codec.spec.codebook_sizes
    if not sizes or max(sizes) > MAX_SIZE:
        raise InputError(
            f"codec {codec.spec.name}",
            expected=f"codebooks of up to {MAX_SIZE} entries",
            found=f"one of {max(sizes)}" if sizes else "none",
        )
    description = codec.describe()
    identity = codec_id(description)
    name = selection.source.name
    done = {k for k, record in load(out).records.items() if record.clip is not None}
    with TokenWriter(out, codec.spec.name, identity) as writer:
        for item in selection.items:
            if key(identity, name, item.utterance.id, item.audio_sha256) in done:
                continue
            clip, reason = None, item.problem
            if reason is None:
                try:
                    clip = _clip(codec, item)
                except Exception as error:  # a codec may be anybody's code
                    known = isinstance(error, InputError)
                    reason = str(error) if known else f"{type(error).__name__}: {error}"
            record = TokenRecord(
                codec=description,
                codec_id=identity,
                source=name,
                utterance=item.utterance.id,
                audio_sha256=item.audio_sha256,
                clip=clip,
                reason=reason,
            )
            writer.append(record)
            yield record


def _clip(codec: Codec, item: Item) -> Clip:
    utterance = item.utterance
    samples, rate = audio.read(
        utterance.path or utterance.content(), name=str(utterance.path or utterance.id)
    )
    to_rate = codec.spec.sample_rate or rate
    x = audio.resample(audio.first_channel(samples), rate, to_rate).astype(np.float32)
    (codes,) = codec.encode([x])
    hop = to_rate / codec.spec.frame_rate if codec.spec.frame_rate else 1.0
    # Frames of audio alone: what a codec pads, or sees beyond the end, says nothing of stability.
    frames = min(codes.shape[1], int(len(x) / hop))
    few = max(1, round(SHIFT_S * to_rate))
    (decoded,) = codec.decode([codes], [len(x)])
    probes = {"re-encode": same(codes, _encode(codec, decoded), frames=frames)}
    if len(x) > few:
        probes["1 ms"] = same(codes, _encode(codec, x[few:]), frames=int((len(x) - few) / hop))
    step = round(hop)
    if len(x) > step and abs(hop - step) < 1e-6:
        shifted = _encode(codec, x[step:])
        probes["1 frame"] = same(codes, shifted, offset=1, frames=frames)
    return Clip(codes=codes, seconds=len(samples) / rate, probes=probes)


def _encode(codec: Codec, x: Waveform) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    return codec.encode([np.ascontiguousarray(x, np.float32)])[0]
