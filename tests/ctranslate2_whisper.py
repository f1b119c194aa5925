"""Reads Whisper out of CTranslate2's format into openai-whisper's: the reference of our ears."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

_TYPES = ("<f4", "i1", "<i2", "<i4", "<f2")


def variables(path: Path) -> dict[str, NDArray[Any]]:
    """Arrays by name, of a ``model.bin`` of version 6."""
    raw = path.read_bytes()
    at = 0

    def take(form: str) -> int:
        nonlocal at
        (value,) = struct.unpack_from(f"<{form}", raw, at)
        at += struct.calcsize(f"<{form}")
        return int(value)

    def text() -> str:
        nonlocal at
        length = take("H")
        at += length
        return raw[at - length : at - 1].decode()

    assert take("I") == 6
    assert text() == "WhisperSpec"
    take("I")
    found = {}
    for _ in range(take("I")):
        name = text()
        shape = [take("I") for _ in range(take("B"))]
        kind = _TYPES[take("B")]
        size = take("I")
        found[name] = np.frombuffer(raw[at : at + size], kind).reshape(shape)
        at += size
    return found


def to_openai(weights: Path, out: Path) -> Path:
    """Write a ``model.bin`` as openai-whisper saves a model; returns ``out``."""
    from whisper.model import ModelDimensions, Whisper

    found = {
        name: torch.from_numpy(array.astype(np.float32))
        for name, array in variables(weights).items()
        if array.ndim
    }
    state: dict[str, torch.Tensor] = {}

    def norm(to: str, name: str) -> None:
        state[f"{to}.weight"] = found[f"{name}/layer_norm/gamma"]
        state[f"{to}.bias"] = found[f"{name}/layer_norm/beta"]

    def linear(to: str, parts: tuple[str, ...], name: str) -> None:
        weights, biases = found[f"{name}/weight"], found[f"{name}/bias"]
        for part, weight, bias in zip(
            parts, weights.chunk(len(parts)), biases.chunk(len(parts)), strict=True
        ):
            state[f"{to}.{part}.weight"] = weight
            if part != "key":  # openai-whisper's has no bias; here it is zero
                state[f"{to}.{part}.bias"] = bias

    layers = {}
    for side in ("encoder", "decoder"):
        names = {name.split("/")[1] for name in found if name.startswith(f"{side}/layer_")}
        layers[side] = len(names - {"layer_norm"})
        for i in range(layers[side]):
            at, to = f"{side}/layer_{i}", f"{side}.blocks.{i}"
            norm(f"{to}.attn_ln", f"{at}/self_attention")
            linear(f"{to}.attn", ("query", "key", "value"), f"{at}/self_attention/linear_0")
            linear(f"{to}.attn", ("out",), f"{at}/self_attention/linear_1")
            norm(f"{to}.mlp_ln", f"{at}/ffn")
            linear(f"{to}.mlp", ("0",), f"{at}/ffn/linear_0")
            linear(f"{to}.mlp", ("2",), f"{at}/ffn/linear_1")
            if side == "decoder":
                norm(f"{to}.cross_attn_ln", f"{at}/attention")
                linear(f"{to}.cross_attn", ("query",), f"{at}/attention/linear_0")
                linear(f"{to}.cross_attn", ("key", "value"), f"{at}/attention/linear_1")
                linear(f"{to}.cross_attn", ("out",), f"{at}/attention/linear_2")
        state[f"{side}.positional_embedding"] = found[f"{side}/position_encodings/encodings"]
    for conv in ("conv1", "conv2"):
        state[f"encoder.{conv}.weight"] = found[f"encoder/{conv}/weight"]
        state[f"encoder.{conv}.bias"] = found[f"encoder/{conv}/bias"]
    norm("encoder.ln_post", "encoder")
    norm("decoder.ln", "decoder")
    state["decoder.token_embedding.weight"] = found["decoder/embeddings/weight"]
    vocabulary, width = state["decoder.token_embedding.weight"].shape
    dims = ModelDimensions(
        n_mels=state["encoder.conv1.weight"].shape[1],
        n_audio_ctx=1500,
        n_audio_state=width,
        n_audio_head=width // 64,
        n_audio_layer=layers["encoder"],
        n_vocab=vocabulary,
        n_text_ctx=448,
        n_text_state=width,
        n_text_head=width // 64,
        n_text_layer=layers["decoder"],
    )
    Whisper(dims).load_state_dict(state, strict=True)  # no key is left over, none is missing
    torch.save({"dims": vars(dims), "model_state_dict": state}, out)
    return out
