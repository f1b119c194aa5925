"""Multi-scale mel distance: how the energy of audible bands differs, whatever their phase."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchaudio.functional import melscale_fbanks

from sqcodec.train.losses.stft import magnitude

SCALES = ((32, 5), (64, 10), (128, 20), (256, 40), (512, 80), (1024, 160), (2048, 320))


class MultiScaleMel(nn.Module):
    """Mean over FFT sizes of ``mean|log10 max(M(G), eps) - log10 max(M(X), eps)|``.

    ``M`` sums magnitudes (hop ``N/4``, Hann, centred) in mel bands from 0 Hz to half the sampling
    rate. Sizes and numbers of bands are those of the reconstruction loss of Kumar et al. 2023
    (DAC); not a term of SQCodec's paper.

    Args:
        sample_rate: Hz.
        scales: FFT sizes, each with its number of bands.
        eps: floor of a band's magnitude, as in `MultiScaleSTFT`.
    """

    def __init__(
        self,
        sample_rate: int,
        scales: tuple[tuple[int, int], ...] = SCALES,
        eps: float = 1e-4,
    ) -> None:
        super().__init__()
        self.sizes, self.eps = tuple(size for size, _ in scales), eps
        for size, bands in scales:
            bank = melscale_fbanks(size // 2 + 1, 0.0, sample_rate / 2, bands, sample_rate)
            self.register_buffer(f"bank_{size}", bank, persistent=False)
            self.register_buffer(f"window_{size}", torch.hann_window(size), persistent=False)

    def forward(self, estimate: Tensor, reference: Tensor) -> Tensor:
        """Distance between waveforms ``[B, T]``; a scalar."""
        estimate, reference = estimate.float(), reference.float()
        total = estimate.new_zeros(())
        for size in self.sizes:
            found, wanted = self._bands(estimate, size), self._bands(reference, size)
            total = total + (found - wanted).abs().mean()
        return total / len(self.sizes)

    def _bands(self, audio: Tensor, size: int) -> Tensor:
        bands = magnitude(audio, self.get_buffer(f"window_{size}")).transpose(1, 2)
        return (bands @ self.get_buffer(f"bank_{size}")).clamp_min(self.eps).log10()
