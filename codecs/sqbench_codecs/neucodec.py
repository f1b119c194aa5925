"""NeuCodec (Julian et al., arXiv 2509.09550), 16 kHz in and 24 kHz out, through transformers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqbench_codecs.base import CodecSpec
from sqbench_codecs.catalogue import CodecEntry
from sqbench_codecs.neural import uniform_spec
from sqbench_codecs.pretrained import Published, load_transformers
from sqbench_codecs.xcodec2 import HOP, LEVELS, SAMPLE_RATE, XCodec2

if TYPE_CHECKING:
    from torch import nn

OUTPUT_RATE = 24000


class NeuCodec(XCodec2):
    """X-Codec2's network with a decoder for 24 kHz, retrained."""

    @staticmethod
    def published(spec: CodecSpec) -> Published:
        return Published(repo="neuphonic/neucodec")

    def load(self, files: Mapping[str, Path]) -> nn.Module:
        from transformers import NeuCodecModel

        expected = {
            "input_sampling_rate": SAMPLE_RATE,
            "output_sampling_rate": OUTPUT_RATE,
            "encoder_hop_length": HOP,
            "quantization_levels": LEVELS,
        }
        network: nn.Module = load_transformers(NeuCodecModel, files, expected)
        return network

    @staticmethod
    def skeleton(spec: CodecSpec) -> nn.Module:
        import torch
        from transformers import NeuCodecConfig, NeuCodecModel

        # Some parameters are made past the default device.
        network: nn.Module = NeuCodecModel(NeuCodecConfig())
        return network.to(torch.get_default_device())

    @staticmethod
    @cache
    def extractor() -> Any:
        """Waveform and mel spectrogram, as published."""
        import transformers

        extractor: Any = transformers.NeuCodecFeatureExtractor
        return extractor()


def entries() -> list[CodecEntry]:
    """``neucodec``: 800 b/s."""
    spec = uniform_spec("neucodec", SAMPLE_RATE, HOP, 4**8, 1)
    spec = replace(spec, output_sample_rate=OUTPUT_RATE)
    return [NeuCodec.entry(spec, summary="NeuCodec, arXiv 2509.09550; 24 kHz out")]
