"""The seven published SQCodec settings, read from the data files in ``sqcodec/configs``.

Importable without torch. A setting is what its file says: no environment variable and no cache
overrides a field.
"""

from __future__ import annotations

import difflib
import math
import tomllib
from dataclasses import MISSING, asdict, dataclass, fields
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from sqcodec.errors import InputError
from sqcodec.typed import FieldError, convert, read_toml

_ALIASES = {
    "750": "0k75bps",
    "1k5": "1k5bps",
    "3k": "3kbps",
    "6k": "6kbps",
    "12k": "12kbps",
    "12k-24khz": "12kbps_24khz",
    "24k-24khz": "24kbps_24khz",
}
_NAMES = tuple(_ALIASES.values())


@dataclass(frozen=True, kw_only=True)
class SQCodecConfig:
    """One SQCodec setting.

    Attributes:
        name: the official name, such as ``6kbps``.
        sample_rate: in Hz.
        feature_dim: channels between the convolutional coders and the quantizer.
        encoder_rates: stride of each down layer.
        encoder_dims: channels before the first and after each down layer.
        encoder_depths: residual Conv units at each of ``encoder_dims``.
        decoder_rates: upsampling rate of each stage.
        decoder_dims: channels of each stage and of the last unit.
        decoder_depths: residual Conv units of each stage (the last unit has its own structure).
        transformer_depth: layers of each local transformer, both parts of it counted.
        compress_depth: of these, layers that run at the uncompressed frame rate.
        window: attention window in tokens.
        compress_rate: frames per token, 1 for none.
        levels: FSQ levels of each latent dimension, all odd.
        tconv: whether the encoder's TConv pools; without, every branch sees the signal itself
            (the paper's ablation "w/o TConv", as its successor's settings suggest it).
        teconv: whether the decoder has its TEConv gates (the ablation "w/o TEConv").
    """

    name: str
    sample_rate: int
    feature_dim: int
    encoder_rates: tuple[int, ...]
    encoder_dims: tuple[int, ...]
    encoder_depths: tuple[int, ...]
    decoder_rates: tuple[int, ...]
    decoder_dims: tuple[int, ...]
    decoder_depths: tuple[int, ...]
    transformer_depth: int
    compress_depth: int
    window: int
    compress_rate: int
    levels: tuple[int, ...]
    tconv: bool = True
    teconv: bool = True

    def __post_init__(self) -> None:
        where = f"SQCodec config {self.name!r}"
        if len(self.encoder_dims) != len(self.encoder_rates) + 1 or len(self.encoder_depths) != len(
            self.encoder_dims
        ):
            raise InputError(
                where, expected="one more of encoder_dims and encoder_depths than encoder_rates"
            )
        if len(self.decoder_dims) != len(self.decoder_rates) + 1 or len(self.decoder_depths) != len(
            self.decoder_rates
        ):
            raise InputError(
                where,
                expected="decoder_depths as long as decoder_rates, decoder_dims one longer",
            )
        if math.prod(self.encoder_rates) != math.prod(self.decoder_rates):
            raise InputError(
                where,
                expected="encoder and decoder rates of the same product",
                found=f"{self.encoder_rates} and {self.decoder_rates}",
            )
        if any(level % 2 == 0 or level < 3 for level in self.levels):
            raise InputError(where, expected="odd FSQ levels of at least 3", found=f"{self.levels}")
        if (self.compress_rate == 1) != (self.compress_depth == 0):
            raise InputError(where, expected="compress_depth above 0 exactly if compress_rate is")

    @property
    def frame_hop(self) -> int:
        """Samples per frame of the convolutional coders."""
        return math.prod(self.encoder_rates)

    @property
    def hop(self) -> int:
        """Samples per token."""
        return self.frame_hop * self.compress_rate

    @property
    def pad_multiple(self) -> int:
        """Audio is zero-padded on the right to a multiple of this many samples."""
        return self.hop * self.window

    @property
    def frame_rate(self) -> float:
        """Tokens a second."""
        return self.sample_rate / self.hop

    @property
    def codebook_size(self) -> int:
        return math.prod(self.levels)

    @property
    def bitrate_bps(self) -> float:
        """Nominal bits a second: tokens a second times log2 of the codebook size."""
        return self.frame_rate * math.log2(self.codebook_size)

    def padded_length(self, length: int) -> int:
        """Samples after padding to whole windows; nothing is added to a whole number of them."""
        return -(-length // self.pad_multiple) * self.pad_multiple

    def to_dict(self) -> dict[str, Any]:
        """JSON-able fields; `from_dict` takes them back."""
        return {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in asdict(self).items()
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any], *, origin: str = "SQCodec config") -> SQCodecConfig:
        """Build from plain values.

        Raises:
            InputError: a field is missing, unknown or of another type; ``origin`` names
                where it came from.
        """
        known = {field.name for field in fields(cls)}
        optional = {field.name for field in fields(cls) if field.default is not MISSING}
        if not known - optional <= set(values) <= known:
            missing, extra = sorted(known - optional - set(values)), sorted(set(values) - known)
            raise InputError(
                origin,
                expected=f"fields {', '.join(sorted(known))}",
                found=f"missing {missing}, unknown {extra}",
            )
        try:
            return convert(values, cls)
        except FieldError as error:
            raise InputError(
                f"{origin}, {error.path}", expected=error.expected, found=error.found
            ) from None


def list_configs() -> list[str]:
    """The official names, from the lowest bitrate to the highest."""
    return list(_NAMES)


def short_name(name: str) -> str:
    """The short alias of a setting (``6k`` for ``6kbps``)."""
    official = resolve_name(name)
    return next(alias for alias, target in _ALIASES.items() if target == official)


def resolve_name(name: str) -> str:
    """The official name that ``name`` means: official, short (``6k``) or ``sqcodec-6k``.

    Raises:
        InputError: for an unknown name, with the nearest known one.
    """
    key = name.strip().lower().removeprefix("sqcodec-")
    if key in _NAMES:
        return key
    if key in _ALIASES:
        return _ALIASES[key]
    near = difflib.get_close_matches(key, [*_ALIASES, *_NAMES], n=1, cutoff=0.0)
    raise InputError(
        f"SQCodec setting {name!r}",
        expected=f"one of {', '.join(_NAMES)} (or {', '.join(_ALIASES)})",
        remedy=f"Did you mean {near[0]!r}?",
    )


def read_config(path: Path) -> SQCodecConfig:
    """A setting of one's own: a TOML file with the fields of those in ``sqcodec/configs``.

    Raises:
        InputError: no such file, no TOML, a field missing, unknown or of another type, or the name
            of a published setting.
    """
    values = read_toml(path, expected="a config")
    config = SQCodecConfig.from_dict(values, origin=str(path))
    if config.name in _NAMES:
        expected = "a name that no published setting has"
        raise InputError(f"{path}, name", expected=expected, found=config.name)
    return config


@cache
def load_config(name: str) -> SQCodecConfig:
    """The setting of that name (see `resolve_name` for what names there are)."""
    official = resolve_name(name)
    text = resources.files("sqcodec").joinpath("configs", f"{official}.toml").read_text("utf-8")
    return SQCodecConfig.from_dict(tomllib.loads(text), origin=f"sqcodec/configs/{official}.toml")
