"""The codec registry: every operating point, known without loading anything heavy."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sqbench_codecs.base import Blueprint, Codec, CodecSpec
from sqbench_codecs.extras import pip_line
from sqbench_codecs.registry import Registry, resolve
from sqcodec.errors import InputError


@dataclass(frozen=True, kw_only=True)
class CodecEntry:
    """One operating point in the registry.

    Attributes:
        spec: its static facts.
        target: ``"module:Class"`` of a `Codec`, or the class itself (third parties).
        options: further keyword arguments of the class.
        aliases: other names.
        requires: import names that must be there.
        extra: the extra of this package that brings them.
        network: ``"module:function"`` that gives the `Blueprint` from the spec and ``options``,
            without weights; empty for a codec that is not neural.
        weights: says which weights are at hand, without loading them (``None``: has none).
        summary: a few words for listings.
        prefixes: whether its first codebooks, any number of them, are a codec too.
        streams: whether it has `Codec.stream`.
    """

    spec: CodecSpec
    target: str | type[Codec]
    options: Mapping[str, Any] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    extra: str = ""
    network: str = ""
    weights: Callable[[], str] | None = None
    summary: str = ""
    prefixes: bool = False
    streams: bool = False
    origin: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.spec.name

    def missing(self) -> list[str]:
        """Required modules that are not installed."""
        return [name for name in self.requires if not _installed(name)]

    def readiness(self) -> str:
        """``ready``, with the weights at hand, or what is missing and the line that cures it."""
        missing = self.missing()
        if missing:
            cure = f": {pip_line(self.extra)}" if self.extra else ""
            return f"needs {', '.join(missing)}{cure}"
        return "ready" if self.weights is None else self.weights()

    def blueprint(self) -> Blueprint | None:
        """The network for counting, without weights; ``None`` if not neural."""
        if not self.network:
            return None
        found: Blueprint = resolve(self.network)(self.spec, **self.options)
        return found

    def load(self, *, weights: str = "auto", device: str = "cpu") -> Codec:
        """Import and build the codec.

        Raises:
            InputError: a module or the weights are missing.
        """
        missing = self.missing()
        if missing:
            raise InputError(
                f"codec {self.name!r}",
                expected=f"{', '.join(missing)} to be installed",
                found="not installed",
                remedy=f"{pip_line(self.extra)}." if self.extra else "Install it.",
            )
        cls = resolve(self.target) if isinstance(self.target, str) else self.target
        codec: Codec = cls(self.spec, weights=weights, device=device, **self.options)
        codec.origin = dict(self.origin)
        return codec


def _installed(name: str) -> bool:
    """Whether a module can be found."""
    try:
        return importlib.util.find_spec(name) is not None
    except ValueError:  # one that is imported and does not say where from
        return name in sys.modules


FAMILIES = (
    "sqcodec",
    "l3ac",
    "encodec",
    "dac",
    "wavtokenizer",
    "mimi",
    "snac",
    "xcodec",
    "xcodec2",
    "neucodec",
    "higgs",
    "bigcodec",
    "speechtokenizer",
    "nanocodec",
    "opus",
    "lc3",
    "codec2",
    "ffmpeg",
    "controls",
)
"""Modules of this package with an `entries` function each, in the order of listings."""


def _builtin() -> Iterable[CodecEntry]:
    for module in FAMILIES:
        yield from resolve(f"sqbench_codecs.{module}:entries")()


def _adopt(found: Any, name: str, origin: dict[str, str]) -> CodecEntry:
    if isinstance(found, CodecEntry):
        return replace(found, origin={**origin, **found.origin})
    if inspect.isclass(found) and issubclass(found, Codec):
        spec = getattr(found, "spec", None)
        if not isinstance(spec, CodecSpec):
            raise InputError(
                f"codec {name!r}",
                expected="a class attribute `spec` (a CodecSpec)",
                found=repr(spec),
            )
        return CodecEntry(spec=spec, target=found, origin=origin)
    raise InputError(
        f"codec {name!r}",
        expected="a subclass of sqbench_codecs.Codec or a CodecEntry",
        found=repr(found),
    )


def _made(name: str) -> CodecEntry | None:
    """Streams, operating points by number of codebooks, and repositories of the hub."""
    # By name, as families are: all make entries of the class above.
    streaming_entry = resolve("sqbench_codecs.streaming:streaming_entry")
    hub_entry = resolve("sqbench_codecs.hub_models:hub_entry")
    point = resolve("sqbench_codecs.points:point")
    found: CodecEntry | None = (
        streaming_entry(name) or hub_entry(name) or point(name.lower(), CODECS)
    )
    return found


CODECS: Registry[CodecEntry] = Registry("codec", "sqbench.codecs", _builtin, _adopt, _made)
"""Every known codec; third parties join through the entry-point group ``sqbench.codecs``."""


def families() -> dict[str, list[CodecEntry]]:
    """Every codec by its family, the first word of its name: ``dac-16k-500`` is of ``dac``."""
    found: dict[str, list[CodecEntry]] = {}
    for entry in CODECS:
        found.setdefault(entry.name.partition("-")[0], []).append(entry)
    return found


def load_codec(name: str, *, weights: str = "auto", device: str = "cpu") -> Codec:
    """Load the codec called ``name`` (a name, an alias, or ``file.py:Class``)."""
    return CODECS.get(name).load(weights=weights, device=device)
