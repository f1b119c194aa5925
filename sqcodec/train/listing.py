"""Which files a training reads, under its short name; `sqcodec.train.data.listing` has the code."""

from sqcodec.train.data.listing import list_files

__all__ = ["list_files"]
