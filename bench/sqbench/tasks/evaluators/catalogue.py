"""Evaluators by name, the two choices of one for each task, and what each needs."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from sqbench.errors import InputError
from sqbench.tasks.catalogue import TASKS
from sqbench.tasks.evaluators.base import Evaluator, Setting, labelled
from sqbench.tasks.evaluators.clap_msclap import SETUP
from sqbench.tasks.evaluators.ecapa import REMEDY
from sqbench_codecs.extras import pip_line
from sqbench_codecs.registry import Registry, resolve

DEFAULT = "offline"


@dataclass(frozen=True, kw_only=True)
class EvaluatorEntry:
    """One evaluator in the registry.

    Attributes:
        name: of the class too.
        task: the task's name.
        target: ``"module:Class"`` of an `Evaluator`.
        summary: a few words for listings.
        modules: that must be importable.
        remedy: the line that gets what is missing.
        model: what it loads where nobody names anything else; empty if the package carries it.
        readiness_of: a check of its own (``"module:function"`` giving a text), for those that
            need more than modules.
    """

    name: str
    task: str
    target: str
    summary: str
    modules: tuple[str, ...] = ()
    remedy: str = ""
    model: str = ""
    readiness_of: str = ""
    aliases: tuple[str, ...] = ()

    def build(self, setting: Setting) -> Evaluator:
        """Import and make it.

        Raises:
            InputError: a package is missing.
        """
        if missing := self.missing():
            raise InputError(
                f"evaluator {self.name!r}",
                expected=f"the package{'s' * (len(missing) > 1)} {', '.join(missing)}",
                found="none",
                remedy=self.remedy,
            )
        evaluator: Evaluator = resolve(self.target)(setting)
        return evaluator

    def missing(self) -> list[str]:
        """Modules that are not installed."""
        return [name for name in self.modules if importlib.util.find_spec(name) is None]

    def readiness(self) -> str:
        """``ready``, ``ready (fetches MODEL)``, or what is missing and its cure."""
        if missing := self.missing():
            return f"needs {', '.join(missing)}: {self.remedy}"
        if self.readiness_of:
            check: Callable[[], str] = resolve(self.readiness_of)
            return check()
        return f"ready (fetches {self.model})" if self.model else "ready"


_HERE = "sqbench.tasks.evaluators"


def _builtin() -> Iterable[EvaluatorEntry]:
    offline = pip_line("offline")
    faster_whisper = ("faster_whisper", "whisper")
    yield EvaluatorEntry(
        name="faster-whisper-tiny.en",
        task="asr",
        target=f"{_HERE}.whisper_ctranslate2:WhisperTiny",
        summary="Whisper tiny.en, with weights from a package",
        modules=faster_whisper,
        remedy=offline,
        readiness_of=f"{_HERE}.whisper_ctranslate2:readiness_of_tiny",
    )
    yield EvaluatorEntry(
        name="pocketsphinx",
        task="asr",
        target=f"{_HERE}.sphinx:Sphinx",
        summary="small recogniser with its own acoustic model",
        modules=("pocketsphinx", "whisper"),
        remedy=offline,
    )
    yield EvaluatorEntry(
        name="resemblyzer",
        task="asv",
        target=f"{_HERE}.resemblyzer:Resemblyzer",
        summary="small speaker encoder with its own weights",
        modules=("resemblyzer",),
        remedy="pip install --no-deps Resemblyzer==0.1.4",
    )
    yield EvaluatorEntry(
        name="probe-emotion",
        task="er",
        target=f"{_HERE}.probes:EmotionProbe",
        summary="classifier trained on the original audio, speakers apart",
        modules=("sklearn",),
        remedy=pip_line("offline"),
    )
    yield EvaluatorEntry(
        name="probe-event",
        task="aec",
        target=f"{_HERE}.probes:EventProbe",
        summary="classifier trained on the original audio, recordings apart",
        modules=("sklearn",),
        remedy=pip_line("offline"),
    )
    asr = pip_line("asr")
    yield EvaluatorEntry(
        name="whisper-large-v3",
        task="asr",
        target=f"{_HERE}.whisper:Whisper",
        summary="the protocol's recogniser, cut at 30 s",
        modules=("whisper",),
        remedy=asr,
        model="large-v3",
    )
    yield EvaluatorEntry(
        name="whisper-large-v3-long",
        task="asr",
        target=f"{_HERE}.whisper:LongWhisper",
        summary="the same, utterances above 30 s heard to their end",
        modules=("whisper",),
        remedy=asr,
        model="large-v3",
    )
    yield EvaluatorEntry(
        name="faster-whisper-large-v3",
        task="asr",
        target=f"{_HERE}.whisper_ctranslate2:WhisperLarge",
        summary="the protocol's model by a faster engine",
        modules=faster_whisper,
        remedy=offline,
        model="Systran/faster-whisper-large-v3",
    )
    yield EvaluatorEntry(
        name="faster-whisper",
        task="asr",
        target=f"{_HERE}.whisper_ctranslate2:FasterWhisper",
        summary="any Whisper in CTranslate2's format",
        modules=faster_whisper,
        remedy=offline,
        readiness_of=f"{_HERE}.whisper_ctranslate2:readiness_of_any",
    )
    yield EvaluatorEntry(
        name="ecapa",
        task="asv",
        target=f"{_HERE}.ecapa:Ecapa",
        summary="the protocol's speaker encoder and front end",
        readiness_of=f"{_HERE}.ecapa:readiness",
        remedy=REMEDY,
    )
    yield EvaluatorEntry(
        name="ecapa-speechbrain",
        task="asv",
        target=f"{_HERE}.ecapa_speechbrain:SpeechBrainEcapa",
        summary="SpeechBrain's speaker encoder",
        modules=("speechbrain",),
        remedy="pip install speechbrain",
        model="speechbrain/spkrec-ecapa-voxceleb",
    )
    yield EvaluatorEntry(
        name="emotion2vec",
        task="er",
        target=f"{_HERE}.emotion2vec:Emotion2vec",
        summary="the protocol's emotion recogniser",
        modules=("funasr",),
        remedy=pip_line("er"),
        model="iic/emotion2vec_base_finetuned",
    )
    yield EvaluatorEntry(
        name="clap-2023",
        task="aec",
        target=f"{_HERE}.clap_msclap:MsClap",
        summary="the protocol's zero-shot classifier, in an environment of its own",
        model="microsoft/msclap",
        remedy=SETUP,
        readiness_of=f"{_HERE}.clap_msclap:readiness",
    )
    yield EvaluatorEntry(
        name="clap-laion",
        task="aec",
        target=f"{_HERE}.clap_transformers:TransformersClap",
        summary="another CLAP, by transformers",
        modules=("transformers",),
        remedy=pip_line("codecs"),
        model="laion/clap-htsat-unfused",
    )


def _adopt(found: object, name: str, origin: dict[str, str]) -> EvaluatorEntry:
    if not isinstance(found, EvaluatorEntry):
        raise InputError(f"evaluator {name!r}", expected="an EvaluatorEntry", found=repr(found))
    return found


EVALUATORS: Registry[EvaluatorEntry] = Registry("evaluator", "sqbench.evaluators", _builtin, _adopt)
"""Every known evaluator."""

CHOICES: Mapping[str, Mapping[str, str]] = {
    "offline": {
        "asr": "faster-whisper-tiny.en",
        "asv": "resemblyzer",
        "er": "probe-emotion",
        "aec": "probe-event",
    },
    "protocol": {
        "asr": "whisper-large-v3",
        "asv": "ecapa",
        "er": "emotion2vec",
        "aec": "clap-2023",
    },
}
"""``offline`` needs no hub and no download; ``protocol`` has the official models."""


@dataclass(frozen=True)
class Choice:
    """An evaluator for a task, and the source that a user named for it."""

    entry: EvaluatorEntry
    source: str | None = None

    @property
    def label(self) -> str:
        return labelled(self.entry.name, self.source)


def choose(text: str) -> dict[str, Choice]:
    """The evaluator of each task that ``--evaluators`` names.

    Args:
        text: ``offline``, ``protocol`` or ``task=name``, or several with commas between, of which
            the last has the word. ``name@SOURCE`` is a hub id or a local path for that evaluator.
            Tasks named alone are the only ones; after ``offline`` or ``protocol`` they replace.

    Raises:
        InputError: an unknown word, task or evaluator, or an evaluator of another task.
    """
    chosen: dict[str, Choice] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        task, equals, name = part.partition("=")
        if not equals:
            if part not in CHOICES:
                raise InputError(
                    f"--evaluators {part}",
                    expected=f"{', '.join(CHOICES)} or task=name",
                    found=repr(part),
                )
            for key, each in CHOICES[part].items():
                chosen[key] = Choice(EVALUATORS.get(each))
            continue
        if task not in TASKS:
            raise InputError(
                f"--evaluators {part}", expected=f"a task ({', '.join(TASKS)})", found=repr(task)
            )
        name, at, source = name.partition("@")
        entry = EVALUATORS.get(name)
        if entry.task != task:
            raise InputError(
                f"--evaluators {part}",
                expected=f"an evaluator of {task}",
                found=f"{name}, of {entry.task}",
            )
        chosen[task] = Choice(entry, source if at else None)
    if not chosen:
        raise InputError("--evaluators", expected="at least one", found="none")
    return {name: chosen[name] for name in TASKS if name in chosen}
