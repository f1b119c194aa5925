"""The metric registry: names to metrics, without importing what a metric needs.

Third parties add metrics through the entry-point group ``sqbench.metrics``, or a user names a
local file (``./my_metric.py:MyMetric``); each gives a subclass of `sqbench.metrics.base.Metric`
whose ``name`` is not taken.
"""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from sqbench.errors import InputError
from sqbench.metrics.base import Metric
from sqbench_codecs.extras import pip_line
from sqbench_codecs.registry import Registry, resolve

SIGNAL = ("sdr", "mel", "stoi", "pesq")
"""The protocol's four, in the order of its table."""


PERCEPTUAL = (
    "visqol", "visqol-speech", "dnsmos-sig", "dnsmos-bak", "dnsmos-ovrl", "dnsmos-p808",
    "distillmos", "utmos", "spk-sim", "f0-corr", "f0-rmse", "pesq-nb", "stft-distance",
    "mel-distance", "si-sdr-aligned", "delay", "gain",
)  # fmt: skip
"""What papers report beside the protocol, in the order of the table."""


@dataclass(frozen=True, kw_only=True)
class MetricEntry:
    """One metric in the registry.

    Attributes:
        name: its name; equal to that of the class.
        target: ``"module:Class"`` of a `Metric`, or the class itself (third parties).
        summary: a few words for listings.
        aliases: other names.
        modules: that must be importable.
        remedy: the line that installs them.
        title: its head in tables; its name in capitals if empty.
        group: of columns in tables.
        origin: what identifies a third party's code; empty for the project's own.
    """

    name: str
    target: str | type[Metric]
    summary: str = ""
    aliases: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    remedy: str = ""
    title: str = ""
    group: Literal["signal", "perceptual"] = "signal"
    origin: Mapping[str, str] = field(default_factory=dict)

    def missing(self) -> list[str]:
        """Modules that are not installed."""
        return [name for name in self.modules if importlib.util.find_spec(name) is None]

    def fetches(self) -> str:
        """The line that fetches its weights from the hub, where they are not in the cache yet."""
        weights: Any = getattr(self.load(), "weights", None)
        away = hasattr(weights, "at_hand") and not weights.at_hand()
        return str(weights.command) if away else ""

    def readiness(self) -> str:
        """``ready``, ``ready (fetches ...)``, or what is missing and its cure."""
        if missing := self.missing():
            return f"needs {', '.join(missing)}: {self.remedy}"
        command = self.fetches()
        return f"ready (fetches its weights: {command})" if command else "ready"

    def load(self) -> Metric:
        """Import and build the metric; what it needs is imported only when it measures.

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
    yield from _perceptual()


def _perceptual() -> Iterable[MetricEntry]:
    visqol, mos = pip_line("visqol"), pip_line("mos")
    speech_mos = ("speechmos", "onnxruntime")
    resemblyzer = "pip install --no-deps Resemblyzer==0.1.4"
    for name, target, title, summary, modules, remedy in (
        ("visqol", "perceptual.visqol:ViSQOL", "ViSQOL",
         "ViSQOL, audio mode at 48 kHz, support vector regression", ("visqol",), visqol),
        ("visqol-speech", "perceptual.visqol:ViSQOLSpeech", "ViSQOL speech",
         "ViSQOL, speech mode at 16 kHz, lattice network", ("visqol", "ai_edge_litert"), visqol),
        ("dnsmos-sig", "perceptual.dnsmos:DNSMOSSignal", "DNSMOS SIG",
         "DNSMOS P.835, speech itself; no reference", speech_mos, mos),
        ("dnsmos-bak", "perceptual.dnsmos:DNSMOSBackground", "DNSMOS BAK",
         "DNSMOS P.835, background; no reference", speech_mos, mos),
        ("dnsmos-ovrl", "perceptual.dnsmos:DNSMOSOverall", "DNSMOS OVRL",
         "DNSMOS P.835, overall; no reference", speech_mos, mos),
        ("dnsmos-p808", "perceptual.dnsmos:DNSMOSP808", "DNSMOS P.808",
         "DNSMOS P.808, overall; no reference", speech_mos, mos),
        ("distillmos", "perceptual.distillmos:DistillMOS", "DistillMOS",
         "DistillMOS, overall; no reference", ("distillmos", "xls_r_sqa", "torch"), mos),
        ("utmos", "perceptual.utmos:UTMOS", "UTMOS",
         "UTMOS, strong learner; no reference; weights from the hub",
         ("utmos_pytorch", "torch"), mos),
        ("spk-sim", "perceptual.speaker:SpeakerSimilarity", "Speaker sim.",
         "speaker similarity, cosine, Resemblyzer's encoder", ("resemblyzer",), resemblyzer),
        ("spk-sim-ecapa", "perceptual.speaker:EcapaSimilarity", "Speaker ECAPA",
         "the same by SpeechBrain's ECAPA-TDNN; weights from the hub", ("speechbrain",),
         "pip install speechbrain"),
        ("spk-sim-wavlm", "perceptual.speaker:WavLMSimilarity", "Speaker WavLM",
         "the same by WavLM-base-plus-sv; weights from the hub", ("transformers",),
         "pip install 'transformers>=5'"),
        ("f0-corr", "perceptual.pitch:F0Correlation", "F0 corr.",
         "correlation of pitch by Praat, both voiced", ("parselmouth",),
         pip_line("f0")),
        ("f0-rmse", "perceptual.pitch:F0RMSE", "F0 RMSE",
         "difference of pitch by Praat, Hz, both voiced", ("parselmouth",),
         pip_line("f0")),
        ("pesq-nb", "pesq:NarrowbandPESQ", "PESQ NB", "narrow-band MOS-LQO at 8 kHz", (), ""),
        ("stft-distance", "spectral:STFTDistance", "STFT distance",
         "distance of spectra as DAC defines it", (), ""),
        ("mel-distance", "spectral:MelDistance", "MEL distance",
         "distance of mel spectra as DAC defines it", (), ""),
        ("si-sdr-aligned", "alignment:AlignedSISDR", "SI-SDR aligned",
         "scale-invariant SDR, dB, delay taken out", (), ""),
        ("delay", "alignment:DelaySamples", "Delay", "samples that the estimate is late", (), ""),
        ("gain", "alignment:Gain", "Gain", "dB that the estimate is louder", (), ""),
    ):  # fmt: skip
        yield MetricEntry(
            name=name, target=f"sqbench.metrics.{target}", title=title, summary=summary,
            group="perceptual", modules=modules, remedy=remedy,
        )  # fmt: skip


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
        InputError: there is none (suggests the nearest), it is not a metric, or a package that it
            needs is missing.
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
        if missing := entry.missing():
            raise InputError(
                f"metric {name!r}",
                expected=f"the package{'s' * (len(missing) > 1)} {', '.join(missing)}",
                found="none",
                remedy=f"{entry.remedy}.",
            )
        # Several threads may have made one: all get the first.
        return _loaded.setdefault(name, entry.load())
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
