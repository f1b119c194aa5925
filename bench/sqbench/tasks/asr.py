"""ASR: word error rate of a recogniser on decoded speech.

By the protocol: LibriSpeech test-clean and test-other, pooled; Whisper's English normaliser on
hypothesis and reference; all edits over all words, in percent. Beside it the same against what the
recogniser heard in the original (dWER): what the codec did to the words, without the words that the
recogniser misses anyway.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sqbench.data.base import Utterance
from sqbench.data.files import audio_files
from sqbench.data.slt import SLTSource
from sqbench.errors import InputError
from sqbench.statistics import N_BOOT, DrawCounts, Interval, interval
from sqbench.tasks.base import Clip, Estimate, Observed, Quantity, Task, TaskData, utterance
from sqbench.tasks.words import Edits, edits, normaliser

FOLDER = "LibriSpeech"

_Statistic = Callable[[DrawCounts], NDArray[np.float64]]


class ASR(Task):
    """Observations hold ``hypothesis``; judged, also ``text`` and ``reference`` (normalised),
    ``edits`` and ``words``."""

    name = "asr"
    labels = ("text",)
    category = "speech"
    quantities = (
        Quantity(
            name="wer",
            title="WER",
            unit="%",
            direction="lower",
            meaning="word error rate, all edits over all words",
            shown=True,
        ),
        Quantity(
            name="dwer",
            title="dWER",
            unit="%",
            direction="lower",
            meaning="word error rate against the words heard in the original",
            shown=True,
        ),
        Quantity(
            name="word_edits",
            title="Word edits",
            unit="",
            direction="lower",
            meaning="edits per utterance",
        ),
    )

    def official(self, source: SLTSource) -> tuple[TaskData, dict[str, Utterance]]:
        """``LibriSpeech/<split>/<speaker>/<chapter>/*`` with a ``.trans.txt`` in each chapter.

        Raises:
            InputError: a file without transcript, or a transcript without file.
        """
        root = source.root / FOLDER
        if not root.is_dir():
            return TaskData(clips={}), {}
        clips: dict[str, Clip] = {}
        found: dict[str, Utterance] = {}
        texts = _transcripts(source)
        for name in audio_files(root):
            parts = name.split("/")
            stem = parts[-1].rpartition(".")[0]
            if stem not in texts:
                raise InputError(
                    str(root / name), expected="a transcript in its chapter", found="none"
                )
            clip = utterance(source, f"{FOLDER}/{name}", dataset=parts[0], category="speech")
            found[clip.id] = clip
            clips[clip.id] = Clip(
                id=clip.id,
                dataset=parts[0],
                label=texts.pop(stem),
                group=stem.partition("-")[0],
            )
        if texts:
            missing = sorted(texts)
            raise InputError(
                str(root),
                expected="a file for every transcript",
                found=f"none for {len(missing)} of them ({missing[0]})",
            )
        return TaskData(clips=clips), found

    def judgement_of(self, clip: Clip) -> str:
        return clip.label

    def judge(self, observed: Observed, clip: Clip) -> dict[str, Any]:
        normalise = normaliser()
        text, reference = normalise(observed["hypothesis"]), normalise(clip.label)
        count = edits(reference, text)
        return {
            **observed,
            "text": text,
            "reference": reference,
            "edits": count.edits,
            "words": count.words,
        }

    def score(
        self,
        observed: Mapping[str, Observed],
        originals: Mapping[str, Observed],
        data: TaskData,
        *,
        n_boot: int = N_BOOT,
        seed: int = 0,
    ) -> dict[str, Estimate]:
        def against(references: Mapping[str, Edits]) -> _Counts:
            names = sorted(references)
            return _Counts(
                names=names,
                sets=[data.clips[name].dataset for name in names],
                edits=np.array([references[name].edits for name in names], dtype=np.float64),
                words=np.array([references[name].words for name in names], dtype=np.float64),
                expected=len(data.clips),
            )

        truth = against({n: Edits(one["edits"], one["words"]) for n, one in observed.items()})
        changed, left_out = _changed(observed, originals)
        found = {
            "wer": truth.rate(n_boot, seed),
            "dwer": replace(against(changed).rate(n_boot, seed), left_out=left_out),
            "word_edits": truth.mean(n_boot, seed),
        }
        if found["dwer"].value is None and left_out:
            reason = "; ".join(left_out)
            nothing = Interval(low=None, high=None, reason=reason)
            found["dwer"] = replace(found["dwer"], interval=nothing)
        return found


@dataclass(frozen=True, kw_only=True)
class _Counts:
    """Edits and words of the reference by utterance, and the statistics of them all."""

    names: Sequence[str]
    sets: Sequence[str]
    edits: NDArray[np.float64]
    words: NDArray[np.float64]
    expected: int

    def rate(self, n_boot: int, seed: int) -> Estimate:
        """All edits over all words, in percent."""

        def statistic(weights: DrawCounts) -> NDArray[np.float64]:
            with np.errstate(invalid="ignore", divide="ignore"):
                return np.asarray(100.0 * (weights @ self.edits) / (weights @ self.words))

        return self._estimate(statistic, n_boot, seed)

    def mean(self, n_boot: int, seed: int) -> Estimate:
        """Edits of an utterance."""

        def statistic(weights: DrawCounts) -> NDArray[np.float64]:
            return np.asarray((weights @ self.edits) / weights.sum(axis=1))

        return self._estimate(statistic, n_boot, seed)

    def _estimate(self, statistic: _Statistic, n_boot: int, seed: int) -> Estimate:
        n = len(self.names)
        if not self.words.sum():
            reason = "no word in the references" if n else "no observation"
            nothing = Interval(low=None, high=None, reason=reason)
            return Estimate(value=None, interval=nothing, n=n, expected=self.expected)
        sets = np.array(self.sets)
        return Estimate(
            value=float(statistic(np.ones((1, n)))[0]),
            interval=interval(self.names, statistic, n_boot=n_boot, seed=seed),
            n=n,
            expected=self.expected,
            parts={
                part: float(statistic((sets == part).astype(np.float64)[None])[0])
                for part in sorted(set(self.sets))
            },
        )


def _changed(
    observed: Mapping[str, Observed], originals: Mapping[str, Observed]
) -> tuple[dict[str, Edits], dict[str, int]]:
    """Edits against the words of the original, and why utterances have none, to how many."""
    changed: dict[str, Edits] = {}
    left_out: Counter[str] = Counter()
    for name, one in observed.items():
        if name not in originals:
            left_out["the original was not heard"] += 1
        elif not originals[name]["text"]:
            left_out["no word was heard in the original"] += 1
        else:
            changed[name] = edits(originals[name]["text"], one["text"])
    return changed, dict(left_out)


def _transcripts(source: SLTSource) -> dict[str, str]:
    """Utterance name to transcript, of every ``*.trans.txt``."""
    texts: dict[str, str] = {}
    for path in sorted((source.root / FOLDER).rglob("*.trans.txt")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            name, _, text = line.strip().partition(" ")
            if name and not text:
                raise InputError(
                    f"{path}, line {number}", expected="a name and a transcript", found=repr(line)
                )
            if name:
                texts[name] = text
    return texts
