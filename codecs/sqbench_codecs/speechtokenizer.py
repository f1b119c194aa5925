"""SpeechTokenizer (Zhang et al., arXiv 2308.16692), 16 kHz, through its package (Apache-2.0)."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqbench_codecs.base import CodecSpec
from sqbench_codecs.catalogue import CodecEntry
from sqbench_codecs.neural import LongAudio, NeuralCodec, rate_name, uniform_spec
from sqbench_codecs.pretrained import Published, load_tensors, read_tensors
from sqcodec.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

SAMPLE_RATE, HOP, CODEBOOK_SIZE, BOOK_BPS, MOST_BOOKS = 16000, 320, 1024, 500, 8
CONFIG: dict[str, Any] = {
    "sample_rate": SAMPLE_RATE, "strides": [8, 5, 4, 2], "codebook_size": CODEBOOK_SIZE,
    "n_q": MOST_BOOKS, "n_filters": 64, "dimension": 1024, "semantic_dimension": 768,
    "lstm_layers": 2, "bidirectional": True, "dilation_base": 2, "residual_kernel_size": 3,
    "n_residual_layers": 1, "activation": "ELU",
}  # fmt: skip
FOLDER = "speechtokenizer_hubert_avg"


class SpeechTokenizer(NeuralCodec):
    """EnCodec's network with an LSTM that sees the whole clip, both ways."""

    prefixes = True
    long = LongAudio(whole_s=60, chunk_s=30, context_s=2)

    @staticmethod
    def multiple(spec: CodecSpec) -> int:
        return HOP

    @staticmethod
    def published(spec: CodecSpec) -> Published:
        files = (f"{FOLDER}/config.json", f"{FOLDER}/SpeechTokenizer.pt")
        return Published(repo="fnlp/SpeechTokenizer", files=files)

    def load(self, files: Mapping[str, Path]) -> nn.Module:
        config_path, weights = files.values()
        try:
            config = json.loads(config_path.read_text(encoding="utf-8"))
            for name in ("sample_rate", "strides", "codebook_size", "n_q"):
                if config.get(name) != CONFIG[name]:
                    raise ValueError(f"{name} {config.get(name)}, not {CONFIG[name]}")
            network: nn.Module = _class()(config)
        except (ValueError, TypeError, AttributeError) as error:
            raise InputError(
                str(config_path), expected="a config of SpeechTokenizer", found=str(error)
            ) from error
        load_tensors(network, read_tensors(weights), weights)
        return network

    @staticmethod
    def skeleton(spec: CodecSpec) -> nn.Module:
        network: nn.Module = _class()(CONFIG)
        return network

    @staticmethod
    def parts(spec: CodecSpec) -> Mapping[str, Sequence[str]]:
        return {
            "encoder": ("encoder",),
            "quantizer": ("quantizer",),
            "decoder": ("decoder",),
            "unused": ("transform",),
        }

    @staticmethod
    def encode_batch(network: Any, audio: Tensor, spec: CodecSpec) -> Tensor:
        codes: Tensor = network.encode(audio[:, None], n_q=spec.num_codebooks)
        return codes.transpose(0, 1)

    @staticmethod
    def decode_batch(network: Any, codes: Tensor, spec: CodecSpec) -> Tensor:
        audio: Tensor = network.decode(codes.transpose(0, 1))[:, 0]
        return audio


def _class() -> Any:
    """The network, without what training it needs: its package imports accelerate and more."""
    if "speechtokenizer" not in sys.modules:
        spec = importlib.util.find_spec("speechtokenizer")
        assert spec is not None
        package = types.ModuleType("speechtokenizer")
        package.__path__ = list(spec.submodule_search_locations or ())
        package.__spec__ = spec
        sys.modules["speechtokenizer"] = package
    return importlib.import_module("speechtokenizer.model").SpeechTokenizer


def entries() -> list[CodecEntry]:
    """``speechtokenizer-500`` to ``-4k``: each number of codebooks."""
    return [
        SpeechTokenizer.entry(
            uniform_spec(
                f"speechtokenizer-{rate_name(books * BOOK_BPS)}",
                SAMPLE_RATE, HOP, CODEBOOK_SIZE, books,
            ),
            requires=("speechtokenizer", "einops"),
            extra="more-codecs",
            summary="SpeechTokenizer, arXiv 2308.16692",
        )
        for books in range(1, MOST_BOOKS + 1)
    ]  # fmt: skip
