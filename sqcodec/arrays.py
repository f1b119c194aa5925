"""Tensors from what users hold: arrays of any layout and byte order, tensors of any dtype."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from sqcodec.errors import InputError

LOUDEST = 1e6
"""A peak, full scale at 1, from which on audio is taken for something else: 120 dB too loud.

Far above it the network's float32 overflows, and codes would mean nothing.
"""


def audio_tensor(audio: Any, device: torch.device) -> Tensor:
    """Samples ``[B, T]`` or ``[T]`` as contiguous float32 on a device, without a gradient.

    Raises:
        InputError: no floating-point samples of that shape, or not finite ones.
    """
    found = _tensor(audio, "audio to encode", "floating-point samples [B, T] or [T]")
    if found.ndim not in (1, 2) or not found.is_floating_point():
        integer = found.ndim in (1, 2) and not found.is_complex() and found.dtype != torch.bool
        raise InputError(
            "audio to encode",
            expected="floating-point samples [B, T] or [T]",
            found=_what(found),
            remedy="Divide 16-bit samples by 32768." if integer else "",
        )
    given = found
    found = found.to(device, torch.float32).contiguous()
    if found.is_inference():  # may not be worked on in place here
        found = found.clone()
    if found.numel():
        low, high = (float(value) for value in torch.aminmax(found))
        if not max(-low, high) < LOUDEST:  # NaN is above and below nothing
            finite = bool(given.to(torch.float64).isfinite().all())
            raise InputError(
                "audio to encode",
                expected="finite samples, full scale at 1.0",
                found=f"a peak of {max(-low, high):.3g}" if finite else "NaN or infinity",
            )
    return found


def code_tensor(codes: Any, device: torch.device, codebook_size: int, of: str) -> Tensor:
    """Codes ``[B, N]`` or ``[N]`` as int64 on a device.

    Args:
        codes: integers of any width.
        device: where to.
        codebook_size: all are below.
        of: the setting's name, for the message.

    Raises:
        InputError: no integers of that shape, or out of range.
    """
    found = _tensor(codes, "codes to decode", "integers [B, N] or [N]")
    if found.ndim not in (1, 2) or found.dtype not in _INTEGERS:
        raise InputError("codes to decode", expected="integers [B, N] or [N]", found=_what(found))
    # Unsigned 64-bit values beyond int64 become negative, hence out of range.
    found = found.to(device, torch.int64).contiguous()
    if found.is_inference():
        found = found.clone()
    if found.numel():
        low, high = (int(value) for value in torch.aminmax(found))
        if not 0 <= low <= high < codebook_size:
            raise InputError(
                "codes to decode",
                expected=f"0 to {codebook_size - 1}",
                found=f"{low} to {high}",
                remedy=f"Are they codes of {of}?",
            )
    return found


_INTEGERS = {
    torch.int8, torch.int16, torch.int32, torch.int64,
    torch.uint8, torch.uint16, torch.uint32, torch.uint64,
}  # fmt: skip


def _tensor(value: Any, what: str, expected: str) -> Tensor:
    """A dense tensor of the values, without a gradient."""
    if isinstance(value, Tensor):
        if value.is_meta or value.is_nested or value.is_quantized or value.layout != torch.strided:
            raise InputError(what, expected=f"{expected}, dense", found=_what(value))
        return value.detach()
    try:
        array = np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:  # ragged lists, tensors on a GPU
        found = f"{type(value).__name__} that is no array ({str(error).splitlines()[0]})"
        raise InputError(what, expected=expected, found=found) from None
    masked = np.ma.is_masked(value)
    if array.dtype.kind not in "biufc" or masked:
        found = f"{array.dtype} of shape {array.shape}" + (", partly masked" if masked else "")
        raise InputError(what, expected=expected, found=found)
    dtype = array.dtype.newbyteorder("=")
    if array.dtype.itemsize > 8 and array.dtype.kind == "f":  # long double
        dtype = np.dtype(np.float64)
    elif array.size == 0 and not isinstance(value, np.ndarray) and what.startswith("codes"):
        dtype = np.dtype(np.int64)  # an empty list has no type of its own
    # A copy: torch takes neither reversed nor read-only nor big-endian memory.
    with np.errstate(over="ignore"):
        return torch.from_numpy(np.array(array, dtype, order="C"))


def _what(value: Tensor) -> str:
    kind = "" if value.layout == torch.strided else f"{value.layout} "
    shape = "nested" if value.is_nested else f"of shape {tuple(value.shape)}"
    place = " on the meta device" if value.is_meta else ""
    return f"{kind}{value.dtype} {shape}{place}"
