"""ASV: equal error rate of speaker verification on decoded speech, both sides decoded.

By the protocol: the trials of VoxCeleb1-O (``veri_test2.txt``); a trial's score is the mean of the
cosine of whole utterances and the mean cosine of five crops against five; no score normalisation.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sqbench.data.base import Utterance
from sqbench.data.files import audio_files
from sqbench.data.slt import SLTSource
from sqbench.errors import InputError
from sqbench.statistics import N_BOOT, DrawCounts, Interval, interval
from sqbench.tasks.base import Clip, Estimate, Observed, Quantity, Task, TaskData, Trial, utterance
from sqbench.tasks.embeddings import unit, unpack
from sqbench.tasks.verification import Sweep, eer, eer_protocol, min_dcf, nearest

FOLDER = "vox1_test_wav"
TRIALS = "veri_test2.txt"
DIGITS = 6
"""Trial scores are rounded to so many decimals: beyond, cosines of float32 hold rounding only, and
equal embeddings would not tie."""


_HELD = 1 << 20
"""DrawCounts of trials held at a time, when intervals are made: 8 MB."""


class ASV(Task):
    """Observations hold ``whole`` and, by the protocol's front end, ``crops`` (embeddings)."""

    name = "asv"
    labels = ("speaker",)
    category = "speech"
    at_once = 2  # one clip of a speaker is in no trial of its own
    quantities = (
        Quantity(
            name="eer",
            title="EER",
            unit="%",
            direction="lower",
            meaning="equal error rate by the protocol's rule, 100 if all scores are equal",
            shown=True,
        ),
        Quantity(
            name="eer_interpolated",
            title="EER interp.",
            unit="%",
            direction="lower",
            meaning="where the ROC curve crosses the diagonal, 50 if all scores are equal",
            shown=True,
        ),
        Quantity(
            name="min_dcf",
            title="minDCF",
            unit="",
            direction="lower",
            meaning="smallest detection cost at a prior of 5 %",
        ),
    )

    def official(self, source: SLTSource) -> tuple[TaskData, dict[str, Utterance]]:
        """``vox1_test_wav`` with ``veri_test2.txt``, and lists ``tasks/asv_trials*.txt``.

        A line is ``label path path``: of the former relative to ``vox1_test_wav/wav``, of the
        latter (our extension) to the root.

        Raises:
            InputError: a line that is no trial, a file that is not there, audio without trials.
        """
        lists = {path.stem: (path, "") for path in _lists(source.root / "tasks")}
        for folder in (source.root, source.root / FOLDER):
            if (folder / TRIALS).is_file():
                lists[Path(TRIALS).stem] = (folder / TRIALS, f"{FOLDER}/wav/")
        if (source.root / FOLDER).is_dir() and Path(TRIALS).stem not in lists:
            raise InputError(
                str(source.root / FOLDER),
                expected=f"the list of trials beside it, {TRIALS}",
                found="none",
                remedy="Fetch it from the VoxCeleb site (VoxCeleb1, verification split).",
            )
        clips: dict[str, Clip] = {}
        found: dict[str, Utterance] = {}
        trials: dict[str, Sequence[Trial]] = {}
        on_disk: dict[str, dict[str, str]] = {}
        for name, (path, prefix) in lists.items():
            trials[name] = read_trials(path, prefix, source.root, on_disk)
            for trial in trials[name]:
                for clip in (trial.a, trial.b):
                    if clip not in clips:
                        found[clip] = utterance(source, clip, dataset=name, category="speech")
                        speaker = speaker_of(clip)
                        clips[clip] = Clip(id=clip, dataset=name, label=speaker, group=speaker)
        return TaskData(clips=clips, trials=trials), found

    def labelled(self, utterances: Iterable[Utterance]) -> tuple[TaskData, dict[str, Utterance]]:
        """Every pair of a speaker's clips, and as many pairs of two speakers, by `pairs`."""
        data, found = super().labelled(utterances)
        return TaskData(clips=data.clips, trials=pairs(data.clips.values())), found

    def selected(self, data: TaskData, ids: Iterable[str]) -> TaskData:
        """The clips, and the trials among them; of labelled clips, those that they make."""
        clips = super().selected(data, ids).clips
        if data.trials.keys() == {"pairs"} and len(clips) < len(data.clips):
            return TaskData(clips=clips, trials=pairs(clips.values()))
        trials = {
            name: [trial for trial in some if trial.a in clips and trial.b in clips]
            for name, some in data.trials.items()
        }
        return TaskData(clips=clips, trials=trials)

    def score(
        self,
        observed: Mapping[str, Observed],
        originals: Mapping[str, Observed],
        data: TaskData,
        *,
        n_boot: int = N_BOOT,
        seed: int = 0,
    ) -> dict[str, Estimate]:
        """Values of each list of trials, and their unweighted means."""
        embeddings = {name: Embedded(one) for name, one in observed.items() if name in data.clips}
        lists = {
            name: _List([t for t in some if t.a in embeddings and t.b in embeddings], embeddings)
            for name, some in data.trials.items()
        }
        expected = sum(len(some) for some in data.trials.values())
        n = sum(len(one.trials) for one in lists.values())
        found = {}
        for quantity in self.quantities:
            parts = {name: one.value(quantity.name) for name, one in lists.items()}
            values = [value for value in parts.values() if value is not None]
            # Of part of the lists there would be a mean of something else.
            whole = math.fsum(values) / len(values) if len(values) == len(parts) > 0 else None
            found[quantity.name] = Estimate(
                value=whole,
                interval=_interval(lists, data, quantity.name, whole, n_boot, seed),
                n=n,
                expected=expected,
                parts=parts,
            )
        return found


