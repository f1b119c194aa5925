"""SQCodec: a single-codebook neural audio codec.

>>> import sqcodec
>>> sqcodec.list_configs()[0]
'0k75bps'

Importing this package does not import torch; `SQCodec` does, when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqcodec.config import SQCodecConfig, list_configs, load_config
from sqcodec.errors import InputError

if TYPE_CHECKING:
    from sqcodec.api import SQCodec

__version__ = "0.1.0"

__all__ = ["InputError", "SQCodec", "SQCodecConfig", "__version__", "list_configs", "load_config"]


def __getattr__(name: str) -> Any:
    if name == "SQCodec":
        from sqcodec.api import SQCodec

        return SQCodec
    raise AttributeError(f"module 'sqcodec' has no attribute {name!r}")
