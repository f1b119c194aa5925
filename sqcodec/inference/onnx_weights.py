"""Weights of an ONNX model as 8-bit integers: stored so, multiplied as float32."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST = 4096
"""Values from which on a weight is worth it."""


def to_int8(model: Any) -> None:
    """Replace the weights of products and dense convolutions of a ModelProto, in place.

    Each output channel has a scale, which takes its largest weight to 127; there is no zero point.
    A cast and a product make float32 of them again, once, when a runtime folds constants. (For
    ``DequantizeLinear`` onnxruntime has kernels of its own, which round what comes in as well.)
    """
    from onnx import TensorProto, helper, numpy_helper

    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    axes: dict[str, int] = {}
    for node in graph.node:
        if node.op_type in ("MatMul", "Gemm", "Conv") and node.input[1] in weights:
            axes[node.input[1]] = _channels(node)
    added = []
    for name, axis in axes.items():
        values = numpy_helper.to_array(weights[name])
        if values.dtype != np.float32 or values.size < LEAST:
            continue
        stored, scale = quantized(values, axis)
        graph.initializer.remove(weights[name])
        graph.initializer.append(numpy_helper.from_array(stored, f"{name}_int8"))
        graph.initializer.append(numpy_helper.from_array(scale, f"{name}_scale"))
        whole = f"{name}_whole"
        added += [
            helper.make_node("Cast", [f"{name}_int8"], [whole], to=TensorProto.FLOAT),
            helper.make_node("Mul", [whole, f"{name}_scale"], [name]),
        ]
    nodes = [*added, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _channels(node: Any) -> int:
    """The axis of output channels of a node's weight."""
    if node.op_type == "Conv":
        return 0
    transposed = any(a.name == "transB" and a.i for a in node.attribute)
    return 0 if transposed else 1


def quantized(values: NDArray[Any], axis: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Integers of the shape of ``values``, and the scale of each channel of ``axis``, to multiply
    them with."""
    others = tuple(i for i in range(values.ndim) if i != axis)
    largest = np.abs(values).max(axis=others, keepdims=True)
    scale = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    return np.rint(values / scale).astype(np.int8), scale
