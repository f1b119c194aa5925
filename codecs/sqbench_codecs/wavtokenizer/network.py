"""The network of WavTokenizer (arXiv 2408.16532, section 3), named as its checkpoint names it."""

from __future__ import annotations

import math
import warnings
from typing import Any

import torch
from encodec.modules.seanet import SEANetDecoder, SEANetEncoder
from torch import Tensor, nn
from torch.nn import functional as F
from vocos.models import VocosBackbone

from sqbench_codecs.wavtokenizer.sizes import Sizes

BANDWIDTHS = 4
"""Rows of the adaptive norms' tables; inference reads row 0 alone."""


class Network(nn.Module):
    """Encoder, one codebook, and a decoder that predicts spectra.

    Args:
        sizes: which network.
        with_unused: also make the decoder of EnCodec that the checkpoint holds and nothing runs, so
            that parameters count as published.
    """

    def __init__(self, sizes: Sizes, *, with_unused: bool = False) -> None:
        super().__init__()
        hop = math.prod(sizes.strides)
        self.encoder = _seanet(SEANetEncoder, sizes, sizes.strides)
        self.quantizer = Codebook(sizes.codebook, sizes.features)
        self.backbone = Backbone(sizes)
        self.head = SpectralHead(sizes.width, 4 * hop, hop)
        if with_unused:
            # At these strides in both networks.
            self.unused = _seanet(SEANetDecoder, sizes, (8, 5, 4, 2))

    def encode(self, audio: Tensor) -> Tensor:
        """``[B, T]`` to codes ``[B, 1, ceil(T / hop)]``."""
        codes: Tensor = self.quantizer.encode(self.encoder(audio[:, None]))
        return codes[:, None]

    def decode(self, codes: Tensor) -> Tensor:
        """``[B, 1, F]`` to ``[B, F * hop]``."""
        audio: Tensor = self.head(self.backbone(self.quantizer.decode(codes[:, 0])))
        return audio


def _seanet(cls: Any, sizes: Sizes, strides: tuple[int, ...]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # its weight norm is deprecated in torch
        return cls(
            channels=1,
            dimension=sizes.features,
            n_filters=sizes.filters,
            n_residual_layers=1,
            ratios=list(strides),
            norm="weight_norm",
            kernel_size=7,
            last_kernel_size=7,
            residual_kernel_size=3,
            dilation_base=2,
            causal=False,
            pad_mode="reflect",
            true_skip=False,
            compress=2,
            lstm=2,
        )


class Codebook(nn.Module):
    """The nearest of the codes. A buffer, and nothing here that ever fits it to data."""

    embed: Tensor

    def __init__(self, size: int, features: int) -> None:
        super().__init__()
        self.register_buffer("embed", torch.zeros(size, features))

    def encode(self, features: Tensor) -> Tensor:
        """``[B, C, F]`` to ``[B, F]``."""
        x = features.transpose(1, 2).reshape(-1, features.shape[1])
        codes = self.embed.t()
        distance = (
            x.square().sum(1, keepdim=True) - 2 * x @ codes + codes.square().sum(0, keepdim=True)
        )
        return distance.argmin(-1).view(features.shape[0], -1)

    def decode(self, codes: Tensor) -> Tensor:
        """``[B, F]`` to ``[B, C, F]``."""
        return F.embedding(codes, self.embed).transpose(1, 2)


class Residual(nn.Module):
    """Two convolutions, each after norm and swish (a product, as published), beside a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = _norm(width), _norm(width)
        self.conv1 = nn.Conv1d(width, width, 3, padding=1)
        self.conv2 = nn.Conv1d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        added: Tensor = self.conv2(_swish(self.norm2(self.conv1(_swish(self.norm1(x))))))
        return x + added


class Attention(nn.Module):
    """One head over all frames, beside a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = _norm(width)
        self.q, self.k, self.v, self.proj_out = (nn.Conv1d(width, width, 1) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm(x)
        query, key, value = self.q(h), self.k(h), self.v(h)
        scores = torch.bmm(query.transpose(1, 2), key) * x.shape[1] ** -0.5
        added: Tensor = self.proj_out(torch.bmm(value, F.softmax(scores, -1).transpose(1, 2)))
        return x + added


def _swish(x: Tensor) -> Tensor:
    return x * torch.sigmoid(x)


def _norm(width: int) -> nn.GroupNorm:
    return nn.GroupNorm(32, width, eps=1e-6)


class Backbone(VocosBackbone):  # type: ignore[misc]
    """Vocos' backbone with residual blocks and attention after its first layer."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__(
            sizes.features,
            sizes.width,
            sizes.hidden,
            sizes.layers,
            adanorm_num_embeddings=BANDWIDTHS,
        )
        self.pos_net = nn.Sequential(
            Residual(sizes.width),
            Residual(sizes.width),
            Attention(sizes.width),
            Residual(sizes.width),
            Residual(sizes.width),
            _norm(sizes.width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """``[B, C, F]`` to ``[B, F, width]``."""
        which = torch.zeros(1, dtype=torch.int64, device=x.device)
        x = self.norm(self.pos_net(self.embed(x)).transpose(1, 2), which).transpose(1, 2)
        for block in self.convnext:
            x = block(x, which)
        out: Tensor = self.final_layer_norm(x.transpose(1, 2))
        return out


class InverseSTFT(nn.Module):
    """Overlapping windows, divided by the sum of their squares, cut to ``F * hop`` samples.

    Vocos' own does the same after asserting that no divisor is zero, which it never is with four
    windows over each sample and which a network on the meta device cannot say.
    """

    window: Tensor

    def __init__(self, n_fft: int, hop: int) -> None:
        super().__init__()
        self.n_fft, self.hop = n_fft, hop
        self.register_buffer("window", torch.hann_window(n_fft))

    def forward(self, spectra: Tensor) -> Tensor:
        frames = torch.fft.irfft(spectra, self.n_fft, dim=1) * self.window[:, None]
        squares = self.window.square()[None, :, None].expand(1, -1, spectra.shape[-1])
        return self._overlap(frames) / self._overlap(squares)

    def _overlap(self, frames: Tensor) -> Tensor:
        length = (frames.shape[-1] - 1) * self.hop + self.n_fft
        edge = (self.n_fft - self.hop) // 2
        size = (1, self.n_fft)
        added = F.fold(frames, (1, length), kernel_size=size, stride=(1, self.hop))
        return added[:, 0, 0, edge:-edge]


class SpectralHead(nn.Module):
    """Log magnitude and phase to audio."""

    def __init__(self, width: int, n_fft: int, hop: int) -> None:
        super().__init__()
        self.out = nn.Linear(width, n_fft + 2)
        self.istft = InverseSTFT(n_fft, hop)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, F, width]`` to ``[B, F * hop]``."""
        magnitude, phase = self.out(x).transpose(1, 2).chunk(2, dim=1)
        magnitude = magnitude.exp().clip(max=1e2)
        audio: Tensor = self.istft(magnitude * (phase.cos() + 1j * phase.sin()))
        return audio
