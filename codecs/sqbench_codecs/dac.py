"""DAC (Kumar et al., arXiv 2306.06546), 16, 24 and 44.1 kHz, through transformers.

Every number of codebooks is an operating point. The two lower rates have round bitrates and are
named by them, so the paper's twelve codebooks at 16 kHz are ``dac-16k-6k``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqbench_codecs.base import CodecSpec
from sqbench_codecs.catalogue import CodecEntry
from sqbench_codecs.neural import LongAudio, NeuralCodec, rate_name, uniform_spec
from sqbench_codecs.pretrained import Published, load_transformers

if TYPE_CHECKING:
    from torch import Tensor, nn

CODEBOOK_SIZE = 1024
STRIDES = {16: (2, 4, 5, 8), 24: (2, 4, 5, 8), 44: (2, 4, 8, 8)}
BOOKS = {16: 12, 24: 32, 44: 9}
RATES = {16: 16000, 24: 24000, 44: 44100}


class DAC(NeuralCodec):
    """Convolutions alone, so with enough context a chunk's codes are those of the whole.

    The context is 16 frames and more, of which each side of a frame reaches about 10. Transposed
    convolutions with stride 5 end 8 samples before the last frame does: those are zeros.
    """

    prefixes = True
    long = LongAudio(whole_s=30, chunk_s=20, context_s=0.5)

    @staticmethod
    def multiple(spec: CodecSpec) -> int:
        return math.prod(STRIDES[_khz(spec)])

    @staticmethod
    def published(spec: CodecSpec) -> Published:
        return Published(repo=f"descript/dac_{_khz(spec)}khz")

    def load(self, files: Mapping[str, Path]) -> nn.Module:
        from transformers import DacModel

        expected = {
            "sampling_rate": self.spec.sample_rate,
            "hop_length": self.hop,
            "codebook_size": CODEBOOK_SIZE,
            "n_codebooks": BOOKS[_khz(self.spec)],
        }
        network: nn.Module = load_transformers(DacModel, files, expected)
        return network

    @staticmethod
    def skeleton(spec: CodecSpec) -> nn.Module:
        from transformers import DacConfig, DacModel

        from sqbench_codecs.whole import published_weight_norm

        khz = _khz(spec)
        config = DacConfig(
            sampling_rate=RATES[khz], downsampling_ratios=STRIDES[khz], n_codebooks=BOOKS[khz]
        )
        return published_weight_norm(DacModel(config))

    @staticmethod
    def parts(spec: CodecSpec) -> Mapping[str, Sequence[str]]:
        books = [f"quantizer.quantizers.{i}." for i in range(BOOKS[_khz(spec)])]
        return {
            "encoder": ("encoder",),
            "quantizer": books[: spec.num_codebooks],
            "decoder": ("decoder",),
            "unused": books[spec.num_codebooks :],
        }

    @staticmethod
    def encode_batch(network: Any, audio: Tensor, spec: CodecSpec) -> Tensor:
        codes: Tensor = network.encode(audio[:, None], n_quantizers=spec.num_codebooks).audio_codes
        return codes

    @staticmethod
    def decode_batch(network: Any, codes: Tensor, spec: CodecSpec) -> Tensor:
        audio: Tensor = network.decode(audio_codes=codes).audio_values
        return audio


def _khz(spec: CodecSpec) -> int:
    assert spec.sample_rate is not None
    return spec.sample_rate // 1000


def entries() -> list[CodecEntry]:
    """``dac-16k-500`` to ``-6k``, ``dac-24k-750`` to ``-24k``, ``dac-44k-q1`` to ``-q9``."""
    found = []
    for khz, strides in STRIDES.items():
        hop = math.prod(strides)
        for books in range(1, BOOKS[khz] + 1):
            spec = uniform_spec("", RATES[khz], hop, CODEBOOK_SIZE, books)
            assert spec.bitrate_bps is not None
            by_books = f"dac-{khz}k-q{books}"
            name = by_books if khz == 44 else f"dac-{khz}k-{rate_name(spec.bitrate_bps)}"
            found.append(
                DAC.entry(
                    uniform_spec(name, RATES[khz], hop, CODEBOOK_SIZE, books),
                    aliases=() if khz == 44 else (by_books,),
                    summary="DAC, arXiv 2306.06546",
                )
            )
    return found
