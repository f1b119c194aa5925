"""WavTokenizer behind the codec contract, and its published checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqbench_codecs.base import CodecSpec
from sqbench_codecs.catalogue import CodecEntry
from sqbench_codecs.neural import LongAudio, NeuralCodec, uniform_spec
from sqbench_codecs.pretrained import Published, load_tensors, read_tensors
from sqbench_codecs.wavtokenizer.sizes import SIZES
from sqcodec.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

CHECKPOINTS = {
    600: ("WavTokenizer-large-unify-40token", "wavtokenizer_large_unify_600_24k.ckpt"),
    320: ("WavTokenizer-large-speech-75token", "wavtokenizer_large_speech_320_v2.ckpt"),
}

OURS = {
    "feature_extractor.encodec.encoder.": "encoder.",
    "feature_extractor.encodec.quantizer.vq.layers.0._codebook.embed": "quantizer.embed",
    "backbone.": "backbone.",
    "head.": "head.",
}
"""Prefixes of the checkpoint's names to ours."""

UNUSED = (
    "feature_extractor.encodec.decoder.",
    "feature_extractor.encodec.quantizer.vq.layers.0._codebook.inited",
    "feature_extractor.encodec.quantizer.vq.layers.0._codebook.cluster_size",
    "feature_extractor.encodec.quantizer.vq.layers.0._codebook.embed_avg",
)
"""What the checkpoint holds of the generator and inference never reads."""


class WavTokenizer(NeuralCodec):
    """Attention over the whole clip, and norms over time: memory grows with length squared.

    Hence the short limit of `long`. Beyond it, the chunks are not those of the whole.
    """

    long = LongAudio(whole_s=60, chunk_s=30, context_s=2)

    @staticmethod
    def published(spec: CodecSpec) -> Published:
        repo, file = CHECKPOINTS[_hop(spec)]
        return Published(repo=f"novateur/{repo}", files=(file,))

    def load(self, files: Mapping[str, Path]) -> nn.Module:
        from sqbench_codecs.wavtokenizer.network import Network

        (path,) = files.values()
        network = Network(SIZES[_hop(self.spec)])
        load_tensors(network, generator_tensors(path), path)
        return network

    @staticmethod
    def skeleton(spec: CodecSpec) -> nn.Module:
        from sqbench_codecs.wavtokenizer.network import Network

        return Network(SIZES[_hop(spec)], with_unused=True)

    @staticmethod
    def parts(spec: CodecSpec) -> Mapping[str, Sequence[str]]:
        return {
            "encoder": ("encoder",),
            "quantizer": ("quantizer",),
            "decoder": ("backbone", "head"),
            "unused": ("unused",),
        }

    @staticmethod
    def encode_batch(network: Any, audio: Tensor, spec: CodecSpec) -> Tensor:
        codes: Tensor = network.encode(audio)
        return codes

    @staticmethod
    def decode_batch(network: Any, codes: Tensor, spec: CodecSpec) -> Tensor:
        audio: Tensor = network.decode(codes)
        return audio


def generator_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of `Network` in a published checkpoint, a training state of Lightning.

    Raises:
        InputError: damaged, or without a generator.
    """
    state = read_tensors(path).get("state_dict")
    if not isinstance(state, dict):
        raise InputError(
            str(path),
            expected="a checkpoint with a state_dict",
            found="none",
            remedy="Name the published .ckpt file.",
        )
    tensors = {}
    for name, value in state.items():
        # Beside the generator it holds the discriminators that it was trained against.
        generator = name.startswith(("feature_extractor.", "backbone.", "head."))
        if not generator or name.startswith(UNUSED):
            continue
        for prefix, ours in OURS.items():
            if name.startswith(prefix):
                tensors[ours + name.removeprefix(prefix)] = value
                break
        else:
            tensors[name] = value  # not ours: loading will name it
    return tensors


def _hop(spec: CodecSpec) -> int:
    assert spec.sample_rate is not None
    assert spec.frame_rate is not None
    return round(spec.sample_rate / spec.frame_rate)


def entries() -> list[CodecEntry]:
    """``wavtokenizer-40`` and ``wavtokenizer-75``, by tokens a second."""
    return [
        WavTokenizer.entry(
            uniform_spec(f"wavtokenizer-{24000 // hop}", 24000, hop, 4096, 1),
            requires=("encodec", "vocos"),
            aliases=(f"wavtokenizer-large-{hop}", CHECKPOINTS[hop][0].lower()),
            summary=f"large-{hop}, arXiv 2408.16532",
        )
        for hop in (600, 320)
    ]
