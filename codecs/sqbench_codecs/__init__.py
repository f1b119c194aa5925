"""Codecs behind one contract, and the registry of all of them. Importable without torch."""

from sqbench_codecs.base import (
    NO_WEIGHTS,
    Blueprint,
    Codec,
    CodecSpec,
    Codes,
    Waveform,
    Weights,
    num_bits,
)
from sqbench_codecs.catalogue import CODECS, CodecEntry, load_codec
from sqbench_codecs.torch_codec import TorchCodec
from sqcodec.errors import InputError

__all__ = [
    "CODECS",
    "NO_WEIGHTS",
    "Blueprint",
    "Codec",
    "CodecEntry",
    "CodecSpec",
    "Codes",
    "InputError",
    "TorchCodec",
    "Waveform",
    "Weights",
    "load_codec",
    "num_bits",
]
