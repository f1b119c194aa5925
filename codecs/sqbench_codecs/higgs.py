"""Higgs Audio v2's tokenizer (Boson AI, 2025), 24 kHz, through transformers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqbench_codecs.base import CodecSpec
from sqbench_codecs.catalogue import CodecEntry
from sqbench_codecs.encodec import least_bandwidth
from sqbench_codecs.neural import rate_name, uniform_spec
from sqbench_codecs.pretrained import Published, load_transformers
from sqbench_codecs.xcodec import XCodec

if TYPE_CHECKING:
    from torch import Tensor, nn

SAMPLE_RATE, HOP, CODEBOOK_SIZE, BOOK_BPS, MOST_BOOKS = 24000, 960, 1024, 250, 8
STRIDES = [8, 5, 4, 2, 3]


class Higgs(XCodec):
    """X-Codec's network with a HuBERT of audio at large, at 25 frames a second."""

    least = 2  # one frame alone is too short for HuBERT

    @staticmethod
    def multiple(spec: CodecSpec) -> int:
        return HOP

    @staticmethod
    def published(spec: CodecSpec) -> Published:
        return Published(repo="bosonai/higgs-audio-v2-tokenizer")

    def load(self, files: Mapping[str, Path]) -> nn.Module:
        from transformers import HiggsAudioV2TokenizerModel

        expected = {
            "sample_rate": SAMPLE_RATE,
            "hop_length": HOP,
            "codebook_size": CODEBOOK_SIZE,
            "num_quantizers": MOST_BOOKS,
        }
        network: nn.Module = load_transformers(HiggsAudioV2TokenizerModel, files, expected)
        return network

    @staticmethod
    def skeleton(spec: CodecSpec) -> nn.Module:
        import torch
        from transformers import HiggsAudioV2TokenizerConfig, HiggsAudioV2TokenizerModel

        network: nn.Module = HiggsAudioV2TokenizerModel(
            HiggsAudioV2TokenizerConfig(
                target_bandwidths=[0.5, 1, 1.5, 2],
                acoustic_model_config={
                    "model_type": "dac",
                    "downsampling_ratios": STRIDES,
                    "upsampling_ratios": STRIDES,
                },
            )
        )
        # One parameter of HuBERT's is made past the default device.
        return network.to(torch.get_default_device())

    @staticmethod
    def encode_batch(network: Any, audio: Tensor, spec: CodecSpec) -> Tensor:
        bandwidth = least_bandwidth(network, spec.num_codebooks * BOOK_BPS)
        codes: Tensor = network.encode(audio[:, None], bandwidth=bandwidth).audio_codes
        return codes[:, : spec.num_codebooks]


def entries() -> list[CodecEntry]:
    """``higgs-500`` to ``higgs-2k``."""
    return [
        Higgs.entry(
            uniform_spec(
                f"higgs-{rate_name(books * BOOK_BPS)}", SAMPLE_RATE, HOP, CODEBOOK_SIZE, books
            ),
            summary="Higgs Audio v2 tokenizer",
        )
        for books in (2, 4, 6, 8)
    ]
