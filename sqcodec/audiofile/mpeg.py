"""MPEG audio (MP3): its frames counted, and held against the count that encoders put in the first.

ISO/IEC 11172-3 gives the header of a frame; Xing's and Fraunhofer's counts are common practice.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqcodec.audiofile.chunked import Data

_RATES = (44100, 48000, 32000)
_KBPS = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_KBPS[2, 3] = _KBPS[2, 2]
_SEARCHED = 1 << 16  # bytes before the first frame
_PADDING = 1 << 13  # bytes behind the last


@dataclass(frozen=True)
class _Frame:
    size: int
    samples: int
    kind: int  # what stays the same over a file: version, layer and rate


def _frame(data: Data, at: int) -> _Frame | None:
    if at + 4 > len(data) or data[at] != 0xFF or data[at + 1] & 0xE0 != 0xE0:
        return None
    version, layer = data[at + 1] >> 3 & 3, 4 - (data[at + 1] >> 1 & 3)
    rate_index, kbps_index = data[at + 2] >> 2 & 3, data[at + 2] >> 4
    if version == 1 or layer == 4 or rate_index == 3 or kbps_index in (0, 15):
        return None
    first = version == 3
    rate = _RATES[rate_index] >> {3: 0, 2: 1, 0: 2}[version]
    bits = 1000 * _KBPS[1 if first else 2, layer][kbps_index - 1]
    padding = data[at + 2] >> 1 & 1
    samples = 384 if layer == 1 else 1152 if first or layer == 2 else 576
    size = (
        (12 * bits // rate + padding) * 4 if layer == 1 else samples // 8 * bits // rate + padding
    )
    return _Frame(size, samples, version << 4 | layer << 2 | rate_index)


def is_mpeg(data: Data) -> bool:
    """Whether the file begins (after tags) with two frames of one kind."""
    at = _after_tags(data, 0)
    return _next(data, at, min(len(data), at + _SEARCHED), None) is not None


def examine(data: Data) -> tuple[str | None, bytes | None]:
    """What the frames say is wrong with the file, or the file with its frames counted.

    Returns:
        The damage, or ``None``; and the file's bytes behind a first frame that holds their count,
        or ``None`` where it has one. Without it libsndfile goes by the size of the first frame, and
        leaves out the rest of a file of varying bitrate.
    """
    end = _before_tags(data)
    at = _next(data, start := _after_tags(data, 0), min(end, start + _SEARCHED), None)
    if at is None or (first := _frame(data, at)) is None:
        return None, None
    declared = _declared(bytes(data[at : at + first.size]))
    begin = at + (0 if declared is None else first.size)
    count, lost, at = 0, 0, begin
    while at < end:
        frame = _frame(data, at)
        if frame is not None and frame.kind == first.kind:
            if at + frame.size > end:
                if not declared:
                    return "cut off: the last frame is incomplete", None
                break
            count, at = count + 1, at + frame.size
            continue
        if (behind := _after_tags(data, at)) > at:
            at = behind
            continue
        found = _next(data, at, end, first.kind)
        if found is None:
            if end - at > _PADDING:
                lost += end - at
            break
        lost, at = lost + found - at, found
    if lost:
        return f"damaged: {lost} bytes behind its first frame belong to none", None
    # One frame is the difference between encoders that count the first and that do not.
    if declared and count < declared - 1:
        return f"cut off: it holds {count} of the {declared} frames that it declares", None
    too_few = declared is not None and 0 < declared < count - 1  # files put behind each other
    if (declared and not too_few) or first.kind >> 2 & 3 != 3:
        return None, None
    return None, _count_frame(bytes(data[begin : begin + 4]), count) + bytes(data[begin:end])


def _count_frame(header: bytes, count: int) -> bytes:
    """A silent frame of layer III that says how many follow, in Xing's way."""
    # The highest bitrate, so that the count finds room; no checksum, no padding.
    head = bytes([header[0], header[1] | 1, header[2] & 0x0C | 0xE0, header[3]])
    frame = _frame(head, 0)
    assert frame is not None
    mono, first = header[3] >> 6 == 3, header[1] >> 3 & 3 == 3
    side = {(True, False): 32, (True, True): 17, (False, False): 17, (False, True): 9}[first, mono]
    content = bytes(side) + b"Xing" + (1).to_bytes(4, "big") + count.to_bytes(4, "big")
    return (head + content).ljust(frame.size, b"\0")


def _next(data: Data, at: int, end: int, kind: int | None) -> int | None:
    """The next frame that another one, or the end, follows."""
    view = bytes(data[at:end])
    found = -1
    while (found := view.find(b"\xff", found + 1)) >= 0:
        frame = _frame(data, at + found)
        if frame is None or kind not in (None, frame.kind):
            continue
        behind = at + found + frame.size
        after = _frame(data, behind)
        if (after is not None and after.kind == frame.kind) or (kind and behind == end):
            return at + found
    return None


def _declared(frame: bytes) -> int | None:
    """Frames that the first one says will follow; ``None`` if it is audio itself."""
    for name in (b"Xing", b"Info"):
        at = frame.find(name, 4, 48)
        if at >= 0 and len(frame) >= at + 12:
            known = frame[at + 7] & 1
            return int.from_bytes(frame[at + 8 : at + 12], "big") if known else 0
    if frame[36:40] == b"VBRI" and len(frame) >= 54:
        return int.from_bytes(frame[50:54], "big")
    return None


def _after_tags(data: Data, at: int) -> int:
    """Behind the ID3v2 tags that start here."""
    while bytes(data[at : at + 3]) == b"ID3" and at + 10 <= len(data):
        size = sum((data[at + 6 + i] & 0x7F) << 7 * (3 - i) for i in range(4))
        at += 10 + size + (10 if data[at + 5] & 0x10 else 0)
    return min(at, len(data))


def _before_tags(data: Data) -> int:
    """Before the tags that end the file."""
    end = len(data)
    if end >= 128 and bytes(data[end - 128 : end - 125]) == b"TAG":
        end -= 128
    if end >= 32 and bytes(data[end - 32 : end - 24]) == b"APETAGEX":
        size = int.from_bytes(bytes(data[end - 20 : end - 16]), "little")
        end = max(0, end - size - (32 if data[end - 9] & 0x80 else 0))
    return end
