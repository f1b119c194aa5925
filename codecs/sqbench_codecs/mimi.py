"""Mimi (Défossez et al., arXiv 2410.00037), 24 kHz, through transformers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqbench_codecs.base import CodecSpec
from sqbench_codecs.catalogue import CodecEntry
from sqbench_codecs.neural import LongAudio, NeuralCodec, uniform_spec
from sqbench_codecs.pretrained import Published, load_transformers

if TYPE_CHECKING:
    from torch import Tensor, nn

SAMPLE_RATE, HOP, CODEBOOK_SIZE, MOST_BOOKS = 24000, 1920, 2048, 32


class Mimi(NeuralCodec):
    """Causal convolutions and transformers with a window of 10 s."""

    prefixes = True
    long = LongAudio(whole_s=120, chunk_s=60, context_s=10)

    @staticmethod
    def multiple(spec: CodecSpec) -> int:
        return HOP

    @staticmethod
    def published(spec: CodecSpec) -> Published:
        return Published(repo="kyutai/mimi")

    def load(self, files: Mapping[str, Path]) -> nn.Module:
        from transformers import MimiModel

        expected = {
            "sampling_rate": SAMPLE_RATE,
            "frame_rate": SAMPLE_RATE / HOP,
            "codebook_size": CODEBOOK_SIZE,
            "num_quantizers": MOST_BOOKS,
            "num_semantic_quantizers": 1,
        }
        network: nn.Module = load_transformers(MimiModel, files, expected)
        return network

    @staticmethod
    def skeleton(spec: CodecSpec) -> nn.Module:
        from transformers import MimiConfig, MimiModel

        from sqbench_codecs.whole import real_paddings

        return real_paddings(MimiModel(MimiConfig()))

    @staticmethod
    def parts(spec: CodecSpec) -> Mapping[str, Sequence[str]]:
        first = "quantizer.semantic_residual_vector_quantizer"
        others = "quantizer.acoustic_residual_vector_quantizer"
        return {
            "encoder": ("encoder",),
            "quantizer": (first, others) if spec.num_codebooks > 1 else (first,),
            "decoder": ("decoder",),
            "unused": () if spec.num_codebooks > 1 else (others,),
        }

    @staticmethod
    def encode_batch(network: Any, audio: Tensor, spec: CodecSpec) -> Tensor:
        mask = _mask(audio, audio.shape[-1] // HOP)
        found = network.encode(audio[:, None], num_quantizers=spec.num_codebooks, **mask)
        codes: Tensor = found.audio_codes
        return codes

    @staticmethod
    def decode_batch(network: Any, codes: Tensor, spec: CodecSpec) -> Tensor:
        audio: Tensor = network.decode(codes, **_mask(codes, codes.shape[-1])).audio_values[:, 0]
        return audio


def _mask(like: Tensor, frames: int) -> dict[str, Tensor]:
    """On the meta device, a mask of two steps a frame: making its own, attention reads values."""
    size = (like.shape[0], 1, 2 * frames, 2 * frames)
    return {"attention_mask": like.new_empty(size).bool()} if like.is_meta else {}


def entries() -> list[CodecEntry]:
    """``mimi-q1`` to ``mimi-q32``: 137.5 b/s a codebook."""
    return [
        Mimi.entry(
            uniform_spec(f"mimi-q{books}", SAMPLE_RATE, HOP, CODEBOOK_SIZE, books),
            summary="Mimi, arXiv 2410.00037",
        )
        for books in (1, 4, 8, 16, 32)
    ]
