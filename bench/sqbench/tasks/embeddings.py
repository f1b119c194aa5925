"""Embeddings in records: float32, little-endian, base64, with their shape."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def pack(values: NDArray[np.floating]) -> dict[str, Any]:
    """JSON-able form of an array; 1 kB of numbers takes 1.4 kB of text."""
    array = np.ascontiguousarray(values, dtype="<f4")
    return {"shape": list(array.shape), "float32": base64.b64encode(array.tobytes()).decode()}


def unpack(packed: Mapping[str, Any]) -> NDArray[np.float64]:
    """The array again, in float64."""
    flat = np.frombuffer(base64.b64decode(packed["float32"]), dtype="<f4")
    return flat.reshape(packed["shape"]).astype(np.float64)


def unit(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Vectors ``[..., D]`` scaled to length one; zero stays zero."""
    array = np.asarray(values, dtype=np.float64)
    norm = np.linalg.norm(array, axis=-1, keepdims=True)
    return array / np.where(norm > 0, norm, 1.0)
