"""The protocol's speaker encoder: ECAPA-TDNN (Desplanques et al. 2020) in the layout of the public
checkpoints ``exps/pretrain.model`` (TaoRuijie/ECAPA-TDNN), its front end included.

Names and order of layers are the checkpoint's; ReLU comes before batch norm, the attention has a
tanh, the statistics are floored at 1e-4.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

RATE, BANDS, EMBEDDING = 16_000, 80, 192
_GROUPS = 8
_POOLED = 1536


class PreEmphasis(nn.Module):
    """``y[t] = x[t] - 0.97 x[t - 1]`` for ``[B, T]``, mirrored at the start."""

    flipped_filter: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("flipped_filter", torch.tensor([[[-0.97, 1.0]]]))

    def forward(self, audio: Tensor) -> Tensor:
        return F.conv1d(F.pad(audio[:, None], (1, 0), "reflect"), self.flipped_filter)[:, 0]


class Squeeze(nn.Module):
    """Channels weighted by what the whole utterance says of them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.se = nn.Sequential(
            nn.AdaptiveAvgPool1d(1),
            nn.Conv1d(channels, 128, 1),
            nn.ReLU(),
            nn.Conv1d(128, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        weights: Tensor = self.se(x)
        return x * weights


class Block(nn.Module):
    """Res2Net block of dilated convolutions over groups of channels, ``[B, C, T]``."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        width = channels // _GROUPS
        inner = width * _GROUPS
        self.conv1, self.bn1 = nn.Conv1d(channels, inner, 1), nn.BatchNorm1d(inner)
        self.convs = nn.ModuleList(
            nn.Conv1d(width, width, 3, dilation=dilation, padding=dilation)
            for _ in range(_GROUPS - 1)
        )
        self.bns = nn.ModuleList(nn.BatchNorm1d(width) for _ in range(_GROUPS - 1))
        self.conv3, self.bn3 = nn.Conv1d(inner, channels, 1), nn.BatchNorm1d(channels)
        self.se = Squeeze(channels)

    def forward(self, x: Tensor) -> Tensor:
        parts = self.bn1(F.relu(self.conv1(x))).chunk(_GROUPS, dim=1)
        done: list[Tensor] = []
        for part, conv, norm in zip(parts, self.convs, self.bns, strict=False):
            done.append(norm(F.relu(conv(done[-1] + part if done else part))))
        joined = torch.cat([*done, parts[-1]], dim=1)
        out: Tensor = self.se(self.bn3(F.relu(self.conv3(joined)))) + x
        return out


class EcapaTdnn(nn.Module):
    """Embeddings ``[B, 192]`` of audio ``[B, T]`` at 16 kHz, not normalised.

    Args:
        channels: of the convolutions; 1024 in the protocol's checkpoint.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        from torchaudio.transforms import MelSpectrogram

        self.torchfbank = nn.Sequential(
            PreEmphasis(),
            MelSpectrogram(
                sample_rate=RATE,
                n_fft=512,
                win_length=400,
                hop_length=160,
                f_min=20,
                f_max=7600,
                window_fn=torch.hamming_window,
                n_mels=BANDS,
            ),
        )
        self.conv1 = nn.Conv1d(BANDS, channels, 5, padding=2)
        self.bn1 = nn.BatchNorm1d(channels)
        self.layer1, self.layer2, self.layer3 = (Block(channels, d) for d in (2, 3, 4))
        self.layer4 = nn.Conv1d(3 * channels, _POOLED, 1)
        self.attention = nn.Sequential(
            nn.Conv1d(3 * _POOLED, 256, 1),
            nn.ReLU(),
            nn.BatchNorm1d(256),
            nn.Tanh(),
            nn.Conv1d(256, _POOLED, 1),
            nn.Softmax(dim=2),
        )
        self.bn5 = nn.BatchNorm1d(2 * _POOLED)
        self.fc6 = nn.Linear(2 * _POOLED, EMBEDDING)
        self.bn6 = nn.BatchNorm1d(EMBEDDING)

    def forward(self, audio: Tensor) -> Tensor:
        x = (self.torchfbank(audio) + 1e-6).log()
        x = x - x.mean(dim=-1, keepdim=True)
        x = self.bn1(F.relu(self.conv1(x)))
        first = self.layer1(x)
        second = self.layer2(x + first)
        third = self.layer3(x + first + second)
        x = F.relu(self.layer4(torch.cat([first, second, third], dim=1)))
        mean = x.mean(dim=2, keepdim=True).expand_as(x)
        deviation = x.var(dim=2, keepdim=True).clamp(min=1e-4).sqrt().expand_as(x)
        weights = self.attention(torch.cat([x, mean, deviation], dim=1))
        centre = (x * weights).sum(dim=2)
        spread = ((x**2 * weights).sum(dim=2) - centre**2).clamp(min=1e-4).sqrt()
        out: Tensor = self.bn6(self.fc6(self.bn5(torch.cat([centre, spread], dim=1))))
        return out
