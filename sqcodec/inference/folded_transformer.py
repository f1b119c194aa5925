"""The local transformer for inference, in consecutive segments of whole windows.

Attention looks back by one window, so a segment needs of its past only the keys and values of
the last window, per layer. With those carried on, segments give what the whole would.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from sqcodec.inference.folded import FoldedDown, single
from sqcodec.inference.parallel import for_blocks
from sqcodec.model.transformer import HEAD_DIM, HEADS, LocalTransformer, TokenDecoder, TokenEncoder

_INNER = HEADS * HEAD_DIM

Carry = list[Tensor | None]
"""Queries, keys and values of the last window ``[B, window, 3 * inner]``, per layer."""


class _FoldedLayer:
    def __init__(self, attention: Any, feed: Any) -> None:
        norm, qkv = attention.norm, attention.to_qkv.weight.detach().double().clone()
        qkv[:_INNER] *= HEAD_DIM**-0.5
        self.norm_eps = norm.eps
        self.qkv, self.qkv_bias = single((qkv * norm.weight).T), single(qkv @ norm.bias.double())
        self.out = single(attention.to_out.weight.T)
        norm, up = feed[0], feed[1].weight.double()
        half = len(up) // 2
        weight, bias = (up * norm.weight).T, up @ norm.bias.double()
        self.value, self.value_bias = single(weight[:, :half]), single(bias[:half])
        self.gate, self.gate_bias = single(weight[:, half:]), single(bias[half:])
        self.down = single(feed[4].weight.T)

    def __call__(self, x: Tensor, bias: Tensor, past: Tensor | None) -> Tensor:
        """Overwrite ``x [B, N, C]``, N in whole windows; returns what the next segment needs."""
        batch, tokens, dim = x.shape
        window = bias.shape[1]
        qkv = x.new_empty(batch, window + tokens, 3 * _INNER)
        if past is not None:
            qkv[:, :window] = past
        normed = F.layer_norm(x, (dim,), eps=self.norm_eps)
        for item in range(batch):
            torch.addmm(self.qkv_bias, normed[item], self.qkv, out=qkv[item, window:])
        attended = _attend(qkv, bias, past is None)
        rows = x.view(-1, dim)
        rows.addmm_(attended, self.out)
        self.feed_forward(rows)
        return qkv[:, -window:].clone()

    def queries_keys_values(self, rows: Tensor) -> Tensor:
        """``[N, C]`` to ``[N, 3 * inner]``."""
        normed = F.layer_norm(rows, rows.shape[1:], eps=self.norm_eps)
        return torch.addmm(self.qkv_bias, normed, self.qkv)

    def feed_forward(self, rows: Tensor) -> None:
        """The residual feed-forward part, on ``[N, C]`` in place."""
        dim = rows.shape[1]

        def block(start: int, stop: int) -> None:
            normed = F.layer_norm(rows[start:stop], (dim,), eps=self.norm_eps)
            gate = torch.ops.aten.gelu_(torch.addmm(self.gate_bias, normed, self.gate))
            value = torch.addmm(self.value_bias, normed, self.value)
            rows[start:stop].addmm_(value.mul_(gate), self.down)

        for_blocks(block, len(rows), self.value.shape[1], rows.device)


def _attend(qkv: Tensor, bias: Tensor, first: bool) -> Tensor:
    """Attention of all windows but the zeroth: ``[B, (1 + n) * window, 3 * inner]`` to rows.

    The windows of keys overlap; they are views of ``qkv``, not copies. ``first`` says that the
    zeroth window is none: the first one then sees itself only.
    """
    batch, length, width = qkv.shape
    window = bias.shape[1]
    count = length // window - 1

    def windows(part: int, start: int, number: int, span: int) -> Tensor:
        return qkv.as_strided(
            (batch, number, HEADS, span, HEAD_DIM),
            (qkv.stride(0), window * width, HEAD_DIM, width, 1),
            qkv.storage_offset() + part * _INNER + start * window * width,
        ).flatten(0, 1)

    out = qkv.new_empty(batch, count, window, HEADS, HEAD_DIM)
    skip = int(first)
    if first:
        query, key, value = (windows(part, 1, 1, window) for part in range(3))
        attended = F.scaled_dot_product_attention(
            query, key, value, attn_mask=bias[None, :, :, window:], scale=1.0
        )
        out[:, 0] = attended.transpose(1, 2)
    if count > skip:
        query = windows(0, 1 + skip, count - skip, window)
        key, value = (windows(part, skip, count - skip, 2 * window) for part in (1, 2))
        attended = F.scaled_dot_product_attention(
            query, key, value, attn_mask=bias[None], scale=1.0
        )
        heads_first = attended.view(batch, -1, *attended.shape[1:])
        out[:, skip:] = heads_first.transpose(2, 3)
    return out.view(-1, _INNER)


class FoldedTransformer:
    """A `LocalTransformer` for segments of whole windows; only the last may end anywhere."""

    def __init__(self, module: LocalTransformer) -> None:
        layers: Any = module.layers
        self.layers = [_FoldedLayer(attention, feed) for attention, feed in layers]
        self.bias = module.dynamic_pos_bias().detach()
        self.window = self.bias.shape[1]

    def start(self) -> Carry:
        """The carry before the first segment."""
        return [None] * len(self.layers)

    def __call__(self, x: Tensor, carry: Carry) -> Tensor:
        """``[B, N, C]`` to the same, in a new tensor; updates ``carry``."""
        length = x.shape[1]
        # Nothing sees the zeros: they are in every token's future.
        missing = -length % self.window
        x = F.pad(x, (0, 0, 0, missing)) if missing else x.clone()
        for i, layer in enumerate(self.layers):
            carry[i] = layer(x, self.bias, carry[i])
        return x[:, :length]


class FoldedTokenEncoder:
    """`TokenEncoder` in segments."""

    def __init__(self, module: TokenEncoder) -> None:
        self.local = FoldedTransformer(module.local_trans)
        self.down: FoldedTransformer | None = None
        if module.down_trans is not None:
            self.down = FoldedTransformer(module.down_trans.trans)
            self.down_layer = FoldedDown(module.down_trans.down_layer, None)

    def start(self) -> tuple[Carry, Carry]:
        return (self.down.start() if self.down else []), self.local.start()

    def __call__(self, frames: Tensor, carry: tuple[Carry, Carry]) -> Tensor:
        if self.down is not None:
            frames = self.down_layer(self.down(frames, carry[0]))
        return self.local(frames, carry[1])


class FoldedTokenDecoder:
    """The parts of `TokenDecoder`; between them lies an upsampling that looks ahead."""

    def __init__(self, module: TokenDecoder) -> None:
        self.local = FoldedTransformer(module.local_trans)
        self.up: FoldedTransformer | None = None
        self.rate = 1
        if module.up_trans is not None:
            self.up, self.rate = FoldedTransformer(module.up_trans.trans), module.up_trans.rate
