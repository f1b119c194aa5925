"""The published inference package as an oracle for the network, and audio to feed both."""

from __future__ import annotations

import copy
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from sqcodec.config import SQCodecConfig, load_config

SHARED = Path(os.environ.get("SQBENCH_SHARED", Path(__file__).parents[2] / "shared"))


def test_audio(seconds: float, sample_rate: int) -> Tensor:
    """Real speech ``[1, T]`` (its rate taken for ``sample_rate``), or a synthetic signal."""
    length = round(seconds * sample_rate)
    files = sorted((SHARED / "data" / "eval" / "LibriSpeech").rglob("*.flac"))
    for path in files:
        import soundfile

        samples, _ = soundfile.read(path, dtype="float32")
        if len(samples) >= length + 16000:
            return _full_scale(samples[16000 : 16000 + length])
    time = np.arange(length) / sample_rate
    rng = np.random.default_rng(0)
    tone = np.sin(2 * np.pi * (120 + 80 * np.sin(2 * np.pi * time)) * time)
    level = 0.5 + 0.5 * np.sin(2 * np.pi * 3 * time)
    samples = level * (0.3 * tone + 0.05 * rng.standard_normal(length))
    return _full_scale(samples)


def _full_scale(samples: np.ndarray[Any, Any]) -> Tensor:
    return torch.from_numpy((samples / np.abs(samples).max()).astype(np.float32))[None]


test_audio.__test__ = False  # type: ignore[attr-defined]


@dataclass
class Reference:
    """An official network with random weights, none of them at a neutral value."""

    network: Any
    config: SQCodecConfig

    def states(self) -> dict[str, dict[str, Tensor]]:
        """The content of the five files."""
        modules = self.network.trainable_modules.items()
        return {part: module.state_dict() for part, module in modules}

    def save(self, folder: Path) -> Path:
        """Write the five files to ``folder/{name}.v0``."""
        target = folder / f"{self.config.name}.v0"
        target.mkdir(parents=True)
        for part, state in self.states().items():
            torch.save(state, target / f"{part}.pt")
        return folder

    @torch.no_grad()
    def run(self, audio: Tensor) -> dict[str, Tensor]:
        """Every stage for ``[B, T]``: frames ``[B, C, F]``, tokens, codes and audio."""
        net = self.network
        padded, _ = net.preprocess(audio)
        frames = net.encoder(padded[:, None])
        tokens = net.en_encoder(frames)
        _, codes, _ = net.quantizer(tokens)
        return {
            "frames": frames.transpose(1, 2),
            "tokens": tokens,
            "codes": codes.long(),
            "audio": self.decode(codes),
        }

    @torch.no_grad()
    def decode(self, codes: Tensor) -> Tensor:
        net = self.network
        features = net.quantizer.to_features(codes.int())
        decoded: Tensor = net.decoder(net.en_decoder(features))[:, 0]
        return decoded


def reference(name: str, audio: Tensor, window: int | None = None, seed: int = 0) -> Reference:
    """The official network of a setting; ``window`` shortens its attention window.

    The quantizer's input projection is made so that ``audio`` spreads over the codebook.
    """
    sq_codec = pytest.importorskip("sq_codec", reason="sq_codec 0.0.1 is not installed")
    from sq_codec.en_codec import EnCodec

    config = load_config(name)
    published = sq_codec.SQCodecConfig(config_file=sq_codec.CONFIG_DIR / f"{name}.toml")
    settings = published.network_config
    if window is not None:
        config = replace(config, window=window)
        settings = settings.model_copy(update={"en_coder_window_size": window})
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        network = EnCodec(settings).eval()
        for key, value in network.named_parameters():
            _randomise(key, value)
        _spread(network, audio)
    return Reference(network, config)


def _randomise(key: str, value: Tensor) -> None:
    if key.endswith("alpha"):
        value.copy_(torch.rand_like(value) + 0.5)
    elif "grn." in key:
        value.copy_(0.2 * torch.randn_like(value))
    elif "merge_layer.0.weight" in key:
        # Small gains: random decoders have a nearly constant channel 0, whose rounding errors
        # the norm would blow up to 1e-4 in any two implementations.
        value.copy_(0.2 * torch.rand_like(value) + 0.1)
    elif "merge_layer.0.bias" in key:
        value.copy_(0.2 * torch.randn_like(value))
    elif key.endswith("norm.weight"):
        value.copy_(torch.rand_like(value) + 0.5)
    elif key.endswith("bias"):
        value.copy_(0.02 * torch.randn_like(value))


def _spread(network: Any, audio: Tensor) -> None:
    padded, _ = network.preprocess(audio)
    tokens = network.en_encoder(network.encoder(padded[:, None]))
    flat = tokens.flatten(0, 1)
    centred = flat - flat.mean(0)
    _, singular, directions = torch.linalg.svd(centred, full_matrices=False)
    project = network.quantizer.project_in
    count = project.out_features
    # Where tokens vary most: elsewhere the scaling would only blow up their rounding errors.
    spread = singular[:count, None] / len(flat) ** 0.5
    project.weight.copy_(0.5 * directions[:count] / spread)
    project.bias.copy_(-project.weight @ flat.mean(0))


def boundary_distance(quantizer: Any, tokens: Tensor) -> Tensor:
    """Per token the distance of its nearest coordinate from a rounding boundary, in levels."""
    bounded = copy.deepcopy(quantizer).double().bound(tokens.double())
    distance: Tensor = (bounded - bounded.floor() - 0.5).abs().amin(-1)
    return distance
