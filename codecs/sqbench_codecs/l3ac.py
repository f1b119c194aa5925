"""L3AC, the successor of SQCodec by its authors (arXiv 2504.04949), through its package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqbench_codecs.base import CodecSpec
from sqbench_codecs.catalogue import CodecEntry
from sqbench_codecs.neural import LongAudio, NeuralCodec, rate_name, uniform_spec
from sqbench_codecs.pretrained import Published, load_tensors, read_tensors

if TYPE_CHECKING:
    from torch import Tensor, nn

SAMPLE_RATE = 16000
SETTINGS = {
    "0k75bps": (750, 360, 7**6, 200),
    "1kbps": (1000, 270, 7**6, 250),
    "1k5bps": (1500, 180, 7**6, 300),
    "3kbps": (3000, 96, 9**3 * 7**3, 400),
}
"""Published name to name in b/s, samples a frame, codebook size, and frames an attention window."""
PARTS = ("encoder", "quantizer", "decoder", "en_encoder", "en_decoder")


class L3AC(NeuralCodec):
    """Attention in windows of 2 to 5 s, each of which sees itself and the one before.

    Long audio is cut between windows, with context for five layers of that. Norms over the clip
    still make the chunks differ from the whole.
    """

    least = 2  # one frame alone has no norm over time
    long = LongAudio(whole_s=90, chunk_s=60, context_s=25)

    @property
    def unit(self) -> int:
        return SETTINGS[_setting(self.spec)][3]

    @staticmethod
    def multiple(spec: CodecSpec) -> int:
        return SETTINGS[_setting(spec)][1]

    @staticmethod
    def published(spec: CodecSpec) -> Published:
        folder = f"weights/{_setting(spec)}.v1"
        return Published(repo="zhai-lw/L3AC", files=tuple(f"{folder}/{p}.pt" for p in PARTS))

    def load(self, files: Mapping[str, Path]) -> nn.Module:
        network = _network(self.spec)
        for part, path in zip(PARTS, files.values(), strict=True):
            load_tensors(getattr(network, part), read_tensors(path), path)
        return network

    @staticmethod
    def skeleton(spec: CodecSpec) -> nn.Module:
        import torch

        # It reads values of its buffers while it is built, which a network on meta has none of.
        with torch.device("cpu"):
            network = _network(spec)
        return network.to(torch.get_default_device())

    @staticmethod
    def parts(spec: CodecSpec) -> Mapping[str, Sequence[str]]:
        return {
            "encoder": ("encoder", "en_encoder"),
            "quantizer": ("quantizer",),
            "decoder": ("decoder", "en_decoder"),
        }

    @staticmethod
    def encode_batch(network: Any, audio: Tensor, spec: CodecSpec) -> Tensor:
        features = network.en_encoder(network.encoder(audio[:, None]))
        codes: Tensor = network.quantizer(features)[1]["indices"]
        return codes[:, None]

    @staticmethod
    def decode_batch(network: Any, codes: Tensor, spec: CodecSpec) -> Tensor:
        features = network.en_decoder(network.quantizer.to_features(codes[:, 0]))
        audio: Tensor = network.decoder(features)[:, 0]
        return audio


def _network(spec: CodecSpec) -> nn.Module:
    import l3ac
    from l3ac.en_codec import EnCodec

    file = Path(l3ac.__file__).parent / "configs" / f"{_setting(spec)}.toml"
    network: nn.Module = EnCodec(l3ac.L3ACConfig(config_file=file).network_config)
    return network


def _setting(spec: CodecSpec) -> str:
    for setting, (bps, *_) in SETTINGS.items():
        if spec.name == f"l3ac-{rate_name(bps)}":
            return setting
    raise KeyError(spec.name)


def entries() -> list[CodecEntry]:
    """``l3ac-750`` to ``l3ac-3k``."""
    return [
        L3AC.entry(
            uniform_spec(f"l3ac-{rate_name(bps)}", SAMPLE_RATE, hop, size, 1),
            requires=("l3ac", "local_attention", "pydantic_settings"),
            extra="l3ac",
            summary="SQCodec's successor, arXiv 2504.04949",
        )
        for bps, hop, size, _ in SETTINGS.values()
    ]
