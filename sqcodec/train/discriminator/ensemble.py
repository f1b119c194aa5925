"""The ensemble of sub-discriminators that the trainer plays against.

Architecture: DAC (Kumar et al. 2023) without its multi-scale part. The windows are those of
SQCodec's successor L3AC; the paper's own are not published.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from sqcodec.errors import InputError
from sqcodec.train.discriminator.period import PeriodDiscriminator
from sqcodec.train.discriminator.resolution import ResolutionDiscriminator
from sqcodec.train.losses.adversarial import Outputs

PERIODS = (2, 3, 5, 7, 11)
WINDOWS = (126, 542, 1418, 2296)


class Discriminator(nn.Module):
    """One sub-discriminator for each period, then one for each window.

    Args:
        sample_rate: of the audio, Hz; the windows are in samples at any rate, as published.
        periods: of the waveform, in samples.
        windows: FFT sizes, in samples.
        width: factor on the published channels; below 1 for a smaller network.

    Attributes:
        minimum_samples: the shortest audio; a shorter one cannot be reflected at its ends.

    Raises:
        InputError: no sub-discriminator at all, or sizes that none can have.
    """

    def __init__(
        self,
        sample_rate: int,
        *,
        periods: Sequence[int] = PERIODS,
        windows: Sequence[int] = WINDOWS,
        width: float = 1.0,
    ) -> None:
        super().__init__()
        if not (*periods, *windows) or any(period < 1 for period in periods):
            raise InputError(
                "discriminator",
                expected="a period or a window at least, and periods from 1 up",
                found=f"periods {tuple(periods)}, windows {tuple(windows)}",
            )
        self.sample_rate = sample_rate
        self.minimum_samples = max((*windows, *(period + 1 for period in periods)))
        self.parts = nn.ModuleList(
            [
                *(PeriodDiscriminator(period, width) for period in periods),
                *(ResolutionDiscriminator(window, width) for window in windows),
            ]
        )

    def forward(self, audio: Tensor) -> Outputs:
        """Features and logits of each sub-discriminator for audio ``[B, T]``.

        Each item is brought to zero mean and a peak of 0.8 first.

        Raises:
            InputError: audio shorter than ``minimum_samples``.
        """
        if audio.shape[1] < self.minimum_samples:
            rate = self.sample_rate
            raise InputError(
                "audio for the discriminator",
                expected=f"{self.minimum_samples} samples at least "
                f"({self.minimum_samples / rate:.3f} s at {rate} Hz)",
                found=f"{audio.shape[1]} ({audio.shape[1] / rate:.3f} s)",
                remedy="Take longer crops, or shorter windows.",
            )
        audio = audio.float()
        audio = audio - audio.mean(dim=1, keepdim=True)
        audio = 0.8 * audio / (audio.abs().amax(dim=1, keepdim=True) + 1e-9)
        return [part(audio) for part in self.parts]
