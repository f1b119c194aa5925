"""A waveform folded by a period, so that a convolution sees every p-th sample (HiFi-GAN, DAC)."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from sqcodec.train.discriminator.stack import conv2d, run, scaled

_CHANNELS = (32, 128, 512, 1024, 1024)
_STRIDES = (3, 3, 3, 3, 1)


class PeriodDiscriminator(nn.Module):
    """Five convolutions along the folded time, each column for itself, and one to a logit.

    Args:
        period: samples between neighbours of a column.
        width: factor on the published channels.
    """

    def __init__(self, period: int, width: float = 1.0) -> None:
        super().__init__()
        self.period = period
        channels = [1, *(scaled(c, width) for c in _CHANNELS)]
        self.convs = nn.ModuleList(
            conv2d(before, after, (5, 1), (stride, 1))
            for (before, after), stride in zip(pairwise(channels), _STRIDES, strict=True)
        )
        self.conv_post = conv2d(channels[-1], 1, (3, 1))

    def forward(self, audio: Tensor) -> list[Tensor]:
        """Audio ``[B, T]``, ``T > period``, to five features and the logits ``[B, C, L, period]``.

        ``L`` of the logits is about ``T / (81 period)``.
        """
        # A whole period where T is a multiple already: the published network has it so.
        missing = self.period - audio.shape[1] % self.period
        padded = F.pad(audio[:, None], (0, missing), "reflect")
        folded = padded.view(audio.shape[0], 1, -1, self.period)
        features = run(self.convs, folded)
        return [*features, self.conv_post(features[-1])]
