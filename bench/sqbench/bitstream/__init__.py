"""The ``.sqb`` container: a codec's codes at exactly their bitrate. Format: docs/bitstream.md."""

from sqbench.bitstream.header import Header
from sqbench.bitstream.packing import pack, packed_size, unpack
from sqbench.bitstream.stream import Reader, Writer

__all__ = ["Header", "Reader", "Writer", "pack", "packed_size", "unpack"]
