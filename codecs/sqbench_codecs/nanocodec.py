"""NanoCodec (Casanova et al., arXiv 2508.05835), 22.05 kHz, by ``nanocodec-torch`` (Apache-2.0).

The weights are NVIDIA's ``.nemo`` file, a tar archive, under the NVIDIA Open Model License.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqbench_codecs.base import CodecSpec
from sqbench_codecs.catalogue import CodecEntry
from sqbench_codecs.neural import LongAudio, NeuralCodec, uniform_spec
from sqbench_codecs.pretrained import Published, load_tensors
from sqcodec.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

SAMPLE_RATE, HOP, LEVELS, BOOKS = 22050, 1764, (9, 8, 8, 7), 4
SIZES: dict[str, int] = {"encoder": 24, "decoder": 864}
"""Channels at the full rate of the encoder, and at the frame rate of the decoder."""
NAME = "nemo-nano-codec-22khz-0.6kbps-12.5fps"
WEIGHTS = "model_weights.ckpt"
NORM = "parametrizations.weight.original"


class NanoCodec(NeuralCodec):
    """Convolutions alone; the decoder is causal."""

    long = LongAudio(whole_s=60, chunk_s=30, context_s=4)

    @staticmethod
    def multiple(spec: CodecSpec) -> int:
        return HOP

    @staticmethod
    def published(spec: CodecSpec) -> Published:
        return Published(repo=f"nvidia/{NAME}", files=(f"{NAME}.nemo",))

    def load(self, files: Mapping[str, Path]) -> nn.Module:
        (path,) = files.values()
        network = self.skeleton(self.spec)
        constants = {k: v for k, v in network.state_dict().items() if k.startswith("vector_")}
        load_tensors(network, {**folded(nemo_tensors(path)), **constants}, path)
        return network

    @staticmethod
    def skeleton(spec: CodecSpec) -> nn.Module:
        import torch
        from nanocodec_torch.models.audio_codec import AudioCodecModel

        rates, dim = [2, 3, 6, 7, 7], len(LEVELS) * BOOKS
        # It reads values of its buffers while it is built, which a network on meta has none of.
        with torch.device("cpu"):
            network: nn.Module = AudioCodecModel(
                SAMPLE_RATE,
                {"down_sample_rates": rates, "encoded_dim": dim, "base_channels": SIZES["encoder"]},
                {"up_sample_rates": rates[::-1], "input_dim": dim,
                 "base_channels": SIZES["decoder"]},
            )  # fmt: skip
        return network.to(torch.get_default_device())

    @staticmethod
    def parts(spec: CodecSpec) -> Mapping[str, Sequence[str]]:
        return {"encoder": ("audio_encoder",), "decoder": ("audio_decoder",)}

    @staticmethod
    def encode_batch(network: Any, audio: Tensor, spec: CodecSpec) -> Tensor:
        codes: Tensor = network.encode(audio)[0]
        return codes

    @staticmethod
    def decode_batch(network: Any, codes: Tensor, spec: CodecSpec) -> Tensor:
        audio: Tensor = network.decode(codes)[0][:, 0]
        return audio


def nemo_tensors(path: Path) -> dict[str, Tensor]:
    """The generator's tensors in a ``.nemo`` archive; its quantizer has settings, no weights."""
    import torch

    try:
        with tarfile.open(path) as archive:
            member = next(m for m in archive if Path(m.name).name == WEIGHTS)
            data = archive.extractfile(member)
            assert data is not None
            state = torch.load(io.BytesIO(data.read()), map_location="cpu", weights_only=True)
    # Whatever tarfile and torch raise over a damaged file.
    except Exception as error:
        raise InputError(
            str(path), expected=f"a .nemo archive with {WEIGHTS}", found=type(error).__name__
        ) from error
    return {k: v for k, v in state.items() if k.startswith(("audio_encoder.", "audio_decoder."))}


def folded(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """NeMo's names and weight norm as the package has them: plain weights."""
    out = {}
    for name, value in state.items():
        if name.endswith(f"{NORM}1"):
            norm = value.norm(dim=tuple(range(1, value.ndim)), keepdim=True)
            value = state[name[:-1] + "0"] * value / norm
            name = name.removesuffix(f"{NORM}1") + "weight"
        elif name.endswith(f"{NORM}0"):
            continue
        if ".up_sample_conv_layers." in name:  # the package holds these as parameters of its own
            name = name.replace(".conv.", ".")
            value = value.transpose(1, 2) if name.endswith("weight") else value
        out[name.replace(".activation.snake_act.", ".")] = value
    return out


def entries() -> list[CodecEntry]:
    """``nanocodec``: 600 b/s."""
    size = 9 * 8 * 8 * 7
    return [
        NanoCodec.entry(
            uniform_spec("nanocodec", SAMPLE_RATE, HOP, size, BOOKS),
            requires=("nanocodec_torch",),
            extra="more-codecs",
            summary="NanoCodec, arXiv 2508.05835",
        )
    ]
