"""X-Codec (Ye et al., arXiv 2408.17175), 16 kHz, through transformers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqbench_codecs.base import CodecSpec
from sqbench_codecs.catalogue import CodecEntry
from sqbench_codecs.encodec import least_bandwidth
from sqbench_codecs.neural import LongAudio, NeuralCodec, rate_name, uniform_spec
from sqbench_codecs.pretrained import Published, load_transformers

if TYPE_CHECKING:
    from torch import Tensor, nn

SAMPLE_RATE, HOP, CODEBOOK_SIZE, BOOK_BPS = 16000, 320, 1024, 500


class XCodec(NeuralCodec):
    """DAC's convolutions beside a HuBERT, whose attention and norm are over the whole clip."""

    prefixes = True
    long = LongAudio(whole_s=30, chunk_s=20, context_s=2)

    @staticmethod
    def multiple(spec: CodecSpec) -> int:
        return HOP

    @staticmethod
    def published(spec: CodecSpec) -> Published:
        return Published(repo="hf-audio/xcodec-hubert-librispeech")

    def load(self, files: Mapping[str, Path]) -> nn.Module:
        from transformers import XcodecModel

        expected = {
            "sample_rate": SAMPLE_RATE,
            "hop_length": HOP,
            "codebook_size": CODEBOOK_SIZE,
            "target_bandwidths": [0.5, 1, 1.5, 2, 4],
        }
        network: nn.Module = load_transformers(XcodecModel, files, expected)
        return network

    @staticmethod
    def skeleton(spec: CodecSpec) -> nn.Module:
        import torch
        from transformers import XcodecConfig, XcodecModel

        network: nn.Module = XcodecModel(XcodecConfig())
        # One parameter of HuBERT's is made past the default device.
        return network.to(torch.get_default_device())

    @staticmethod
    def parts(spec: CodecSpec) -> Mapping[str, Sequence[str]]:
        return {
            "encoder": ("acoustic_encoder", "encoder_semantic", "semantic_model", "fc."),
            "quantizer": ("quantizer",),
            "decoder": ("acoustic_decoder", "fc2."),
            "unused": ("decoder_semantic", "fc1."),
        }

    @staticmethod
    def encode_batch(network: Any, audio: Tensor, spec: CodecSpec) -> Tensor:
        bandwidth = least_bandwidth(network, spec.num_codebooks * BOOK_BPS)
        codes: Tensor = network.encode(audio[:, None], bandwidth=bandwidth).audio_codes
        return codes[:, : spec.num_codebooks]

    @staticmethod
    def decode_batch(network: Any, codes: Tensor, spec: CodecSpec) -> Tensor:
        audio: Tensor = network.decode(codes).audio_values[:, 0]
        return audio


def entries() -> list[CodecEntry]:
    """``xcodec-500`` to ``xcodec-4k``."""
    return [
        XCodec.entry(
            uniform_spec(
                f"xcodec-{rate_name(books * BOOK_BPS)}", SAMPLE_RATE, HOP, CODEBOOK_SIZE, books
            ),
            summary="X-Codec, arXiv 2408.17175",
        )
        for books in (1, 2, 3, 4, 8)
    ]
