"""The metric registry: names to metrics, without importing what a metric needs.

Third parties add metrics through the entry-point group ``sqbench.metrics``, or a user names a
local file (``./my_metric.py:MyMetric``); each gives a subclass of `sqbench.metrics.base.Metric`
whose ``name`` is not taken.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqbench.errors import InputError
from sqbench.metrics.base import Metric
from sqbench_codecs.registry import Registry, resolve

SIGNAL = ("sdr", "mel", "stoi", "pesq")
"""The protocol's four, in the order of its table."""


@dataclass(frozen=True, kw_only=True)
class MetricEntry:
    """One metric in the registry.

    Attributes:
        name: its name; equal to that of the class.
        target: ``"module:Class"`` of a `Metric`, or the class itself (third parties).
        summary: a few words for listings.
        aliases: other names.
        origin: what identifies a third party's code; empty for the project's own.
    """

    name: str
    target: str | type[Metric]
    summary: str = ""
    aliases: tuple[str, ...] = ()
    origin: Mapping[str, str] = field(default_factory=dict)

    def load(self) -> Metric:
        """Import and build the metric.

        Raises:
            InputError: the class has another name (records would be filed under that).
        """
        found = resolve(self.target) if isinstance(self.target, str) else self.target
        metric: Metric = found()
        if metric.name != self.name:
            raise InputError(
                f"metric {self.name!r}", expected="a class of that name", found=repr(metric.name)
            )
        metric.origin = dict(self.origin)
        return metric


def _builtin() -> Iterable[MetricEntry]:
    for name, target, summary, aliases in (
        ("sdr", "sdr:SDR", "signal-to-distortion ratio, dB, higher is better", ()),
        ("mel", "mel:MEL", "mel-spectrogram distance, lower is better", ("mel_loss",)),
        ("stoi", "stoi:STOI", "intelligibility by the protocol's own code", ()),
        ("pesq", "pesq:PESQ", "wideband MOS-LQO, engine told 16 kHz at any rate", ()),
        ("pesq-resampled", "pesq:ResampledPESQ", "wideband MOS-LQO, resampled to 16 kHz", ()),
        ("stoi-pystoi", "variants:PystoiSTOI", "intelligibility by pystoi", ()),
        ("estoi", "variants:ExtendedSTOI", "extended STOI by pystoi", ()),
        ("si-sdr", "variants:SISDR", "scale-invariant SDR, dB, higher is better", ()),
        ("sdr-mir_eval", "variants:MirEvalSDR", "SDR by mir_eval itself (slow)", ()),
    ):
        yield MetricEntry(
            name=name, target=f"sqbench.metrics.{target}", summary=summary, aliases=aliases
        )


def _adopt(found: object, name: str, origin: dict[str, str]) -> MetricEntry:
    if isinstance(found, MetricEntry):
        return replace(found, origin={**origin, **found.origin})
    if not (inspect.isclass(found) and issubclass(found, Metric)):
        raise InputError(
            f"metric {name!r}",
            expected="a subclass of sqbench.metrics.base.Metric or a MetricEntry",
            found=repr(found),
        )
    lacking = [key for key in ("name", "version", "direction", "bounds") if not hasattr(found, key)]
    if lacking or inspect.isabstract(found):
        what = ", ".join(lacking) if lacking else "measure()"
        raise InputError(
            f"metric {name!r}",
            expected="class attributes name, version, direction and bounds, and measure()",
            found=f"no {what}",
        )
    summary = (inspect.getdoc(found) or "").partition("\n")[0]
    return MetricEntry(name=found.name, target=found, summary=summary, origin=origin)


METRICS: Registry[MetricEntry] = Registry("metric", "sqbench.metrics", _builtin, _adopt)
"""Every known metric."""

_loaded: dict[str, Metric] = {}


def get(name: str) -> Metric:
    """The metric called ``name``: a name, an alias, or ``file.py:Class``.

    Raises:
        InputError: there is none (suggests the nearest), or it is not a metric.
    """
    if name not in _loaded:
        entry = METRICS.get(name)
        if ".py:" in name and entry.name in METRICS.names():
            raise InputError(
                f"metric {name!r}",
                expected="a class with a name that is not taken",
                found=f"{entry.name!r}",
                remedy="Change its attribute `name`.",
            )
        _loaded[name] = entry.load()
    return _loaded[name]


def names() -> list[str]:
    """Every metric's name, the protocol's four first."""
    return METRICS.names()


def resolve_all(requested: Sequence[str]) -> list[Metric]:
    """The metrics called ``requested``, in order.

    Raises:
        InputError: a name is unknown, or two of them are one metric; none is asked for.
    """
    if isinstance(requested, str):
        raise InputError("metrics", expected="a list of names", found=f"the text {requested!r}")
    metrics = [get(name) for name in requested]
    seen: set[str] = set()
    for metric in metrics:
        if metric.name in seen:
            raise InputError("metrics", expected="each once", found=f"{metric.name} twice")
        seen.add(metric.name)
    if not metrics:
        raise InputError("metrics", expected="at least one", found="none")
    return metrics
