"""The codec as two ONNX files, for runtimes without torch.

``encoder.onnx`` takes ``audio`` ``[1, T]``, float32, and gives ``codes`` ``[1, N]``, int64;
``decoder.onnx`` the other way round. T is any whole number of `SQCodecConfig.pad_multiple`: who
calls pads the audio with zeros on the right, as `SQCodec.encode` does, and cuts what is decoded.
How much, and the sample rate, are in the files' metadata. One clip at a time, up to 8 minutes,
beyond which the positions of the published upsampling are not followed.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from sqcodec.errors import InputError
from sqcodec.inference.engine import Engine
from sqcodec.inference.folded import EXACT_POSITIONS_FROM
from sqcodec.inference.onnx_networks import DecoderNetwork, EncoderNetwork
from sqcodec.inference.onnx_weights import to_int8

ENCODER, DECODER = "encoder.onnx", "decoder.onnx"
OPSET = 18
_TRACED_WINDOWS = 3


@dataclass(frozen=True)
class OnnxFiles:
    """Where the two networks were written."""

    encoder: Path
    decoder: Path

    @property
    def size(self) -> int:
        """Bytes of both."""
        return self.encoder.stat().st_size + self.decoder.stat().st_size


def export(engine: Engine, folder: Path, *, int8: bool, weights: str) -> OnnxFiles:
    """Write both networks.

    Args:
        engine: of the codec, on a CPU.
        folder: where to; made if it is not there.
        int8: keep the weights of products and dense convolutions as 8-bit integers with a scale
            for each output channel; they are multiplied as float32.
        weights: hash of the weights, for the metadata.

    Raises:
        InputError: a package is missing, or the folder cannot be written to.
    """
    missing = [name for name in ("onnx", "onnxscript") if find_spec(name) is None]
    if missing:
        raise InputError(
            "export to ONNX", expected=f"the packages {', '.join(missing)}", found="none",
            remedy="pip install 'sqbench[onnx]'.",
        )  # fmt: skip
    config = engine.config
    facts = {
        "setting": config.name,
        "sample_rate": config.sample_rate,
        "hop": config.hop,
        "pad_multiple": config.pad_multiple,
        "codebook_size": config.codebook_size,
        "weights_sha256": weights,
    }
    audio = torch.zeros(1, _TRACED_WINDOWS * config.pad_multiple)
    codes = torch.zeros(1, _TRACED_WINDOWS * config.window, dtype=torch.long)
    files = OnnxFiles(folder / ENCODER, folder / DECODER)
    most = EXACT_POSITIONS_FROM // config.pad_multiple
    parts: list[tuple[torch.nn.Module, torch.Tensor, tuple[str, str], int, Path]] = [
        (EncoderNetwork(engine), audio, ("audio", "codes"), config.pad_multiple, files.encoder),
        (DecoderNetwork(engine), codes, ("codes", "audio"), config.window, files.decoder),
    ]
    for network, example, names, multiple, path in parts:
        model = _traced(network, example, names, multiple, most)
        if int8:
            to_int8(model)
        for key, value in facts.items():
            model.metadata_props.add(key=key, value=json.dumps(value))
        content = model.SerializeToString()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        except OSError as error:
            raise InputError(
                str(path), expected="a place to write to", found=error.strerror or str(error)
            ) from None
    return files


def _traced(
    network: torch.nn.Module,
    example: torch.Tensor,
    names: tuple[str, str],
    multiple: int,
    most: int,
) -> Any:
    """The network as an ONNX model, for any whole number of windows."""
    windows = torch.export.Dim("windows", min=1, max=most)
    with _quiet():
        program = torch.onnx.export(
            network.eval(),
            (example,),
            dynamo=True,
            dynamic_shapes=({1: multiple * windows},),
            input_names=[names[0]],
            output_names=[names[1]],
            opset_version=OPSET,
            optimize=True,
            verbose=False,
        )
    assert program is not None
    return program.model_proto


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep to itself what the exporter says of packages that have nothing to do with this."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
