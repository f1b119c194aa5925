"""ASR: word error rate of a recogniser on decoded speech.

By the protocol: LibriSpeech test-clean and test-other, pooled; Whisper's English normaliser on
hypothesis and reference; all edits over all words, in percent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sqbench.data.base import Utterance
from sqbench.data.files import audio_files
from sqbench.data.slt import SLTSource
from sqbench.errors import InputError
from sqbench.statistics import N_BOOT, DrawCounts, Interval, interval
from sqbench.tasks.base import Clip, Estimate, Observed, Quantity, Task, TaskData, utterance
from sqbench.tasks.words import edits, normaliser

FOLDER = "LibriSpeech"


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
        names = sorted(observed)
        wrong = np.array([observed[name]["edits"] for name in names], dtype=np.float64)
        words = np.array([observed[name]["words"] for name in names], dtype=np.float64)
        sets = np.array([data.clips[name].dataset for name in names])

        def rate(weights: DrawCounts) -> np.ndarray:
            with np.errstate(invalid="ignore", divide="ignore"):
                return np.asarray(100.0 * (weights @ wrong) / (weights @ words))

        def mean(weights: DrawCounts) -> np.ndarray:
            return np.asarray((weights @ wrong) / weights.sum(axis=1))

        found = {}
        for quantity, statistic in zip(self.quantities, (rate, mean), strict=True):
            if not words.sum():
                reason = "no observation" if not names else "no word in the references"
                value, spread = None, Interval(low=None, high=None, reason=reason)
            else:
                value = float(statistic(np.ones((1, len(names))))[0])
                spread = interval(names, statistic, n_boot=n_boot, seed=seed)
            found[quantity.name] = Estimate(
                value=value,
                interval=spread,
                n=len(names),
                expected=len(data.clips),
                parts={
                    part: float(statistic((sets == part).astype(np.float64)[None])[0])
                    for part in sorted(set(sets.tolist()))
                }
                if value is not None
                else {},
            )
        return found


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
