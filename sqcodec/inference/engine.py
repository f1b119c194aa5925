"""Encoding and decoding audio of any length, in memory that its length does not govern.

All but one kind of layer depend on a finite stretch of their input: those run on segments, each
with enough of its neighbours around it. The one kind is the InstanceNorm of the decoder's TEConv,
whose statistics are those of the whole clip: each takes a pass of its own over the segments,
which repeats what came before where that is too much to keep.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from sqcodec.inference.folded import upsample_part
from sqcodec.inference.folded_decoder import FoldedLast, FoldedStage, Moments
from sqcodec.inference.folded_encoder import FoldedEncoder
from sqcodec.inference.folded_transformer import FoldedTokenDecoder, FoldedTokenEncoder
from sqcodec.model.codec import SQCodecModel
from sqcodec.model.tconv import TEConv

WHOLE_SAMPLES = 1 << 19
"""Clips of up to this many samples (33 s at 16 kHz) are one segment."""
SEGMENT_SAMPLES = 1 << 17
"""Longer ones have segments of about this many samples."""
KEEP_BYTES = 1 << 30
"""How much of the decoder's intermediate signals may be kept instead of computed again."""

_MIN_SEGMENT_FRAMES = 64  # more than any layer sees to one side


@dataclass(frozen=True)
class _Source:
    """Consecutive segments ``[B, t, C]``, computed or recalled whenever `segments` is called."""

    segments: Callable[[], Iterator[Tensor]]
    held_bytes: int = 0


def with_context(segments: Iterator[Tensor], radius: int) -> Iterator[tuple[Tensor, int, int]]:
    """Each segment between up to ``radius`` steps of its neighbours, and how many of each.

    Every segment but the last must be at least ``radius`` long.
    """
    left: Tensor | None = None
    current = next(segments, None)
    while current is not None:
        following = next(segments, None)
        parts = [current] if left is None else [left, current]
        right = 0
        if following is not None:
            parts.append(following[:, :radius])
            right = parts[-1].shape[1]
        whole = torch.cat(parts, dim=1) if len(parts) > 1 else current
        yield whole, 0 if left is None else left.shape[1], right
        left, current = current[:, -radius:], following


def _trim(x: Tensor, left: int, right: int) -> Tensor:
    return x[:, left : x.shape[1] - right]


