"""Codecs behind one contract, and the registry of all of them. Importable without torch."""

from sqbench_codecs.base import NO_WEIGHTS, Codec, CodecSpec, Codes, Waveform, Weights, num_bits
from sqbench_codecs.catalogue import CODECS, CodecEntry, load_codec
from sqcodec.errors import InputError

__all__ = [
    "CODECS",
    "NO_WEIGHTS",
    "Codec",
    "CodecEntry",
    "CodecSpec",
    "Codes",
    "InputError",
    "Waveform",
    "Weights",
    "load_codec",
    "num_bits",
]
