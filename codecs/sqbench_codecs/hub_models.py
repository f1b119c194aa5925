"""``hf:owner/name[@K][#REV]``: any codec of transformers by its repository, or ``hf:FOLDER``.

Rates, frames and codebooks are those of its ``config.json``; K is a number of codebooks, REV a
branch, tag or commit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqbench_codecs.base import CodecSpec
from sqbench_codecs.catalogue import CodecEntry
from sqbench_codecs.neural import LongAudio, NeuralCodec, uniform_spec
from sqbench_codecs.pretrained import Published, load_transformers, locate
from sqbench_codecs.registry import resolve
from sqcodec.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

PREFIX = "hf:"
CLASSES = {
    "dac": ("DacModel", "dac:DAC"),
    "encodec": ("EncodecModel", "encodec:EnCodec"),
    "mimi": ("MimiModel", "mimi:Mimi"),
    "xcodec": ("XcodecModel", "xcodec:XCodec"),
    "xcodec2": ("Xcodec2Model", "xcodec2:XCodec2"),
    "neucodec": ("NeuCodecModel", "neucodec:NeuCodec"),
    "higgs_audio_v2_tokenizer": ("HiggsAudioV2TokenizerModel", "higgs:Higgs"),
}
"""Model type to its class in transformers and to the family here that calls it."""
CONTINUOUS = ("pocket_tts", "vibevoice")
_NAME = re.compile(r"hf:(?P<repo>[^@#]+)(?:@(?P<books>\d+))?(?:#(?P<revision>.+))?")


@dataclass(frozen=True)
class _Model:
    """What a name says, and the config of what it names."""

    repo: str
    books: int | None
    weights: str
    config: Any

    @property
    def family(self) -> Any:
        return resolve(f"sqbench_codecs.{CLASSES[self.config.model_type][1]}")


@cache
def _model(name: str) -> _Model:
    found = _NAME.fullmatch(name)
    if found is None:
        raise InputError(f"codec {name!r}", expected="hf:OWNER/NAME, hf:OWNER/NAME@K#REV")
    repo, books = found["repo"], int(found["books"]) if found["books"] else None
    weights = f"official@{found['revision'] or 'main'}"
    if Path(repo).expanduser().is_dir():
        weights = str(Path(repo).expanduser())
    file = locate(Published(repo=repo, files=("config.json",)), weights, name).files["config.json"]
    import transformers

    try:
        stated = json.loads(file.read_text(encoding="utf-8"))
        kind = str(stated.get("model_type"))
    except (ValueError, AttributeError) as error:
        raise InputError(str(file), expected="a JSON object", found=str(error)) from error
    if kind not in CLASSES:
        latents = kind.startswith(CONTINUOUS)
        raise InputError(
            f"codec {name!r}",
            expected=f"a model of type {', '.join(CLASSES)}",
            found=f"{kind}, which has continuous latents and no codes" if latents else kind,
        )
    return _Model(repo, books, weights, _parsed(transformers, kind, stated, file))


def _parsed(transformers: Any, kind: str, stated: Mapping[str, Any], file: Path) -> Any:
    config_class = getattr(transformers, CLASSES[kind][0]).config_class
    try:
        config = config_class.from_dict(stated)
    # The config classes of transformers raise what they like over values that they do not take.
    except Exception as error:
        raise InputError(str(file), expected=f"a config of {kind}", found=str(error)) from error
    if kind == "encodec" and (config.audio_channels != 1 or config.normalize):
        raise InputError(
            str(file), expected="one channel at its own level", found="stereo or normalised chunks",
            remedy="The published 48 kHz model is encodec-48k-6k and its like.",
        )  # fmt: skip
    return config


def facts(name: str, config: Any, books: int | None) -> CodecSpec:
    """The operating point that a config and a number of codebooks make."""
    kind = config.model_type
    if kind in ("xcodec2", "neucodec"):
        size, most = 1, 1
        for levels in config.quantization_levels:
            size *= levels
        rate = getattr(config, "input_sampling_rate", None) or config.sampling_rate
        hop = getattr(config, "encoder_hop_length", config.hop_length)
    else:
        rate = getattr(config, "sampling_rate", None) or config.sample_rate
        size = config.codebook_size
        hop = round(rate / config.frame_rate) if kind == "mimi" else config.hop_length
        most = config.n_codebooks if kind == "dac" else config.num_quantizers
    if books is not None and not 1 <= books <= most:
        raise InputError(f"codec {name!r}", expected=f"1 to {most} codebooks")
    spec = uniform_spec(name, rate, hop, size, books or most)
    return replace(spec, output_sample_rate=getattr(config, "output_sampling_rate", None))


class HubCodec(NeuralCodec):
    """A repository's network, called as its family is."""

    long = LongAudio(whole_s=30, chunk_s=20, context_s=2)

    def __init__(self, spec: CodecSpec, *, weights: str = "auto", device: str = "cpu") -> None:
        model = _model(spec.name)
        self.long, self.least = model.family.long, model.family.least
        super().__init__(
            spec, weights=model.weights if weights == "auto" else weights, device=device
        )

    @staticmethod
    def multiple(spec: CodecSpec) -> int:
        padded_here = _model(spec.name).config.model_type not in ("encodec", "xcodec2", "neucodec")
        assert spec.sample_rate is not None
        assert spec.frame_rate is not None
        return round(spec.sample_rate / spec.frame_rate) if padded_here else 1

    @staticmethod
    def published(spec: CodecSpec) -> Published:
        return Published(repo=_model(spec.name).repo)

    def load(self, files: Mapping[str, Path]) -> nn.Module:
        network: nn.Module = load_transformers(self._class(self.spec), files, {})
        return network

    @staticmethod
    def _class(spec: CodecSpec) -> Any:
        import transformers

        return getattr(transformers, CLASSES[_model(spec.name).config.model_type][0])

    @classmethod
    def skeleton(cls, spec: CodecSpec) -> nn.Module:
        import torch

        from sqbench_codecs.whole import real_paddings

        network = cls._class(spec)(_model(spec.name).config)
        return real_paddings(network).to(torch.get_default_device())

    @staticmethod
    def parts(spec: CodecSpec) -> Mapping[str, Sequence[str]]:
        found: Mapping[str, Sequence[str]] = _model(spec.name).family.parts(spec)
        return found

    @staticmethod
    def encode_batch(network: Any, audio: Tensor, spec: CodecSpec) -> Tensor:
        model, books = _model(spec.name), spec.num_codebooks
        bandwidths = getattr(model.config, "target_bandwidths", None)
        if not bandwidths:
            codes: Tensor = model.family.encode_batch(network, audio, spec)
            return codes
        # By bandwidth the library gives some numbers of codebooks: the first K of the most.
        found = network.encode(audio[:, None], bandwidth=bandwidths[-1]).audio_codes
        codes = found[0] if model.config.model_type == "encodec" else found
        return codes[:, :books]

    @staticmethod
    def decode_batch(network: Any, codes: Tensor, spec: CodecSpec) -> Tensor:
        audio: Tensor = _model(spec.name).family.decode_batch(network, codes, spec)
        return audio


def hub_entry(name: str) -> CodecEntry | None:
    """The entry of ``hf:...``; ``None`` for a name of another kind.

    Raises:
        InputError: no such repository or folder, or not a codec with codes.
    """
    if not name.startswith(PREFIX):
        return None
    model = _model(name)
    spec = facts(name, model.config, model.books)
    summary = f"{model.config.model_type} of the hub"
    return HubCodec.entry(spec, summary=summary)
