"""The local transformer: causal attention in windows that look back by one window."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sqcodec.model.conv import conv1d, convolve, upsample

HEADS = 6
HEAD_DIM = 64
_FF_EXPANSION = 8 / 3  # of the width, two thirds of the usual 4 because of the gate


class PositionBias(nn.Module):
    """Scores by distance, from a small network: ``[heads, window, 2 * window]``.

    Entry ``[h, i, j]`` is added to the score of query i of a window with key j, where the keys
    are the previous window and the window itself. Keys in a query's future get ``-inf``.
    """

    def __init__(self, window: int, hidden: int) -> None:
        super().__init__()
        self.window = window
        self.mlp = nn.Sequential(
            nn.Linear(1, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(),
            nn.Linear(hidden, HEADS),
        )  # fmt: skip

    def forward(self) -> Tensor:
        w, weight = self.window, next(self.mlp.parameters())
        distances = torch.arange(2 * w, device=weight.device, dtype=weight.dtype)
        by_distance = self.mlp(distances[:, None]).T
        # From distance 2w - 1 down to 0, then w futures: query i begins at entry w - 1 - i. Copies
        # of this line one after the other, cut into rows longer by one, begin one later each; and
        # the gradient of that is a plain sum, unlike that of an indexed read.
        line = F.pad(by_distance.flip(1), (0, w), value=float("-inf"))
        copies = line[:, None].expand(-1, w + 1, -1).flatten(1)[:, : w * (3 * w + 1)]
        return copies.reshape(-1, w, 3 * w + 1)[..., : 2 * w].flip(1)


class LocalAttention(nn.Module):
    """Multi-head attention of each window over itself and the one before, ``[B, N, C]``."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        inner = HEADS * HEAD_DIM
        self.norm = nn.LayerNorm(dim)
        self.to_qkv = nn.Linear(dim, 3 * inner, bias=False)
        self.to_out = nn.Linear(inner, dim, bias=False)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """N must be a multiple of the window; ``bias`` as from `PositionBias`."""
        batch, tokens, _ = x.shape
        window = bias.shape[1]
        # [3, B, heads, windows, window, head_dim]
        qkv = self.to_qkv(self.norm(x)).view(batch, tokens // window, window, 3, HEADS, HEAD_DIM)
        q, k, v = qkv.permute(3, 0, 4, 1, 2, 5)
        # The first window has none before it.
        first = q[:, :, :1], k[:, :, :1], v[:, :, :1]
        if self.training:
            out = _attend(*first, bias[..., window:])
        else:
            # As published: with an empty window, masked. Training and `inference` leave that out.
            query, key, value = first[0], *(F.pad(t, (0, 0, window, 0)) for t in first[1:])
            masked = F.pad(bias[..., window:], (window, 0), value=float("-inf"))
            out = _attend(query, key, value, masked)
        if tokens > window:
            k, v = (torch.cat([t[:, :, :-1], t[:, :, 1:]], dim=3) for t in (k, v))
            out = torch.cat([out, _attend(q[:, :, 1:], k, v, bias)], dim=2)
        projected: Tensor = self.to_out(out.permute(0, 2, 3, 1, 4).reshape(batch, tokens, -1))
        return projected


def _attend(q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
    """Attention over ``[B, heads, windows, window, head_dim]``, one ``bias`` for every window."""
    batch, windows = q.shape[0], q.shape[2]
    q, k, v = (t.transpose(1, 2).flatten(0, 1) for t in (q, k, v))
    bias = bias.to(q.dtype)
    if bias.requires_grad and q.device.type == "cpu":
        # PyTorch's fused kernels give no gradient of the bias here; its fallback guards against
        # rows without any key, which there are none of, and works in float32 only.
        scores = torch.matmul(q * HEAD_DIM**-0.5, k.transpose(-2, -1)) + bias
        out = torch.matmul(scores.softmax(-1), v)
    else:
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=bias[None])
    return out.view(batch, windows, *out.shape[1:]).transpose(1, 2)


class GEGLU(nn.Module):
    """``a * gelu(b)`` of the two halves of the last dimension."""

    def forward(self, x: Tensor) -> Tensor:
        a, b = x.chunk(2, dim=-1)
        return a * F.gelu(b)


def feed_forward(dim: int) -> nn.Sequential:
    """Norm, gated expansion, projection; index 3 is the published network's idle dropout."""
    inner = int(dim * _FF_EXPANSION)
    return nn.Sequential(
        nn.LayerNorm(dim),
        nn.Linear(dim, 2 * inner, bias=False),
        GEGLU(),
        nn.Identity(),
        nn.Linear(inner, dim, bias=False),
    )


class LocalTransformer(nn.Module):
    """``depth`` layers of local attention and feed-forward: ``[B, N, dim]``, N in whole windows.

    A token sees up to ``2 * window - 1`` tokens back in each layer, and none ahead.
    """

    def __init__(self, dim: int, depth: int, window: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.ModuleList([LocalAttention(dim), feed_forward(dim)]) for _ in range(depth)
        )
        self.dynamic_pos_bias = PositionBias(window, dim // 2)

    def forward(self, x: Tensor) -> Tensor:
        bias = self.dynamic_pos_bias()
        layers: Any = self.layers
        for attention, feed in layers:
            x = x + attention(x, bias)
            x = x + feed(x)
        return x


class _DownTransformer(nn.Module):
    def __init__(self, dim: int, depth: int, window: int, rate: int) -> None:
        super().__init__()
        self.trans = LocalTransformer(dim, depth, window * rate)
        self.down_layer = conv1d(dim, dim, rate, stride=rate)

    def forward(self, x: Tensor) -> Tensor:
        return convolve(self.down_layer, self.trans(x))


class _UpTransformer(nn.Module):
    def __init__(self, dim: int, depth: int, window: int, rate: int) -> None:
        super().__init__()
        self.rate = rate
        self.trans = LocalTransformer(dim, depth, window * rate)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.trans(upsample(x, self.rate))
        return out


class TokenEncoder(nn.Module):
    """Frames ``[B, F, dim]`` to tokens ``[B, N, dim]``, with F = N * rate."""

    def __init__(self, dim: int, depth: int, compress_depth: int, window: int, rate: int) -> None:
        super().__init__()
        self.down_trans: _DownTransformer | None = None
        if rate > 1:
            # The published network has a (here empty) cache of tokens; the files carry it.
            self.cache_token = nn.Parameter(torch.zeros(1, 0, dim))
            self.down_trans = _DownTransformer(dim, compress_depth, window, rate)
        self.local_trans = LocalTransformer(dim, depth - compress_depth, window)

    def forward(self, frames: Tensor) -> Tensor:
        if self.down_trans is not None:
            frames = self.down_trans(frames)
        out: Tensor = self.local_trans(frames)
        return out


class TokenDecoder(nn.Module):
    """Tokens ``[B, N, dim]`` to frames ``[B, F, dim]``, with F = N * rate."""

    def __init__(self, dim: int, depth: int, compress_depth: int, window: int, rate: int) -> None:
        super().__init__()
        self.local_trans = LocalTransformer(dim, depth - compress_depth, window)
        self.up_trans: _UpTransformer | None = None
        if rate > 1:
            self.up_trans = _UpTransformer(dim, compress_depth, window, rate)

    def forward(self, tokens: Tensor) -> Tensor:
        frames: Tensor = self.local_trans(tokens)
        return frames if self.up_trans is None else self.up_trans(frames)
