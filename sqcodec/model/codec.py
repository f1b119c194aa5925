"""The whole network, trainable."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from sqcodec.config import SQCodecConfig
from sqcodec.model.decoder import Decoder
from sqcodec.model.encoder import Encoder
from sqcodec.model.fsq import FSQ
from sqcodec.model.transformer import TokenDecoder, TokenEncoder


@dataclass(frozen=True, kw_only=True)
class Stages:
    """What flows between the parts, for one padded batch.

    Attributes:
        frames: of the encoder, ``[B, F, feature_dim]``.
        tokens: of the token encoder, ``[B, N, feature_dim]``.
        quantized: of the quantizer, ``[B, N, feature_dim]``.
        codes: ``[B, N]``, int64.
        audio: ``[B, T_padded]``.
    """

    frames: Tensor
    tokens: Tensor
    quantized: Tensor
    codes: Tensor
    audio: Tensor


class SQCodecModel(nn.Module):
    """Encoder, token encoder, quantizer, token decoder, decoder.

    Parameters carry the published names; each submodule loads its published file strictly.
    """

    def __init__(self, config: SQCodecConfig) -> None:
        super().__init__()
        self.config = config
        trans = (
            config.feature_dim,
            config.transformer_depth,
            config.compress_depth,
            config.window,
            config.compress_rate,
        )
        self.encoder = Encoder(config)
        self.quantizer = FSQ(config.feature_dim, config.levels)
        self.decoder = Decoder(config)
        self.en_encoder = TokenEncoder(*trans)
        self.en_decoder = TokenDecoder(*trans)

    def pad(self, audio: Tensor) -> Tensor:
        """Zero-pad ``[B, T]`` on the right to whole windows."""
        length = audio.shape[-1]
        return F.pad(audio, (0, self.config.padded_length(length) - length))

    def stages(self, audio: Tensor, noise: Tensor | None = None) -> Stages:
        """Run ``[B, T]`` audio through every part and keep what flows between them.

        ``noise`` is the quantizer's, ``[B, N, D, 2]``, where its training mode wants any.
        """
        frames = self.encoder(self.pad(audio))
        tokens = self.en_encoder(frames)
        quantized, codes = self.quantizer(tokens, noise)
        return Stages(
            frames=frames,
            tokens=tokens,
            quantized=quantized,
            codes=codes,
            audio=self.decoder(self.en_decoder(quantized)),
        )

    def forward(self, audio: Tensor) -> Tensor:
        """``[B, T]`` audio to its reconstruction ``[B, T]``."""
        return self.stages(audio).audio[..., : audio.shape[-1]]

    def encode(self, audio: Tensor) -> Tensor:
        """``[B, T]`` audio to codes ``[B, N]``, int64."""
        frames = self.encoder(self.pad(audio))
        codes: Tensor = self.quantizer.encode(self.en_encoder(frames))
        return codes

    def decode(self, codes: Tensor) -> Tensor:
        """Codes ``[B, N]``, N in whole windows, to audio ``[B, N * hop]``."""
        audio: Tensor = self.decoder(self.en_decoder(self.quantizer.decode(codes)))
        return audio
