"""Perceptual loss: the distance that a speech recogniser's encoder sees between two waveforms.

The paper names Whisper-tiny; the model ``tiny.en``, the layer (the encoder's output) and the form
of the distance are those of SQCodec's successor L3AC. Whisper: Radford et al. 2022.
"""

from __future__ import annotations

from math import ceil, floor
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.amp.autocast_mode import is_autocast_available
from torch.nn import functional as F

from sqcodec.checkpoint import tensors_sha256
from sqcodec.train.losses import whisper_sources
from sqcodec.train.losses.whisper_sources import WHISPER

if TYPE_CHECKING:
    from transformers import WhisperFeatureExtractor

CONTEXTS = ("padded", "clip")
_FLOOR = 1e-10
_RANGE = 8.0  # log10 units that Whisper sees below the loudest value
_FRAMES_PER_POSITION = 2  # the stride of the encoder's second convolution


class WhisperPerceptual(nn.Module):
    """``sum over features of (E(estimate) - E(reference))^2``, mean over items and 30 s of frames.

    ``E`` is the output of a Whisper encoder (384 features, 1500 positions in the published model)
    for audio at its rate. It is frozen and always in evaluation mode; the gradient flows through it
    into the estimate alone.

    With the context ``padded``, as published, audio is cut or padded with silence to the model's
    30 s. With ``clip`` the encoder sees the audio and ``silence`` seconds behind it, on its first
    positions: its cost falls with the length, and its features are close to the others. Differences
    behind the clip do not count. The sum over positions is divided by those of 30 s in both
    contexts, so that values and limits keep their size.

    Args:
        encoder: of a Whisper.
        extractor: the front end it was trained with; its log-mel spectrum is computed in torch.
        sample_rate: of the audio given, Hz.
        identity: what the training card says of the weights; their hash and the context are added.
        context: ``padded`` or ``clip``.
        silence: seconds behind a clip.
        noise: RMS of white noise added to both, full scale at 1; the same in every call. Without,
            the gradient is a few enormous values: Whisper hears 80 dB below the loudest band, and
            where a codec is not that quiet the logarithm's slope knows no bound.

    Attributes:
        identity: ``source`` (id, package or folder name), the hub's commit as ``revision`` where it
            comes from there, ``sha256`` over the encoder's tensors, ``context``, and ``silence_s``
            where it matters.
    """

    mel_filters: Tensor
    hann: Tensor
    noise: Tensor | None

    def __init__(
        self,
        encoder: nn.Module,
        extractor: WhisperFeatureExtractor,
        *,
        sample_rate: int,
        identity: dict[str, Any],
        context: str = "padded",
        silence: float = 0.0,
        noise: float = 0.0,
    ) -> None:
        super().__init__()
        assert context in CONTEXTS
        self.encoder = encoder.eval().requires_grad_(False)
        self.context, self.silence = context, silence
        self.identity = {**identity, "sha256": tensors_sha256(self.encoder), "context": context}
        if context == "clip":
            self.identity["silence_s"] = silence
        if noise:
            self.identity["noise"] = noise
        self.window, self.hop = int(extractor.n_fft), int(extractor.hop_length)
        self.rate = int(extractor.sampling_rate)
        config: Any = encoder.config
        self.positions = int(config.max_source_positions)
        self.resample: nn.Module = nn.Identity()
        if sample_rate != self.rate:
            from torchaudio.transforms import Resample

            self.resample = Resample(sample_rate, self.rate)
        filters = torch.from_numpy(extractor.mel_filters).float().T.contiguous()
        self.register_buffer("mel_filters", filters, persistent=False)
        self.register_buffer("hann", torch.hann_window(self.window), persistent=False)
        longest = _FRAMES_PER_POSITION * self.positions * self.hop
        drawn = torch.from_numpy(np.random.default_rng(0).standard_normal(longest))
        self.register_buffer("noise", noise * drawn.float() if noise else None, persistent=False)

    @classmethod
    def load(
        cls,
        source: str = WHISPER,
        *,
        sample_rate: int,
        revision: str | None = None,
        device: torch.device | str = "cpu",
        context: str = "padded",
        silence: float = 0.0,
        noise: float = 0.0,
    ) -> WhisperPerceptual:
        """The loss with the weights that ``source`` names (see `whisper_sources.load`).

        Raises:
            InputError: transformers is missing, or the weights are not there, not readable, not
                those expected, or not those of a Whisper.
        """
        found = whisper_sources.load(source, revision)
        loss = cls(
            found.encoder, found.extractor, sample_rate=sample_rate, identity=found.identity,
            context=context, silence=silence, noise=noise,
        )  # fmt: skip
        return loss.to(device)

    def train(self, mode: bool = True) -> WhisperPerceptual:
        """Stays in evaluation mode, where no layer drops anything."""
        return super().train(False)

    def forward(self, estimate: Tensor, reference: Tensor) -> Tensor:
        """Distance between waveforms ``[B, T]``; a scalar."""
        with torch.no_grad():
            target = self.features(reference).float()
        squared = (self.features(estimate).float() - target).square().sum(-1)
        return squared[:, : self._counted(squared.shape[1])].sum(1).mean() / self.positions

    def features(self, audio: Tensor) -> Tensor:
        """Encoder output ``[B, positions, D]`` for waveforms ``[B, T]``."""
        mel = self.log_mel(audio)
        encoder: Any = self.encoder
        if self.context == "padded":
            out: Tensor = encoder(mel).last_hidden_state
            return out
        # As the encoder's own forward pass, which takes its full length only.
        h = F.gelu(encoder.conv2(F.gelu(encoder.conv1(mel)))).transpose(1, 2)
        h = h + encoder.embed_positions.weight[: h.shape[1]]
        for layer in encoder.layers:
            h = layer(h, None)
        out = encoder.layer_norm(h)
        return out

    def log_mel(self, audio: Tensor) -> Tensor:
        """Whisper's input ``[B, mels, frames]`` for waveforms ``[B, T]``, in float32.

        ``log10`` of the mel power, floored at 1e-10 and at 8 below the item's highest, then
        ``(. + 4) / 4``. Only frames that the audio reaches are transformed: silence is at the
        floor, and of the 30 s a crop fills a small part.
        """
        # The meta device, on which operations are counted, has no autocast to switch off.
        kind = audio.device.type if is_autocast_available(audio.device.type) else "cpu"
        with torch.autocast(kind, enabled=False):
            audio = self.resample(audio.float())
            if self.noise is not None:
                audio = audio[:, : len(self.noise)] + self.noise[: audio.shape[1]]
            longest = _FRAMES_PER_POSITION * self.positions
            half, whole = self.window // 2, longest * self.hop
            reached = min(longest, ceil((audio.shape[1] + half) / self.hop))
            # Up to the last sample that the last of these frames sees; ends of the 30 s reflect.
            samples = min(whole, (reached - 1) * self.hop + half)
            frames = longest if self.context == "padded" else self._clip_frames(reached)
            audio = F.pad(audio, (0, samples - audio.shape[1]))
            spectrum = torch.stft(
                audio, self.window, self.hop, window=self.hann, return_complex=True
            )[..., :reached]
            power = spectrum.real.square() + spectrum.imag.square()
            log = (self.mel_filters @ power).clamp_min(_FLOOR).log10()
            log = F.pad(log, (0, frames - reached), value=-10.0)  # log10 of the floor
            highest = log.amax(dim=(1, 2), keepdim=True)
            return (torch.maximum(log, highest - _RANGE) + 4.0) / 4.0

    def _counted(self, positions: int) -> int:
        """Of the encoder's positions, those whose difference counts."""
        if self.context == "padded":
            return positions
        behind = self.silence * self.rate / (self.hop * _FRAMES_PER_POSITION)
        return max(1, positions - floor(behind))

    def _clip_frames(self, reached: int) -> int:
        """Frames of a clip and the silence behind it, in whole positions."""
        wanted = reached + self.silence * self.rate / self.hop
        return _FRAMES_PER_POSITION * min(self.positions, ceil(wanted / _FRAMES_PER_POSITION))
