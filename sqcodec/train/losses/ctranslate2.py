"""Weights from CTranslate2's ``model.bin``, read as data: NumPy arrays by name, and no engine.

The layout (little endian): u32 version, string specification, u32 revision, u32 number of
variables, each a string name, u8 rank, u32 for every dimension, u8 type, u32 number of bytes and
the values; then u32 number of aliases, each two strings: another name, and whose. A string is a
u16 length, which counts its closing NUL, and its bytes. Source:
https://github.com/OpenNMT/CTranslate2, ``python/ctranslate2/specs/model_spec.py``.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sqcodec.errors import InputError

MODEL_FILE = "model.bin"
VERSION = 6
_TYPES: dict[int, str] = {0: "<f4", 1: "i1", 2: "<i2", 3: "<i4", 4: "<f2"}


@dataclass(frozen=True)
class Weights:
    """What a file holds.

    Attributes:
        specification: kind of model, such as ``WhisperSpec``.
        variables: arrays by name, aliases among them; views of the file's bytes, not to be written.
    """

    specification: str
    variables: dict[str, NDArray[Any]]


def read_weights(path: Path) -> Weights:
    """All variables of a file.

    Raises:
        InputError: it cannot be read, is of another version, or ends too early.
    """
    try:
        return _parse(path.read_bytes())
    except OSError as error:
        found = error.strerror or str(error)
    except (struct.error, ValueError) as error:
        found = str(error)
    raise InputError(
        str(path), expected=f"weights in CTranslate2's format, version {VERSION}", found=found
    )


def _parse(content: bytes) -> Weights:
    reader = _Reader(content)
    version = reader.number("I")
    if version != VERSION:
        raise ValueError(f"version {version}")
    specification = reader.text()
    reader.number("I")  # the specification's revision
    variables: dict[str, NDArray[Any]] = {}
    for _ in range(reader.number("I")):
        name = reader.text()
        shape = [reader.number("I") for _ in range(reader.number("B"))]
        kind = reader.number("B")
        if kind not in _TYPES:
            raise ValueError(f"a type {kind} of {name}")
        dtype, size = np.dtype(_TYPES[kind]), reader.number("I")
        if size != math.prod(shape) * dtype.itemsize:
            raise ValueError(f"{size} bytes for {name} of shape {shape}")
        variables[name] = np.frombuffer(reader.take(size), dtype).reshape(shape)
    for _ in range(reader.number("I")):
        alias, name = reader.text(), reader.text()
        if name not in variables:
            raise ValueError(f"{alias} for {name}, which is not there")
        variables[alias] = variables[name]
    return Weights(specification, variables)


class _Reader:
    def __init__(self, content: bytes) -> None:
        self._content, self._at = memoryview(content), 0

    def take(self, size: int) -> memoryview:
        part = self._content[self._at : self._at + size]
        if len(part) < size:
            raise ValueError(f"{len(self._content)} bytes, and more to read")
        self._at += size
        return part

    def number(self, kind: str) -> int:
        values: tuple[int] = struct.unpack(f"<{kind}", self.take(struct.calcsize(f"<{kind}")))
        return values[0]

    def text(self) -> str:
        return bytes(self.take(self.number("H"))).rstrip(b"\0").decode("utf-8")
