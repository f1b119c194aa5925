"""A clip through the codec while it is still going on: pieces of any size, with an exact state."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from sqcodec.arrays import audio_tensor, code_tensor
from sqcodec.errors import InputError
from sqcodec.inference.engine import Engine
from sqcodec.inference.latency import Latency, heard_for, latency
from sqcodec.inference.norms import NormStatistics
from sqcodec.inference.streamed_coders import decoder_chain, encoder_chain, running_norms
from sqcodec.isolation import isolated

NORM_SECONDS = 1.0
"""How long a clip must be for its own statistics to count as much as those known beforehand."""


class CodecStream:
    """Both ends of a stream; each is for one clip, and may be used without the other.

    Attributes:
        encoder: samples to codes.
        decoder: codes to samples.
        latency: what a stream of this setting waits for, derived from its config.
        settings: what its audio depends on beyond the codes: seconds that known statistics are
            worth, and their digest.
    """

    def __init__(
        self,
        engine: Engine,
        device: torch.device,
        statistics: NormStatistics | None,
        seconds: float,
    ) -> None:
        with isolated(device):
            self.encoder = EncoderStream(engine, device)
            self.decoder = DecoderStream(engine, device, statistics, seconds)
        self.latency: Latency = latency(engine.config)
        self.settings = {
            "norm_seconds": seconds if math.isfinite(seconds) else "for good",
            "norm_statistics": statistics.digest if statistics else None,
        }


class _End:
    """What both ends have: a clip that ends once."""

    _what = ""

    def __init__(self, device: torch.device) -> None:
        self._device, self._ended = device, False

    def _run(self, work: Callable[[], Tensor]) -> Tensor:
        if self._ended:
            raise InputError(
                f"{self._what} stream", expected="a clip that goes on", found="one that has ended",
                remedy="Open another by SQCodec.stream().",
            )  # fmt: skip
        with isolated(self._device):
            return work()


class EncoderStream(_End):
    """Samples in, codes out."""

    _what = "encoder"

    def __init__(self, engine: Engine, device: torch.device) -> None:
        super().__init__(device)
        self._config, self._quantizer = engine.config, engine.quantizer
        self._chain = encoder_chain(engine)
        self._heard = self._given = 0

    def push(self, samples: Any) -> Tensor:
        """The next samples ``[T]``, any number, to the codes ``[n]`` that they make known.

        Raises:
            InputError: no finite floating-point samples ``[T]``, or the clip has ended.
        """
        return self._run(lambda: self._codes(self._chain.push(self._samples(samples))))

    def flush(self, *, whole_windows: bool = False) -> Tensor:
        """End the clip; the codes ``[n]`` that remain.

        Together with those before they are the first ``ceil(T / hop)`` of `SQCodec.encode`, which
        also encodes the silence that fills the last window: with ``whole_windows`` they are all.
        """
        found = self._run(lambda: self._rest(whole_windows))
        self._ended = True
        return found

    def _samples(self, samples: Any) -> Tensor:
        found = audio_tensor(samples, self._device)
        if found.ndim != 1:
            raise InputError(
                "samples to encode", expected="shape [T]", found=f"{list(found.shape)}"
            )
        self._heard += len(found)
        return found[None]

    def _rest(self, whole_windows: bool) -> Tensor:
        config = self._config
        padded = config.padded_length(self._heard)
        codes = (padded if whole_windows else self._heard + config.hop - 1) // config.hop
        wanted = codes - self._given
        # Silence until the last code is known, but no more than the offline encoder is given.
        heard = min(padded, heard_for(config, codes)) if codes else 0
        silence = self._zeros(max(0, heard - self._heard))
        features = self._chain.push(silence)
        if features.shape[1] < wanted:
            features = torch.cat([features, self._chain.flush(silence[:, :0])], dim=1)
        return self._codes(features[:, :wanted])

    def _zeros(self, count: int) -> Tensor:
        return torch.zeros(1, count, device=self._device)

    def _codes(self, features: Tensor) -> Tensor:
        self._given += features.shape[1]
        codes: Tensor = self._quantizer.encode(features)[0]
        return codes


class DecoderStream(_End):
    """Codes in, samples out."""

    _what = "decoder"

    def __init__(
        self,
        engine: Engine,
        device: torch.device,
        statistics: NormStatistics | None,
        seconds: float,
    ) -> None:
        super().__init__(device)
        self._config, self._quantizer = engine.config, engine.quantizer
        self._chain = decoder_chain(engine, running_norms(engine, statistics, seconds))

    def push(self, codes: Any) -> Tensor:
        """The next codes ``[n]``, any number, to the samples ``[T]`` that they make known.

        Raises:
            InputError: no codes ``[n]`` of this setting, or the clip has ended.
        """
        return self._run(lambda: self._chain.push(self._features(codes))[0])

    def flush(self) -> Tensor:
        """End the clip; the samples ``[T]`` that remain: in all, ``hop`` for each code."""
        empty = torch.zeros(0, dtype=torch.long)
        found = self._run(lambda: self._chain.flush(self._features(empty))[0])
        self._ended = True
        return found

    def _features(self, codes: Any) -> Tensor:
        config = self._config
        found = code_tensor(codes, self._device, config.codebook_size, config.name)
        if found.ndim != 1:
            raise InputError("codes to decode", expected="shape [n]", found=f"{list(found.shape)}")
        features: Tensor = self._quantizer.decode(found)
        return features[None]
