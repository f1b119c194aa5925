"""The local transformer token by token: keys and values of two windows are all that it keeps."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from sqcodec.inference.folded_transformer import FoldedTransformer
from sqcodec.inference.streamed import Streamed
from sqcodec.model.transformer import HEAD_DIM, HEADS

_INNER = HEADS * HEAD_DIM


class StreamedTransformer(Streamed):
    """A `LocalTransformer`: causal, so that a token is out as soon as it is in."""

    def __init__(self, folded: FoldedTransformer) -> None:
        self.folded, self.window = folded, folded.window
        self._at, self._first = 0, True
        # Keys and values [2, heads, 2 * window, head_dim]: the window before, and this one.
        shape = (2, HEADS, 2 * self.window, HEAD_DIM)
        device = folded.bias.device
        self._past = [torch.zeros(shape, device=device) for _ in folded.layers]

    def push(self, x: Tensor) -> Tensor:
        if not x.shape[1]:
            return x
        out, start = x.clone(), 0
        while start < x.shape[1]:
            stop = min(x.shape[1], start + self.window - self._at)
            self._piece(out[0, start:stop])
            start = stop
        return out

    def _piece(self, rows: Tensor) -> None:
        """Tokens ``[n, dim]`` of one window, in place."""
        window, at = self.window, self._at
        begin, end = window if self._first else 0, window + at + len(rows)
        bias = self.folded.bias[None, :, at : at + len(rows), begin:end]
        for layer, past in zip(self.folded.layers, self._past, strict=True):
            qkv = layer.queries_keys_values(rows).view(len(rows), 3, HEADS, HEAD_DIM)
            qkv = qkv.permute(1, 2, 0, 3)
            past[:, :, window + at : end] = qkv[1:]
            key, value = past[:, None, :, begin:end]
            attended = F.scaled_dot_product_attention(
                qkv[None, 0], key, value, attn_mask=bias, scale=1.0
            )
            rows.addmm_(attended[0].transpose(0, 1).reshape(-1, _INNER), layer.out)
            layer.feed_forward(rows)
        self._at += len(rows)
        if self._at == window:
            for past in self._past:
                past[:, :, :window] = past[:, :, window:]
            self._at, self._first = 0, False
