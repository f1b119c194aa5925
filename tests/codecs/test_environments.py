"""The classes of `environments/` over stand-ins of the packages that they wrap."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

FOLDER = Path(__file__).resolve().parents[2] / "environments"
HOP = 1920


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def stand_in(monkeypatch: pytest.MonkeyPatch, path: str, **content: object) -> None:
    parts = path.split(".")
    for i in range(1, len(parts) + 1):
        monkeypatch.setitem(sys.modules, ".".join(parts[:i]), ModuleType(parts[i - 1]))
    vars(sys.modules[path]).update(content)


class _Qwen:
    """Codes ``[frames, 16]``, audio of whole frames; both tell frame from book."""

    @classmethod
    def from_pretrained(cls, source: str, device_map: str) -> _Qwen:
        assert (source, device_map) == ("folder", "cpu")
        return cls()

    def encode(self, audio: Any, sr: int) -> SimpleNamespace:
        assert sr == 24000
        frames = len(audio) // HOP
        codes = torch.arange(frames)[:, None] * 16 + torch.arange(16)
        return SimpleNamespace(audio_codes=[codes])

    def decode(self, encoded: dict[str, Any]) -> tuple[list[Any], int]:
        (codes,) = encoded["audio_codes"]
        assert codes.shape[1] == 16
        return [np.repeat(codes[:, 0].numpy(), HOP).astype(np.float32)], 24000


class _Dual:
    def __init__(self, model: str, *paths: str, **options: Any) -> None:
        assert (model, paths) == (
            "12hz_v1 folder/dualcodec",
            ("folder/dualcodec", "folder/w2v-bert-2.0"),
        )

    def encode(self, audio: torch.Tensor, n_quantizers: int) -> tuple[torch.Tensor, torch.Tensor]:
        assert audio.ndim == 3
        frames = torch.arange(audio.shape[2] // HOP)[None, None] * 16
        return frames, frames + torch.arange(1, n_quantizers)[None, :, None]

    def decode(self, semantic: torch.Tensor, acoustic: torch.Tensor) -> torch.Tensor:
        assert (semantic.shape[1], acoustic.shape[1]) == (1, 7)
        return semantic.float().repeat_interleave(HOP, dim=2)


@pytest.mark.parametrize(
    ("file", "kind", "books"),
    [("qwen3_12hz", "Qwen3Tokenizer", 16), ("dualcodec_12hz", "DualCodec12Hz", 8)],
)
def test_codes_and_lengths_are_those_of_the_contract(
    file: str, kind: str, books: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(monkeypatch, "qwen_tts.inference.qwen3_tts_tokenizer", Qwen3TTSTokenizer=_Qwen)
    stand_in(
        monkeypatch, "dualcodec.infer.dualcodec.get_model",
        get_model=lambda name, path: f"{name} {path}",
    )  # fmt: skip
    stand_in(monkeypatch, "dualcodec.infer.dualcodec.inference_with_semantic", Inference=_Dual)
    made = getattr(load(file), kind)
    codec = made(weights="folder", device="cpu")
    lengths = [3 * HOP + 7, 2 * HOP]
    codes = [np.asarray(c) for c in codec.encode([np.zeros(n, np.float32) for n in lengths])]
    assert [c.shape for c in codes] == [(books, 3), (books, 2)]
    assert codes[0][:, 1].tolist() == list(range(16, 16 + books))
    assert len(codec.codebook_sizes) == books
    decoded = codec.decode(codes, lengths)
    assert [len(x) for x in decoded] == lengths
    assert decoded[0][HOP] == 16
    assert (decoded[0][3 * HOP :] == 0).all()  # what the codec did not give