class Embedded:
    """A clip's embeddings, each of length one."""

    def __init__(self, observed: Observed) -> None:
        self.whole = unit(unpack(observed["whole"]))
        self.crops = unit(unpack(observed["crops"])) if "crops" in observed else None

    def score(self, other: Embedded) -> float:
        """The score of a trial: the cosine, averaged with that of the crops if there are any."""
        value = float(self.whole @ other.whole)
        if self.crops is not None and other.crops is not None:
            value = (value + float(np.mean(self.crops @ other.crops.T))) / 2
        return round(value, DIGITS)


class _List:
    """A list of trials, scored."""

    def __init__(self, trials: Sequence[Trial], embeddings: Mapping[str, Embedded]) -> None:
        self.trials = trials
        self.scores = np.array([embeddings[t.a].score(embeddings[t.b]) for t in trials])
        self.labels = np.array([t.target for t in trials], dtype=np.bool_)
        self.both = bool(self.labels.any() and (~self.labels).any())
        self.sweep = Sweep(self.scores, self.labels) if trials else None

    def value(self, quantity: str) -> float | None:
        if self.sweep is None or not self.both:
            return None
        if quantity == "eer":
            return 100.0 * eer_protocol(self.scores, self.labels)
        curve = self.sweep.curve()
        return 100.0 * float(eer(curve)[0]) if quantity != "min_dcf" else min_dcf(curve)

    def resampled(self, weights: DrawCounts, quantity: str) -> NDArray[np.float64]:
        """Rates in percent, of weights ``[resamples, trials]``."""
        assert self.sweep is not None
        return 100.0 * (nearest if quantity == "eer" else eer)(self.sweep.curve(weights))


