"""Complex spectra of one resolution, judged band by band (DAC, Kumar et al. 2023)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.amp.autocast_mode import is_autocast_available
from torch.nn import functional as F

from sqcodec.errors import InputError
from sqcodec.train.discriminator.stack import conv2d, run, scaled

BANDS = ((0.0, 0.1), (0.1, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1.0))
"""Shares of the spectrum's bins."""
_CHANNELS = 32


class ResolutionDiscriminator(nn.Module):
    """Five convolutions over each band of the spectrum, and one over all of them to a logit.

    Real and imaginary part are the two input channels. Three of the five convolutions halve the
    frequency axis; time stays at one frame a hop.

    Args:
        window: FFT size, also the length of the Hann window; the hop is ``window // 4``.
        width: factor on the published channels.

    Raises:
        InputError: a window so short that a band has no bin.
    """

    hann: Tensor

    def __init__(self, window: int, width: float = 1.0) -> None:
        super().__init__()
        self.window, self.hop = window, window // 4
        bins = window // 2 + 1
        self.bands = [(int(low * bins), int(high * bins)) for low, high in BANDS]
        if any(high <= low for low, high in self.bands):
            raise InputError(
                "discriminator, window",
                expected="a window of 18 samples or more",
                found=str(window),
            )
        channels = scaled(_CHANNELS, width)
        self.band_convs = nn.ModuleList(_band(channels) for _ in BANDS)
        self.conv_post = conv2d(channels, 1, (3, 3))
        self.register_buffer("hann", torch.hann_window(window), persistent=False)

    def spectrum(self, audio: Tensor) -> Tensor:
        """Audio ``[B, T]``, ``T >= window``, to ``[B, 2, ceil(T / hop), bins]``, in float32.

        As many frames as hops ("match stride"): the published network pads by ``(window - hop)/2``
        at each end, has the centred transform pad again, and drops the two outermost frames of
        either end. Here the frames that stay are the only ones computed.
        """
        frames = math.ceil(audio.shape[1] / self.hop)
        left = (self.window - self.hop) // 2 + self.window // 2 - 2 * self.hop
        right = (frames - 1) * self.hop + self.window - left - audio.shape[1]
        # The meta device, on which operations are counted, has no autocast to switch off.
        kind = audio.device.type if is_autocast_available(audio.device.type) else "cpu"
        with torch.autocast(kind, enabled=False):
            padded = F.pad(audio.float()[:, None], (left, right), "reflect")[:, 0]
            spectrum = torch.stft(
                padded, self.window, self.hop, window=self.hann, center=False, return_complex=True
            )
        return torch.view_as_real(spectrum).permute(0, 3, 2, 1)

    def forward(self, audio: Tensor) -> list[Tensor]:
        """Audio ``[B, T]`` to five features a band, low bands first, and the logits.

        All are ``[B, C, frames, bins]``; the logits' bins are those of the bands side by side.
        """
        spectrum = self.spectrum(audio)
        features: list[Tensor] = []
        last: list[Tensor] = []
        for (low, high), convs in zip(self.bands, self.band_convs, strict=True):
            assert isinstance(convs, nn.ModuleList)
            features += run(convs, spectrum[..., low:high])
            last.append(features[-1])
        return [*features, self.conv_post(torch.cat(last, dim=-1))]


def _band(channels: int) -> nn.ModuleList:
    return nn.ModuleList(
        [
            conv2d(2, channels, (3, 9)),
            *(conv2d(channels, channels, (3, 9), (1, 2)) for _ in range(3)),
            conv2d(channels, channels, (3, 3)),
        ]
    )
