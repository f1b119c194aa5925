"""BigCodec (Xin et al., arXiv 2409.05377), 16 kHz, through the package of its network (MIT).

The package is by others than the authors; the weights are the authors' checkpoint, whose sizes are
the package's defaults.
"""

from __future__ import annotations

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

SAMPLE_RATE, HOP, CODEBOOK_SIZE = 16000, 200, 8192
SIZES: dict[str, dict[str, Any]] = {"encoder": {}, "decoder": {}}
"""Arguments of the two parts beyond the published defaults: the checkpoint says nothing of them."""
PARTS = {"encoder": "CodecEnc", "decoder": "generator"}
"""Our part to its name in the checkpoint."""


class BigCodec(NeuralCodec):
    """Convolutions around LSTMs, which reach back over the whole clip."""

    long = LongAudio(whole_s=60, chunk_s=30, context_s=2)

    @staticmethod
    def multiple(spec: CodecSpec) -> int:
        return HOP

    @staticmethod
    def published(spec: CodecSpec) -> Published:
        return Published(repo="Alethia/BigCodec", files=("bigcodec.pt",))

    def load(self, files: Mapping[str, Path]) -> nn.Module:
        (path,) = files.values()
        network, checkpoint = self.skeleton(self.spec), read_tensors(path)
        tensors = {}
        for ours, theirs in PARTS.items():
            if not isinstance(checkpoint.get(theirs), Mapping):
                raise InputError(
                    str(path), expected=" and ".join(PARTS.values()), found=f"no {theirs}"
                )
            for name, value in checkpoint[theirs].items():
                # The checkpoint has weight norm as a hook, the package as a parametrization.
                for old, new in (("weight_g", "original0"), ("weight_v", "original1")):
                    if name.endswith(f".{old}"):
                        name = name.removesuffix(old) + f"parametrizations.weight.{new}"
                tensors[f"{ours}.{name}"] = value
        load_tensors(network, tensors, path)
        return network

    @staticmethod
    def skeleton(spec: CodecSpec) -> nn.Module:
        from bigcodec import CodecDecoder, CodecEncoder
        from torch import nn

        parts = {"encoder": CodecEncoder, "decoder": CodecDecoder}
        return nn.ModuleDict({name: cls(**SIZES[name]) for name, cls in parts.items()})

    @staticmethod
    def parts(spec: CodecSpec) -> Mapping[str, Sequence[str]]:
        return {
            "encoder": ("encoder",),
            "quantizer": ("decoder.quantizer",),
            "decoder": ("decoder.model",),
        }

    @staticmethod
    def encode_batch(network: Any, audio: Tensor, spec: CodecSpec) -> Tensor:
        codes: Tensor = network["decoder"](network["encoder"](audio[:, None]), vq=True)[1]
        return codes.transpose(0, 1)

    @staticmethod
    def decode_batch(network: Any, codes: Tensor, spec: CodecSpec) -> Tensor:
        features = network["decoder"].vq2emb(codes.transpose(1, 2)).transpose(1, 2)
        audio: Tensor = network["decoder"](features, vq=False)[:, 0]
        return audio


def entries() -> list[CodecEntry]:
    """``bigcodec``: 1040 b/s."""
    return [
        BigCodec.entry(
            uniform_spec("bigcodec", SAMPLE_RATE, HOP, CODEBOOK_SIZE, 1),
            requires=("bigcodec", "einops"),
            extra="more-codecs",
            summary="BigCodec, arXiv 2409.05377",
        )
    ]
