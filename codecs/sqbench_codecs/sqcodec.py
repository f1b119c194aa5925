"""SQCodec as benchmark codecs: its seven settings, and whatever somebody trained."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sqbench_codecs.base import Blueprint, Codec, CodecSpec, Codes, Waveform, Weights
from sqbench_codecs.catalogue import CodecEntry, load_codec
from sqbench_codecs.pretrained import split_revision
from sqcodec.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from sqcodec import SQCodec
    from sqcodec.config import SQCodecConfig


class SQCodecAdapter(Codec):
    """`sqcodec.SQCodec` behind the codec contract.

    On a CPU clips run one by one: measured, a batch there is no faster, and alone a clip's codes
    do not depend on its neighbours to the last bit. On a GPU clips of one padded length share a
    batch.
    """

    def __init__(
        self, spec: CodecSpec, *, config: str, weights: str = "auto", device: str = "cpu"
    ) -> None:
        from sqcodec import SQCodec

        choice, revision = split_revision(weights)
        self._adopt(
            spec,
            SQCodec.from_pretrained(config, weights=choice, revision=revision, device=device),
        )

    @classmethod
    def of(cls, codec: SQCodec, name: str) -> SQCodecAdapter:
        """A codec that is loaded already, such as one in training, under ``name``."""
        adapter = cls.__new__(cls)
        adapter._adopt(_spec(name, codec.config), codec)
        return adapter

    def _adopt(self, spec: CodecSpec, codec: SQCodec) -> None:
        super().__init__(spec, device=str(codec.device))
        self.codec = codec
        self.weights = Weights(
            source=codec.weights.source,
            sha256=codec.weights.sha256,
            detail=codec.weights.detail,
        )

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"config": self.codec.config.name}

    def encode(self, audio: Sequence[Waveform]) -> list[Codes]:
        padded = [self.codec.config.padded_length(len(x)) for x in audio]
        out: list[Codes] = [np.empty((1, 0), np.int64)] * len(audio)
        for group in self._groups(padded):
            length = max(len(audio[i]) for i in group)
            batch = np.zeros((len(group), length), np.float32)
            for row, i in enumerate(group):
                batch[row, : len(audio[i])] = audio[i]
            codes = self.codec.encode(self._tensor(batch)).cpu().numpy()
            for row, i in enumerate(group):
                out[i] = codes[row][None].astype(np.int64)
        return out

    def decode(self, codes: Sequence[Codes], lengths: Sequence[int]) -> list[Waveform]:
        out: list[Waveform] = [np.empty(0, np.float32)] * len(codes)
        for group in self._groups([c.shape[-1] for c in codes]):
            batch = self._tensor(np.concatenate([codes[i] for i in group]))
            audio = self.codec.decode(batch, length=max(lengths[i] for i in group)).cpu().numpy()
            for row, i in enumerate(group):
                out[i] = np.ascontiguousarray(audio[row, : lengths[i]], np.float32)
        return out

    def stream(self) -> _Stream:
        return _Stream(self.codec)

    def blueprint(self) -> Blueprint:
        return _blueprint(self.codec.config)

    def _groups(self, sizes: Sequence[int]) -> list[list[int]]:
        if self.device == "cpu":
            return [[i] for i in range(len(sizes))]
        groups: dict[int, list[int]] = defaultdict(list)
        for i, size in enumerate(sizes):
            groups[size].append(i)
        return list(groups.values())

    def _tensor(self, array: Any) -> Tensor:
        import torch

        return torch.from_numpy(array).to(self.device)


class _Stream:
    """`sqcodec.CodecStream` in arrays ``[1, n]`` and ``[T]``."""

    def __init__(self, codec: SQCodec) -> None:
        stream = codec.stream()
        self.encoder, self.decoder = _StreamEncoder(stream.encoder), _StreamDecoder(stream.decoder)
        self.latency_s = stream.latency.seconds
        self.settings: Mapping[str, Any] = stream.settings


class _StreamEncoder:
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def push(self, samples: Waveform) -> Codes:
        codes: Codes = self._stream.push(samples).cpu().numpy()[None]
        return codes

    def flush(self) -> Codes:
        codes: Codes = self._stream.flush().cpu().numpy()[None]
        return codes


class _StreamDecoder:
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def push(self, codes: Codes) -> Waveform:
        samples: Waveform = self._stream.push(codes[0]).cpu().numpy()
        return samples

    def flush(self) -> Waveform:
        samples: Waveform = self._stream.flush().cpu().numpy()
        return samples


class TrainedSQCodec(SQCodecAdapter):
    """Weights of a run, whose config, published or not, is what their card says."""

    def __init__(self, spec: CodecSpec, *, weights: str = "auto", device: str = "cpu") -> None:
        from sqcodec import SQCodec

        if weights == "bundled" or weights.startswith(("auto", "official")):
            raise InputError(
                f"codec {spec.name!r}, weights {weights!r}",
                expected="the folder of a training run, or a file of weights",
                found="no path",
                remedy="Give --weights RUN, or take a setting, such as sqcodec-6k.",
            )
        codec = SQCodec.from_pretrained(Path(weights).expanduser().absolute(), device=device)
        self._adopt(_spec(spec.name, codec.config), codec)

    @property
    def settings(self) -> Mapping[str, Any]:
        # The name alone would be that of two networks, where a config was changed.
        return {"config": self.codec.config.to_dict()}


def load_sqcodec(name: str, weights: str = "auto") -> SQCodecAdapter:
    """The codec of that name, on a CPU.

    Raises:
        InputError: it is no SQCodec.
    """
    codec = load_codec(name, weights=weights)
    if not isinstance(codec, SQCodecAdapter):
        raise InputError(f"codec {name!r}", expected="a setting of SQCodec, or `sqcodec`")
    return codec


def blueprint(spec: CodecSpec, *, config: str) -> Blueprint:
    """The network of a setting with its published structure."""
    from sqcodec.config import load_config

    return _blueprint(load_config(config))


def _blueprint(config: SQCodecConfig) -> Blueprint:
    def build() -> nn.Module:
        import torch

        from sqcodec.model import SQCodecModel

        with torch.device("meta"):
            return SQCodecModel(config).eval()

    return Blueprint(
        build=build,
        parts={
            "encoder": ("encoder", "en_encoder"),
            "quantizer": ("quantizer",),
            "decoder": ("decoder", "en_decoder"),
        },
    )


def _spec(name: str, config: SQCodecConfig) -> CodecSpec:
    return CodecSpec(
        name=name,
        sample_rate=config.sample_rate,
        frame_rate=config.frame_rate,
        codebook_sizes=(config.codebook_size,),
        bitrate_bps=config.bitrate_bps,
    )


def _readiness(config: str) -> str:
    from sqcodec.weights import weights_status

    status = weights_status(config)
    if status.official:
        return "ready (official weights cached)"
    if status.bundled:
        return "ready (bundled weights; others: --weights official)"
    return "no weights here: --weights official, from the hub, or PATH"


def entries() -> list[CodecEntry]:
    """The seven settings; the official config names are aliases."""
    from sqcodec.config import list_configs, load_config, short_name

    found = []
    for official in list_configs():
        config = load_config(official)
        found.append(
            CodecEntry(
                spec=_spec(f"sqcodec-{short_name(official)}", config),
                target=f"{__name__}:SQCodecAdapter",
                options={"config": official},
                network=f"{__name__}:blueprint",
                aliases=(official,),
                weights=partial(_readiness, official),
                summary="one codebook; paper arXiv 2504.04949",
                streams=True,
            )
        )
    found.append(
        CodecEntry(
            spec=CodecSpec(
                name="sqcodec",
                sample_rate=None,
                frame_rate=None,
                codebook_sizes=(),
                bitrate_bps=None,
            ),
            target=f"{__name__}:TrainedSQCodec",
            weights=lambda: "needs --weights RUN, of `sqbench train`",
            summary="what you trained, with the config of its card",
            streams=True,
        )
    )
    return found
