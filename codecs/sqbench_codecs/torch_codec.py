"""Somebody's own PyTorch network behind the codec contract.

Importable without torch. What a network does not care about is done here: whole frames, exact
lengths, tensors and arrays, device, evaluation mode, weights, and a copy of it for counting.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from sqbench_codecs.base import Blueprint, Codec, CodecSpec, Codes, Waveform, Weights
from sqbench_codecs.state_dict import FILES, load_state
from sqcodec.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

BATCH_S = 120.0
"""Seconds of audio that share a batch at most: what keeps its memory bounded."""


class TorchCodec(Codec):
    """A network with ``encode`` and ``decode`` as a codec.

    Derive from it, set ``spec`` and ``hop``, and build the network in `build`::

        class Tiny(TorchCodec):
            spec = CodecSpec(name="tiny", sample_rate=16000, frame_rate=50.0,
                             codebook_sizes=(1024, 1024), bitrate_bps=1000.0)
            hop = 320

            def build(self):
                return TinyAutoencoder()

    The network has ``encode``: audio ``[B, 1, T]`` float32 to codes ``[B, num_codebooks, frames]``
    (or ``[B, frames]`` for one codebook) of integers, and ``decode``: the same codes to audio
    ``[B, 1, T]`` (or ``[B, T]``). ``T`` is always whole frames: a multiple of ``hop``. Where its
    methods have other names, override `encode_audio` and `decode_codes`.

    A network that is there already (one in training, in a notebook) needs no class::

        sqbench.evaluate(TorchCodec(spec, network=model, hop=320))

    On a CPU clips run one by one, so that a clip's codes do not depend on its neighbours to the
    last bit; elsewhere clips of one padded length share a batch.

    Attributes:
        hop: samples a frame.
        least_frames: clips are padded to at least so many frames, for networks that cannot take
            fewer.
        checkpoint: file of the weights taken where none are named, beside the class's file;
            empty to score the network as `build` makes it.
        parts: names of the network's submodules by part, as `Blueprint` has them; those called
            ``encoder``, ``quantizer`` and ``decoder`` are found.

    Args:
        spec: another operating point than the class's.
        weights: ``auto`` (`checkpoint`), or a path: a safetensors file, or a file of `torch.save`
            with the state dict (also under ``state_dict``, ``model`` or ``network``, also with the
            prefixes that ``DataParallel`` and ``torch.compile`` add). Nothing is unpickled but
            tensors and plain data.
        device: where the network runs.
        network: taken as it is, instead of `build`.
        hop: instead of the class's.

    Raises:
        InputError: the weights are not the network's, or what it gives is not as said here.
    """

    hop: int = 0
    least_frames: int = 1
    checkpoint: str = ""
    parts: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    network: Any
    """An ``nn.Module`` with the methods said above."""

    def __init__(
        self,
        spec: CodecSpec | None = None,
        *,
        weights: str = "auto",
        device: str = "cpu",
        network: nn.Module | None = None,
        hop: int | None = None,
    ) -> None:
        super().__init__(spec, device=device)
        self.hop = self.hop if hop is None else hop
        self._check_spec()
        self.network = (self.build() if network is None else network).to(device)
        self.weights = self._load(weights, built=network is None)
        if network is None:
            self.network.eval()
        self._flat = self._codes_are_flat()

    def build(self) -> nn.Module:
        """The network, without weights; ``self.spec`` says at which operating point."""
        raise NotImplementedError(f"{type(self).__name__} has no build() and was given no network")

    def encode_audio(self, network: Any, audio: Tensor) -> Tensor:
        """Audio ``[B, 1, T]`` to codes ``[B, num_codebooks, frames]`` or ``[B, frames]``."""
        codes: Tensor = network.encode(audio)
        return codes

    def decode_codes(self, network: Any, codes: Tensor) -> Tensor:
        """Codes as `encode_audio` gave them to audio ``[B, 1, T]`` or ``[B, T]``."""
        audio: Tensor = network.decode(codes)
        return audio

    @property
    def settings(self) -> Mapping[str, Any]:
        least = f", at least {self.least_frames}" if self.least_frames > 1 else ""
        return {"padding": f"zeros to whole frames of {self.hop} samples{least}"}

    @property
    def made_by(self) -> type:
        """The class whose source tells what this codec does."""
        return type(self.network) if type(self) is TorchCodec else type(self)

    def encode(self, audio: Sequence[Waveform]) -> list[Codes]:
        out: list[Codes] = [np.empty((self.spec.num_codebooks, 0), np.int64)] * len(audio)
        frames = [max(-(-len(x) // self.hop), self.least_frames) for x in audio]
        for group in self._groups(frames):
            batch = np.zeros((len(group), 1, frames[group[0]] * self.hop), np.float32)
            for row, i in enumerate(group):
                batch[row, 0, : len(audio[i])] = audio[i]
            codes = self._codes(batch)
            for row, i in enumerate(group):
                out[i] = codes[row]
        return out

    def decode(self, codes: Sequence[Codes], lengths: Sequence[int]) -> list[Waveform]:
        out: list[Waveform] = [np.empty(0, np.float32)] * len(codes)
        for group in self._groups([c.shape[-1] for c in codes]):
            audio = self._audio(np.stack([codes[i] for i in group]))
            for row, i in enumerate(group):
                out[i] = self._cut(audio[row], self.spec.decoded_length(lengths[i]))
        return out

    def blueprint(self) -> Blueprint:
        """A copy of the network on the meta device, for counting; takes no memory."""
        from sqbench_codecs.whole import Whole

        def build() -> nn.Module:
            # Inputs of a Whole are [B, T].
            return Whole(
                _on_meta(self.network),
                self.spec,
                lambda network, audio, spec: self.encode_audio(network, audio[:, None]),
                lambda network, codes, spec: self.decode_codes(network, codes),
                self.hop,
            ).eval()

        there = {name for name, _ in self.network.named_children()}
        parts = self.parts or {
            name: (name,) for name in ("encoder", "quantizer", "decoder") if name in there
        }
        return Blueprint(
            build=build,
            parts={
                part: tuple(f"network.{name}" for name in names) for part, names in parts.items()
            },
        )

    def _check_spec(self) -> None:
        what = f"codec {type(self).__name__}"
        if not isinstance(getattr(self, "spec", None), CodecSpec):
            raise InputError(what, expected="a CodecSpec in `spec`", found="none")
        if self.hop < 1:
            raise InputError(what, expected="`hop`, samples a frame", found=str(self.hop))
        if self.spec.sample_rate is None:
            raise InputError(what, expected="a sample_rate in `spec`", found="None")

    def _load(self, weights: str, *, built: bool) -> Weights:
        """Fill the network and say with what."""
        from sqcodec.checkpoint import tensors_sha256

        source, path = weights, Path(weights).expanduser()
        if weights == "auto":
            if not (built and self.checkpoint):
                return Weights(
                    source="as built" if built else "as given",
                    sha256=tensors_sha256(self.network),
                )
            source = self.checkpoint
            path = Path(inspect.getfile(type(self))).parent / self.checkpoint
        elif weights == "bundled" or weights.startswith("official"):
            raise InputError(
                f"weights {weights!r} of {self.spec.name}", expected=f"auto, or {FILES}",
                found="no such choice for a codec of one's own",
            )  # fmt: skip
        load_state(self.network, path)
        return Weights(
            source=source, sha256=tensors_sha256(self.network), detail=str(path.resolve())
        )

    def _codes_are_flat(self) -> bool:
        """Whether codes of one codebook come without that dimension; told by the shortest clip."""
        import torch

        shortest = torch.zeros(1, 1, self.least_frames * self.hop, device=self.device)
        try:
            with self._evaluating():
                codes = self.encode_audio(self.network, shortest)
        except Exception as error:
            raise InputError(
                f"codec {self.spec.name}: encode",
                expected=f"codes of the shortest clip, {list(shortest.shape)}",
                found=f"{type(error).__name__}: {error}",
                remedy="If the network takes only longer clips, set `least_frames`.",
            ) from error
        self._check_codes(codes, 1)
        return codes.ndim == 2

    def _check_codes(self, codes: Any, batch: int) -> None:
        books = self.spec.num_codebooks
        shape = f"[{batch}, {books}, frames]" + (f" or [{batch}, frames]" if books == 1 else "")
        found = ""
        if not hasattr(codes, "detach"):
            found = type(codes).__name__
        elif codes.is_floating_point() or codes.is_complex():
            found = f"{codes.dtype}"
        elif tuple(codes.shape[:-1]) not in [(batch, books)] + [(batch,)] * (books == 1):
            found = f"shape {list(codes.shape)}"
        if found:
            raise InputError(
                f"codec {self.spec.name}: what encode gives",
                expected=f"a tensor of integers of shape {shape}", found=found,
                remedy="`encode_audio` can be overridden to bring it into that form.",
            )  # fmt: skip

    def _codes(self, batch: Any) -> Codes:
        """``[B, 1, T]`` to ``[B, num_codebooks, frames]``."""
        with self._evaluating():
            codes = self.encode_audio(self.network, self._tensor(batch))
        self._check_codes(codes, len(batch))
        found: Codes = (codes[:, None] if codes.ndim == 2 else codes).cpu().numpy().astype(np.int64)
        return found

    def _audio(self, codes: Codes) -> Any:
        """``[B, num_codebooks, frames]`` to ``[B, T]``."""
        given = self._tensor(codes)
        with self._evaluating():
            audio = self.decode_codes(self.network, given[:, 0] if self._flat else given)
        if not hasattr(audio, "detach") or audio.ndim not in (2, 3) or len(audio) != len(codes):
            raise InputError(
                f"codec {self.spec.name}: what decode gives",
                expected=f"a tensor of shape [{len(codes)}, 1, T]",
                found=f"shape {list(audio.shape)}" if hasattr(audio, "shape") else str(type(audio)),
            )
        return audio.reshape(len(codes), -1).float().cpu().numpy()

    def _cut(self, audio: Any, length: int) -> Waveform:
        """Cut to ``length``; zeros where transposed convolutions end within the last frame."""
        hop = self.spec.decoded_length(self.hop)
        if length - len(audio) >= hop:
            raise InputError(
                f"codec {self.spec.name}: decoded audio",
                expected=f"at least {length} samples, before it is cut", found=str(len(audio)),
                remedy=f"Each frame should decode to {hop} samples (`hop`).",
            )  # fmt: skip
        out = np.zeros(length, np.float32)
        out[: len(audio)] = audio[:length]
        return out

    @contextlib.contextmanager
    def _evaluating(self) -> Iterator[None]:
        """Evaluation mode without gradients; a network in training finds its own mode again."""
        import torch

        training = [module for module in self.network.modules() if module.training]
        self.network.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            for module in training:
                module.training = True

    def _groups(self, frames: Sequence[int]) -> list[list[int]]:
        """Indices of clips that share a batch."""
        if self.device == "cpu":
            return [[i] for i in range(len(frames))]
        by_size: dict[int, list[int]] = {}
        for i, size in enumerate(frames):
            by_size.setdefault(size, []).append(i)
        groups = []
        for size, members in by_size.items():
            most = max(1, int(BATCH_S * (self.spec.sample_rate or 1) / max(size * self.hop, 1)))
            groups += [members[i : i + most] for i in range(0, len(members), most)]
        return groups

    def _tensor(self, array: Any) -> Tensor:
        import torch

        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)


def _on_meta(network: nn.Module) -> nn.Module:
    """A copy whose tensors have shapes and no values."""
    import copy

    import torch

    memo: dict[int, Any] = {}
    for parameter in network.parameters():
        memo[id(parameter)] = torch.nn.Parameter(
            torch.empty_like(parameter, device="meta"), requires_grad=parameter.requires_grad
        )
    for buffer in network.buffers():
        memo[id(buffer)] = torch.empty_like(buffer, device="meta")
    return copy.deepcopy(network, memo)
