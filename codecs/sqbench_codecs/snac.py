"""SNAC (Siuzdak et al., arXiv 2410.14411), 24, 32 and 44.1 kHz, through its package.

Its codebooks run at different rates. One frame here is one of the slowest codebook, with the codes
of the faster ones beside it: 1 + 2 + 4 at 24 kHz, 1 + 2 + 4 + 8 at the other rates.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqbench_codecs.base import CodecSpec
from sqbench_codecs.catalogue import CodecEntry
from sqbench_codecs.neural import LongAudio, NeuralCodec, uniform_spec
from sqbench_codecs.pretrained import Published, load_tensors, read_tensors
from sqcodec.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

_LARGE = {"encoder_rates": [2, 3, 8, 8], "decoder_rates": [8, 8, 3, 2], "vq_strides": [8, 4, 2, 1]}
CONFIGS: dict[int, dict[str, Any]] = {
    24000: {
        "encoder_dim": 48,
        "encoder_rates": [2, 4, 8, 8],
        "decoder_dim": 1024,
        "decoder_rates": [8, 8, 4, 2],
        "attn_window_size": None,
        "vq_strides": [4, 2, 1],
    },
    32000: _LARGE,
    44100: _LARGE,
}
ATTENTION_WINDOW = 32  # frames of the fastest codebook, at the two higher rates
SEED = 0


class SNAC(NeuralCodec):
    """The decoder adds noise of its own: drawn from one seed for every clip, so clips go alone."""

    shares_batches = False
    long = LongAudio(whole_s=30, chunk_s=20, context_s=1)

    @property
    def settings(self) -> Mapping[str, Any]:
        return {**super().settings, "noise_seed": SEED}

    @staticmethod
    def multiple(spec: CodecSpec) -> int:
        config = CONFIGS[spec.sample_rate or 0]
        window = ATTENTION_WINDOW if config.get("attn_window_size", ATTENTION_WINDOW) else 1
        hop: int = math.prod(config["encoder_rates"])
        return hop * math.lcm(config["vq_strides"][0], window)

    @staticmethod
    def published(spec: CodecSpec) -> Published:
        repo = f"hubertsiuzdak/snac_{(spec.sample_rate or 0) // 1000}khz"
        return Published(repo=repo, files=("config.json", "pytorch_model.bin"))

    def load(self, files: Mapping[str, Path]) -> nn.Module:
        from snac import SNAC as Network

        path = files["config.json"]
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
            network: nn.Module = Network(**config)
        except (ValueError, TypeError, AttributeError) as error:
            raise InputError(str(path), expected="a config of SNAC", found=str(error)) from error
        wanted = CONFIGS[self.spec.sample_rate or 0]
        expected = (self.spec.sample_rate, math.prod(wanted["encoder_rates"]), wanted["vq_strides"])
        found = (config["sampling_rate"], math.prod(config["encoder_rates"]), config["vq_strides"])
        if found != expected:
            raise InputError(
                str(path),
                expected=f"rate, hop and codebook strides {expected}",
                found=str(found),
                remedy="These are weights of another model of this family.",
            )
        weights = files["pytorch_model.bin"]
        load_tensors(network, read_tensors(weights), weights)
        return network

    @staticmethod
    def skeleton(spec: CodecSpec) -> nn.Module:
        from snac import SNAC as Network

        network: nn.Module = Network(
            sampling_rate=spec.sample_rate, **CONFIGS[spec.sample_rate or 0]
        )
        return network

    @staticmethod
    def parts(spec: CodecSpec) -> Mapping[str, Sequence[str]]:
        return {"encoder": ("encoder",), "quantizer": ("quantizer",), "decoder": ("decoder",)}

    @staticmethod
    def encode_batch(network: Any, audio: Tensor, spec: CodecSpec) -> Tensor:
        import torch

        books = network.encode(audio[:, None])
        frames = books[0].shape[-1]
        return torch.cat([b.view(b.shape[0], frames, -1).transpose(1, 2) for b in books], dim=1)

    @staticmethod
    def decode_batch(network: Any, codes: Tensor, spec: CodecSpec) -> Tensor:
        import torch

        rates = [network.vq_strides[0] // stride for stride in network.vq_strides]
        books = [b.transpose(1, 2).flatten(1) for b in torch.split(codes, rates, dim=1)]
        on_gpu = [codes.device] if codes.is_cuda else []
        with torch.random.fork_rng(devices=on_gpu):
            torch.manual_seed(SEED)
            audio: Tensor = network.decode(books)[:, 0]
        return audio


def entries() -> list[CodecEntry]:
    """``snac-24k``, ``snac-32k``, ``snac-44k``."""
    found = []
    for rate, config in CONFIGS.items():
        slowest = config["vq_strides"][0]
        books = sum(slowest // stride for stride in config["vq_strides"])
        hop = math.prod(config["encoder_rates"]) * slowest
        found.append(
            SNAC.entry(
                uniform_spec(f"snac-{rate // 1000}k", rate, hop, 4096, books),
                requires=("snac",),
                extra="snac",
                summary="SNAC, arXiv 2410.14411",
            )
        )
    return found