def _interval(
    lists: Mapping[str, _List],
    data: TaskData,
    quantity: str,
    value: float | None,
    n_boot: int,
    seed: int,
) -> Interval:
    """Speakers are drawn, in all lists at once; a trial counts as often as both of its speakers."""
    if value is None:
        return Interval(low=None, high=None, reason="a list without trials of both kinds")
    if quantity == "min_dcf":
        return Interval(low=None, high=None, reason="not computed for the detection cost")
    trials = [trial for one in lists.values() for trial in one.trials]
    used = sorted({clip for trial in trials for clip in (trial.a, trial.b)})
    place = {clip: index for index, clip in enumerate(used)}

    def rates(weights: DrawCounts) -> NDArray[np.float64]:
        total = np.zeros(len(weights))
        for one in lists.values():
            a = np.array([place[t.a] for t in one.trials])
            b = np.array([place[t.b] for t in one.trials])
            # A speaker's own trials count once each time it is drawn.
            both = np.where(one.labels, weights[:, a], weights[:, a] * weights[:, b])
            total += one.resampled(both, quantity)
        return total / len(lists)

    speakers = [data.clips[clip].group for clip in used]
    held = max(1, _HELD // len(trials))

    def in_parts(weights: DrawCounts) -> NDArray[np.float64]:
        parts = range(0, len(weights), held)
        return np.concatenate([rates(weights[i : i + held]) for i in parts])

    return interval(speakers, in_parts, n_boot=n_boot, seed=seed, unit="speakers")


MOST = 50_000
"""Trials of each kind on labelled clips; of more, so many are taken at equal steps."""


def pairs(clips: Iterable[Clip]) -> dict[str, Sequence[Trial]]:
    """Trials of clips with a speaker: every pair of one speaker, and as many of two.

    The latter are taken at equal steps from all pairs in order of their ids, so that every
    speaker meets every other; so are the former where there are more than `MOST`. A speaker with
    one clip takes part in the latter only. Memory does not grow with the number of pairs.
    """
    ordered = sorted(clips, key=lambda clip: clip.id)
    labels = np.unique([clip.label for clip in ordered], return_inverse=True)[1]
    same, other = _Pairs(labels, same=True), _Pairs(labels, same=False)
    count = min(same.total, other.total, MOST)
    trials = [
        Trial(target, ordered[a].id, ordered[b].id)
        for target, of in ((True, same), (False, other))
        for a, b in of.at_steps(min(same.total, MOST) if target else count)
    ]
    return {"pairs": trials} if count else {}


class _Pairs:
    """All pairs ``(i, j)``, i before j, of equal or of different labels, by their rank."""

    def __init__(self, labels: NDArray[np.intp], *, same: bool) -> None:
        self.labels, self.same = labels, same
        n = len(labels)
        after = np.zeros(n, np.int64)  # clips of the same label behind each
        for label in range(int(labels.max(initial=-1)) + 1):
            of = np.flatnonzero(labels == label)
            after[of] = np.arange(len(of))[::-1]
        rows = after if same else np.arange(n)[::-1] - after
        self.ends = np.cumsum(rows)
        self.total = int(self.ends[-1]) if n else 0

    def at_steps(self, count: int) -> Iterator[tuple[int, int]]:
        """``count`` of them at equal steps, in order."""
        if not count:
            return
        ranks = np.arange(count, dtype=np.int64) * self.total // count
        firsts = np.searchsorted(self.ends, ranks, side="right")
        rows, starts = np.unique(firsts, return_index=True)
        for first, of_row in zip(rows, np.split(ranks, starts[1:]), strict=True):
            equal = self.labels[first + 1 :] == self.labels[first]
            seconds = first + 1 + np.flatnonzero(equal if self.same else ~equal)
            begin = self.ends[first] - len(seconds)
            for rank in of_row:
                yield int(first), int(seconds[rank - begin])


def speaker_of(name: str) -> str:
    """The speaker of a file in one of the official layouts.

    RAVDESS writes the actor last in the file's name, VoxCeleb and LibriSpeech have a folder for
    each speaker two levels above the file.
    """
    parts = name.split("/")
    if parts[0] == "RAVDESS":
        return f"ravdess-{parts[-1].rpartition('.')[0].rpartition('-')[2]}"
    return parts[-3] if len(parts) >= 3 else name


def _lists(folder: Path) -> list[Path]:
    return sorted(folder.glob("asv_trials*.txt")) if folder.is_dir() else []


def read_trials(
    path: Path, prefix: str, root: Path, on_disk: dict[str, dict[str, str]]
) -> list[Trial]:
    """The trials of a list, paths with ``prefix`` before them; a file may have another extension.

    Args:
        on_disk: filled in: top folder to what is in it, name without extension to name.
    """

    def there(name: str, line: int) -> str:
        top = name.split("/")[0]
        if top not in on_disk:
            names = audio_files(root / top) if (root / top).is_dir() else []
            on_disk[top] = {f"{top}/{n}".rpartition(".")[0]: f"{top}/{n}" for n in names}
        stem = name.rpartition(".")[0]
        if stem not in on_disk[top]:
            raise InputError(f"{path}, line {line}", expected=f"a file {name}", found="none")
        return on_disk[top][stem]

    trials = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        parts = line.split()
        if not parts:
            continue
        if len(parts) != 3 or parts[0] not in ("0", "1"):
            raise InputError(
                f"{path}, line {number}", expected="'0 path path' or '1 path path'", found=line
            )
        a, b = (there(prefix + part, number) for part in parts[1:])
        trials.append(Trial(parts[0] == "1", a, b))
    return trials
