"""The generator's loss: reconstruction terms weighted, perceptual and adversarial ones clamped."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sqcodec.train.distributed import World
from sqcodec.train.losses.adversarial import Outputs, generator_loss
from sqcodec.train.losses.clamp import clamp_term
from sqcodec.train.losses.mel import MultiScaleMel
from sqcodec.train.losses.perceptual import WhisperPerceptual
from sqcodec.train.losses.snr import snr_db
from sqcodec.train.losses.stft import MultiScaleSTFT
from sqcodec.train.recipes.sections import Losses


class Objective(nn.Module):
    """Reconstruction terms, plus what Eq. 2 clamps.

    ``l1 * L1 + stft * STFT + mel * Mel + clamp(factor * perceptual) + clamp(adversarial + feature *
    matching)``.

    Args:
        recipe: factors and limits.
        perceptual: the perceptual term, or ``None`` for none.
        sample_rate: of the audio, Hz.
        world: over whose processes Eq. 2 decides: the clamp is not linear, so the mean comes first.
    """

    def __init__(
        self,
        recipe: Losses,
        perceptual: WhisperPerceptual | None,
        world: World,
        *,
        sample_rate: int,
    ) -> None:
        super().__init__()
        self.recipe, self.perceptual, self.world = recipe, perceptual, world
        self.stft = MultiScaleSTFT(eps=recipe.stft_floor)
        self.mel = MultiScaleMel(sample_rate, eps=recipe.stft_floor) if recipe.mel else None

    def forward(
        self, estimate: Tensor, audio: Tensor, discriminator: nn.Module | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of ``[B, T]`` against ``[B, T]``, and its terms without gradient.

        ``discriminator`` must be frozen; ``None`` leaves the adversarial term out.
        """
        recipe = self.recipe
        l1 = (estimate - audio).abs().mean()
        stft = self.stft(estimate, audio)
        total = recipe.l1 * l1 + recipe.stft * stft
        terms = {"l1": l1, "stft": stft}
        if self.mel is not None:
            terms["mel"] = self.mel(estimate, audio)
            total = total + recipe.mel * terms["mel"]
        if self.perceptual is not None:
            distance = self.perceptual(estimate, audio)
            total = total + self._clamp(recipe.perceptual * distance, recipe.perceptual_limit)
            terms["perceptual"] = distance
        if discriminator is not None:
            with torch.no_grad():
                real: Outputs = discriminator(audio)
            adversarial, matching = generator_loss(discriminator(estimate), real)
            both = adversarial + recipe.feature * matching
            total = total + self._clamp(both, recipe.adversarial_limit)
            terms |= {"adversarial": adversarial, "feature": matching}
        values = {"loss": total, **terms}
        detached = {name: value.detach() for name, value in values.items()}
        return total, {**detached, "snr_db": snr_db(estimate.detach(), audio).mean()}

    def _clamp(self, term: Tensor, limit: float) -> Tensor:
        return clamp_term(term, limit, self.world.mean(term))
