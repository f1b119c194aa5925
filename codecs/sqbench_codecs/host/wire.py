"""The line between a run and the process that holds a codec: messages of JSON and arrays.

A message is four bytes (big-endian) with the length of a header, the header (JSON in UTF-8), and
the bytes of its arrays one after the other. The header is ``{"content": ..., "arrays": [[dtype,
shape], ...]}`` with NumPy's dtype strings (little-endian) and C order. `PROTOCOL` is the first
thing that a host says (``{"protocol": 1}``); another number means that the two do not fit.

Requests are ``{"do": name, ...}``, answers ``{"ok": true, ...}`` or ``{"ok": false, "error":
text, "traceback": text}``:

- ``load``: ``target``, ``weights``, ``device``, ``seed`` -> ``codec``: its description;
- ``code``: ``seeds`` and lengths of audio in, arrays float32 ``[T]`` -> per clip ``encode_s``,
  ``decode_s``, and two arrays: codes ``[num_codebooks, frames]``, audio ``[T]``;
- ``call``: ``method`` (``encode``, ``decode``), ``lengths``, arrays -> arrays.
"""

from __future__ import annotations

import json
import os
import struct
from typing import Any

import numpy as np

PROTOCOL = 1

_LENGTH = struct.Struct(">I")


class Line:
    """Both ends of the line: two file descriptors."""

    def __init__(self, reader: int, writer: int) -> None:
        self.reader, self.writer = reader, writer

    def send(self, content: dict[str, Any], arrays: list[Any] | tuple[Any, ...] = ()) -> None:
        """Raises OSError (BrokenPipeError) where nobody reads any more."""
        plain = [np.ascontiguousarray(array) for array in arrays]
        plain = [array.astype(array.dtype.newbyteorder("<"), copy=False) for array in plain]
        kinds = [[array.dtype.str, list(array.shape)] for array in plain]
        header = json.dumps({"content": content, "arrays": kinds}).encode()
        self._write(_LENGTH.pack(len(header)) + header)
        for array in plain:
            self._write(array.reshape(-1).view(np.uint8).data)

    def receive(self) -> tuple[dict[str, Any], list[Any]]:
        """The next message: content and arrays. Raises EOFError at the end of the line."""
        (length,) = _LENGTH.unpack(self._read(_LENGTH.size))
        header = json.loads(bytes(self._read(length)).decode())
        arrays = []
        for dtype, shape in header["arrays"]:
            kind = np.dtype(dtype)
            size = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
            arrays.append(np.frombuffer(self._read(size), kind).reshape(shape))
        return header["content"], arrays

    def close(self) -> None:
        """Close both ends; a second time does nothing."""
        for descriptor in {self.reader, self.writer} - {-1}:
            os.close(descriptor)
        self.reader = self.writer = -1

    def _write(self, data: Any) -> None:
        view = memoryview(data)
        while len(view):
            view = view[os.write(self.writer, view) :]

    def _read(self, size: int) -> bytearray:
        data = bytearray(size)
        view, at = memoryview(data), 0
        while at < size:
            got = os.readv(self.reader, [view[at:]])
            if got == 0:
                raise EOFError("the line is closed")
            at += got
        return data
