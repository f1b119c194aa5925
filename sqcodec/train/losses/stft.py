"""Multi-scale spectrogram distance."""

from __future__ import annotations

import torch
from torch import Tensor, nn

SCALES = (32, 64, 128, 256, 512, 1024)


class MultiScaleSTFT(nn.Module):
    """Mean over FFT sizes of a linear and a logarithmic magnitude distance.

    For each size ``N`` (hop ``N/4``, Hann, centred), with magnitudes ``G`` and ``X``:
    ``mean|G - X| + mean|log10 max(G, eps)^2 - log10 max(X, eps)^2|``, averaged over sizes
    (the form and scales of SQCodec's successor L3AC; the paper's own are not published).

    Args:
        scales: FFT sizes.
        eps: magnitude floor of the logarithm. The published 1.19e-7 makes digital silence
            dominate the first hours of a short run; 1e-4 does not.
    """

    def __init__(self, scales: tuple[int, ...] = SCALES, eps: float = 1e-4) -> None:
        super().__init__()
        self.scales, self.eps = scales, eps
        for size in scales:
            self.register_buffer(f"window_{size}", torch.hann_window(size), persistent=False)

    def forward(self, estimate: Tensor, reference: Tensor) -> Tensor:
        """Distance between waveforms ``[B, T]``; a scalar."""
        estimate, reference = estimate.float(), reference.float()
        total = estimate.new_zeros(())
        for size in self.scales:
            # Not as one batch: the backward pass would go through the reference's half as well.
            window = self.get_buffer(f"window_{size}")
            g, x = magnitude(estimate, window), magnitude(reference, window)
            log_g, log_x = (m.clamp_min(self.eps).log10() for m in (g, x))
            total = total + (g - x).abs().mean() + 2.0 * (log_g - log_x).abs().mean()
        return total / len(self.scales)


def magnitude(audio: Tensor, window: Tensor) -> Tensor:
    """Magnitudes ``[B, N/2 + 1, frames]`` of ``[B, T]`` by a window ``[N]`` at steps of ``N/4``."""
    size = len(window)
    spectrum = torch.stft(audio, size, size // 4, window=window, return_complex=True)
    # The magnitude's gradient at zero is undefined; the floor keeps it finite.
    power = spectrum.real.square() + spectrum.imag.square()
    return power.clamp_min(1e-14).sqrt()
