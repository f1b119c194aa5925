"""X-Codec2 (Ye et al., arXiv 2502.04128), 16 kHz, through transformers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqbench_codecs.base import CodecSpec
from sqbench_codecs.catalogue import CodecEntry
from sqbench_codecs.neural import LongAudio, NeuralCodec, uniform_spec
from sqbench_codecs.pretrained import Published, load_transformers

if TYPE_CHECKING:
    from torch import Tensor, nn

SAMPLE_RATE, HOP, LEVELS = 16000, 320, [4] * 8
MELS = 160  # two frames of 80 bands, which the semantic network takes as one


class XCodec2(NeuralCodec):
    """Convolutions beside a Wav2Vec2-BERT, whose attention and norm are over the whole clip.

    The network's own feature extractor appends a sample and pads to whole frames, so a clip of
    whole frames gets one frame more.
    """

    least = 640  # the mel spectrogram is normalised over time: one frame of it has no deviation
    long = LongAudio(whole_s=30, chunk_s=20, context_s=2)

    @staticmethod
    def published(spec: CodecSpec) -> Published:
        return Published(repo="HKUSTAudio/xcodec2-hf")

    def load(self, files: Mapping[str, Path]) -> nn.Module:
        from transformers import Xcodec2Model

        expected = {"sampling_rate": SAMPLE_RATE, "hop_length": HOP, "quantization_levels": LEVELS}
        network: nn.Module = load_transformers(Xcodec2Model, files, expected)
        return network

    @staticmethod
    def skeleton(spec: CodecSpec) -> nn.Module:
        import torch
        from transformers import Xcodec2Config, Xcodec2Model

        # Some parameters are made past the default device.
        network: nn.Module = Xcodec2Model(Xcodec2Config())
        return network.to(torch.get_default_device())

    @staticmethod
    def parts(spec: CodecSpec) -> Mapping[str, Sequence[str]]:
        return {
            "encoder": ("semantic_encoder", "semantic_adapter", "acoustic_encoder", "fc_encoder"),
            "quantizer": ("quantizer",),
            "decoder": ("acoustic_decoder",),
        }

    @classmethod
    def features(cls, audio: Tensor) -> Mapping[str, Tensor]:
        """What the network takes of audio ``[B, T]``; all of one length, so without masks."""
        if audio.is_meta:  # for counting: the shapes alone
            frames = audio.shape[1] // HOP + 1
            return {
                "input_values": audio.new_empty(len(audio), 1, frames * HOP),
                "input_features": audio.new_empty(len(audio), frames, MELS),
            }
        made = cls.extractor()(
            audio=list(audio.cpu().numpy()), sampling_rate=SAMPLE_RATE, return_tensors="pt"
        )
        return {name: made[name].to(audio.device) for name in ("input_values", "input_features")}

    @staticmethod
    @cache
    def extractor() -> Any:
        """Waveform and mel spectrogram, as published."""
        import transformers

        extractor: Any = transformers.Xcodec2FeatureExtractor
        return extractor()

    @classmethod
    def encode_batch(cls, network: Any, audio: Tensor, spec: CodecSpec) -> Tensor:
        codes: Tensor = network.encode(**cls.features(audio)).audio_codes
        return codes

    @staticmethod
    def decode_batch(network: Any, codes: Tensor, spec: CodecSpec) -> Tensor:
        audio: Tensor = network.decode(codes).audio_values[:, 0]
        return audio


def entries() -> list[CodecEntry]:
    """``xcodec2``: 800 b/s."""
    spec = uniform_spec("xcodec2", SAMPLE_RATE, HOP, 4**8, 1)
    return [XCodec2.entry(spec, summary="X-Codec2, arXiv 2502.04128")]