class Engine:
    """A network ready for inference. After a change of parameters, make a new one.

    Args:
        model: the network, on the device to use, in float32.
        whole_samples, segment_samples, keep_bytes: see this module's constants.
    """

    def __init__(
        self,
        model: SQCodecModel,
        *,
        whole_samples: int = WHOLE_SAMPLES,
        segment_samples: int = SEGMENT_SAMPLES,
        keep_bytes: int = KEEP_BYTES,
    ) -> None:
        config = self.config = model.config
        self.whole_samples, self.keep_bytes = whole_samples, keep_bytes
        windows = max(
            round(segment_samples / config.pad_multiple),
            -(-_MIN_SEGMENT_FRAMES * config.frame_hop // config.pad_multiple),
        )
        self.segment_tokens = windows * config.window
        self.quantizer = model.quantizer
        self.token_encoder = FoldedTokenEncoder(model.en_encoder)
        self.token_decoder = FoldedTokenDecoder(model.en_decoder)
        self.encoder = FoldedEncoder(model.encoder)
        blocks: Any = model.decoder.blocks
        first, *rest, last = blocks
        self.stages = [
            FoldedStage(None if i else first, *rest[i : i + 3]) for i in range(0, len(rest), 3)
        ]
        self.last = FoldedLast(last)

    def encode(self, audio: Tensor) -> Tensor:
        """Padded audio ``[B, T]``, T in whole windows, to codes ``[B, N]``."""
        hop, frame_hop = self.config.hop, self.config.frame_hop
        radius = self.encoder.radius_frames * frame_hop
        carry = self.token_encoder.start()
        codes = [audio.new_empty(len(audio), 0, dtype=torch.long)]
        step = self._segment(audio.shape[1] // hop) * hop
        segments = (audio[:, i : i + step] for i in range(0, audio.shape[1], step))
        for segment, left, right in with_context(segments, radius):
            frames = _trim(self.encoder(segment), left // frame_hop, right // frame_hop)
            codes.append(self.quantizer.encode(self.token_encoder(frames, carry)))
        return torch.cat(codes, dim=1)

    def decode(self, codes: Tensor) -> Tensor:
        """Codes ``[B, N]`` to audio ``[B, N * hop]``."""
        source, _ = self._upsampled(codes)
        rows = codes.shape[1] * self.config.hop
        audio = codes.new_empty(len(codes), rows, dtype=torch.float32)
        done = 0
        for x, left, right in with_context(source.segments(), FoldedLast.radius):
            part = _trim(self.last(x), left, right)
            audio[:, done : done + part.shape[1]] = part
            done += part.shape[1]
        return audio

    def statistics(self, codes: Tensor) -> list[Moments]:
        """What the InstanceNorm of each decoder stage takes of codes ``[B, N]``."""
        return self._upsampled(codes)[1]

    def _upsampled(self, codes: Tensor) -> tuple[_Source, list[Moments]]:
        """The input of the last unit, and the statistics that were taken on the way."""
        step = self._segment(codes.shape[1])
        rows = codes.shape[1] * self.config.compress_rate
        source = self._kept(
            _Source(lambda: self._frames(codes, step)), rows * codes.shape[0] * 4 * 256
        )
        taken = []
        for stage in self.stages:
            source, moments = self._staged(source, stage, rows * codes.shape[0])
            taken.append(moments)
            rows *= stage.rate
        return source, taken

    def _segment(self, tokens: int) -> int:
        whole = tokens * self.config.hop <= self.whole_samples
        return max(1, tokens) if whole else self.segment_tokens

    def _frames(self, codes: Tensor, step: int) -> Iterator[Tensor]:
        """The decoder's input, before its first convolution."""
        parts = self.token_decoder
        local_carry = parts.local.start()
        tokens = (
            parts.local(self.quantizer.decode(codes[:, i : i + step]), local_carry)
            for i in range(0, codes.shape[1], step)
        )
        if parts.up is None:
            yield from tokens
            return
        up_carry, start = parts.up.start(), 0
        for x, left, right in with_context(tokens, 2):
            stop = start + x.shape[1] - left - right
            up = upsample_part(x, start - left, start, stop, parts.rate, codes.shape[1])
            yield parts.up(up, up_carry)
            start = stop

    def _kept(self, source: _Source, size: int) -> _Source:
        """The source with its segments in memory if there is room, else as it is."""
        if source.held_bytes + size > self.keep_bytes:
            return source
        kept = list(source.segments())
        return _Source(lambda: iter(kept), size)

    def _staged(self, source: _Source, stage: FoldedStage, rows: int) -> tuple[_Source, Moments]:
        """The source behind a decoder stage of ``rows`` steps in all, and statistics taken now."""
        moments = Moments()
        size = rows * 4 * (stage.channels + len(TEConv.kernels))
        keep = source.held_bytes + size <= self.keep_bytes
        kept: list[tuple[Tensor, Tensor, int, int]] = []

        def prepared() -> Iterator[tuple[Tensor, Tensor, int, int]]:
            for x, left, right in with_context(source.segments(), stage.radius):
                yield *stage.prepare(x), left, right

        for x, envelopes, left, right in prepared():
            moments.update(_trim(envelopes, left, right))
            if keep:
                kept.append((x, envelopes, left, right))

        def finished(
            parts: Callable[[], Iterator[tuple[Tensor, Tensor, int, int]]],
        ) -> Iterator[Tensor]:
            start = 0
            for x, envelopes, left, right in parts():
                stop = start + x.shape[1] - left - right
                yield stage.finish(x, envelopes, moments, start - left, start, stop)
                start = stop

        # Only what is kept stays referenced, so that the stages before it can be freed.
        if keep:
            return _Source(partial(finished, partial(iter, kept)), size), moments
        return _Source(partial(finished, prepared), source.held_bytes), moments
