"""Whether a file is whole, by what its container says; headers that do not know their length."""

from __future__ import annotations

from dataclasses import dataclass

from sqcodec.audiofile import chunked, flac, mpeg, ogg
from sqcodec.audiofile.chunked import Data


@dataclass(frozen=True)
class Examination:
    """What a file's container says.

    Attributes:
        damage: why it is not whole (``cut off: ...`` or ``damaged: ...``), or ``None``.
        mended: the file's bytes with the true length in the header, where it had none and the
            decoder needs one.
        mpeg: whether the decoder will be libmpg123, which writes to standard error.
        known: whether the container was recognised, so that what cannot be decoded is damage.
    """

    damage: str | None = None
    mended: bytes | None = None
    mpeg: bool = False
    known: bool = True


def examine(data: Data) -> Examination:
    """Hold a file against its header, or its pages and frames. Reads no sample."""
    if bytes(data[:4]) == b"OggS":
        return Examination(ogg.damage(data))
    if (start := flac.start_of(data)) is not None:
        return _flac(data, start)
    if (payload := chunked.payload(data)) is not None:
        return _chunked(data, payload)
    if mpeg.is_mpeg(data):
        found, mended = mpeg.examine(data)
        return Examination(found, mended, mpeg=True)
    return Examination(known=False)


def _flac(data: Data, start: int) -> Examination:
    stream = flac.examine(data, start)
    if stream.reached is None:
        return Examination("cut off or damaged: the last frame is not whole")
    if stream.declared == 0:
        return Examination(mended=flac.with_length(data, start, stream.reached))
    if stream.reached < stream.declared:
        return Examination(
            f"cut off: it holds {stream.reached} of the {stream.declared} samples that it declares"
        )
    return Examination()


def _chunked(data: Data, found: chunked.Payload) -> Examination:
    if found.missing:
        return Examination(
            f"cut off: it holds {found.there} of the {found.declared} bytes of audio that it "
            "declares"
        )
    if found.declared is None and found.size_field is not None:
        at, size, order = found.size_field
        mended = bytearray(data)
        mended[at : at + size] = found.there.to_bytes(
            size, "little" if order == "little" else "big"
        )
        return Examination(mended=bytes(mended))
    return Examination()
