"""Probes: small classifiers trained, when the run begins, on the original audio of the source.

In the manner of SUPERB's probes, with nothing pretrained: statistics of the spectrum
(`sqbench.tasks.evaluators.features`), and linear discriminants with one covariance shrunk half way
to a sphere. A clip, original or decoded, is judged by classifiers that had none of its group
(speaker, recording) in training: the groups are dealt into folds, several times over, and the
posteriors averaged. Training clips are joined by copies with less bandwidth and more noise, so that
a codec is not judged by the loss of its upper band alone. Chosen on EmoDB and ESC-10 clips that no
embedded set holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sqbench.digest import digest
from sqbench.errors import InputError
from sqbench.tasks.base import Clip
from sqbench.tasks.evaluators.base import Evaluator, Read, Setting, Waveform
from sqbench.tasks.evaluators.features import RATE, features

FOLDS, DEALS, COPIES = 5, 3, 3
"""Folds of groups, how often they are dealt anew, altered copies of a training clip."""
SHRINKAGE = 0.5

Array = NDArray[np.float64]


class Probe(Evaluator):
    """What emotion and event probes share.

    Attributes:
        relative: whether features are taken relative to the mean of the group's original clips,
            which takes out the speaker's own voice.
        groups: what a group is, for errors.
    """

    sample_rate = RATE
    batch_size = 16
    relative: ClassVar[bool]
    groups: ClassVar[str]

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self._deals: list[_Deal] = []
        self._means: dict[str, Array] = {}
        self._classes: list[str] = []

    @cached_property
    def identity(self) -> Mapping[str, Any]:
        hashes = self.setting.hashes
        clips = self.setting.data.clips.values()
        trained = sorted([hashes[clip.id], clip.label, clip.group] for clip in clips)
        return {"trained_on": digest(trained), "clips": len(trained)}

    def load(self, read: Read) -> None:
        """Train.

        Raises:
            InputError: there are under two groups or classes.
        """
        clips, rows = self._training(read)
        self._classes = sorted({clip.label for clip in clips})
        groups = sorted({clip.group for clip in clips})
        if len(groups) < 2 or len(self._classes) < 2:
            raise InputError(
                f"evaluator {self.name}",
                expected=f"at least two {self.groups} and two classes to train on",
                found=f"{len(groups)} and {len(self._classes)}",
                remedy="Take more clips (a higher --limit).",
            )
        labels = np.array([self._classes.index(clip.label) for clip in clips])
        if self.relative:
            of_group = np.array([clip.group for clip in clips])
            self._means = {group: rows[of_group == group, 0].mean(axis=0) for group in groups}
            rows = rows - np.stack([self._means[clip.group] for clip in clips])[:, None]
        for deal in range(DEALS):
            fold_of = folds(clips, min(FOLDS, len(groups)), deal)
            fold = np.array([fold_of[clip.group] for clip in clips])
            models = [
                Discriminant(
                    rows[fold != out].reshape(-1, rows.shape[2]),
                    np.repeat(labels[fold != out], rows.shape[1]),
                    len(self._classes),
                )
                for out in range(fold.max() + 1)
            ]
            self._deals.append(_Deal(fold_of, models))

    def close(self) -> None:
        self._deals, self._means = [], {}

    def predict(self, waveforms: Sequence[Waveform], clips: Sequence[Clip]) -> list[dict[str, Any]]:
        return [self._judge(features(w), clip) for w, clip in zip(waveforms, clips, strict=True)]

    def _training(self, read: Read) -> tuple[list[Clip], Array]:
        """Clips that can be read, and their features ``[clips, 1 + copies, D]``."""
        clips, rows = [], []
        for clip in sorted(self.setting.data.clips.values(), key=lambda clip: clip.id):
            try:
                waveform = read(clip.id)
            except (InputError, OSError):
                continue  # its own observation will say why
            seed = int(self.setting.hashes[clip.id][:8] or "0", 16)
            copies = [altered(waveform, np.random.default_rng([seed, n])) for n in range(COPIES)]
            rows.append([features(waveform), *map(features, copies)])
            clips.append(clip)
        return clips, np.array(rows)

    def _judge(self, row: Array, clip: Clip) -> dict[str, Any]:
        row = row - self._means[clip.group] if self.relative else row
        posterior = np.mean(
            [deal.models[deal.fold_of[clip.group]].posterior(row) for deal in self._deals], axis=0
        )
        return {
            "label": self._classes[int(np.argmax(posterior))],
            "posterior": {
                name: round(float(p), 6) for name, p in zip(self._classes, posterior, strict=True)
            },
        }


class EmotionProbe(Probe):
    """Emotions (or styles) of speakers that were not in training."""

    task = "er"
    name = "probe-emotion"
    relative = True
    groups = "speakers"


class EventProbe(Probe):
    """Events of recordings that were not in training."""

    task = "aec"
    name = "probe-event"
    relative = False
    groups = "recordings"


class Discriminant:
    """Linear discriminants of standardised features, all classes taken to be equally likely.

    scikit-learn's, which weights the classes' covariances by their priors, and so must be told how
    frequent the classes are; that is taken out of the posteriors again.

    Args:
        rows: ``[n, D]``.
        labels: class of each, ``[n]``.
        classes: how many there are; some may not be in ``labels``, and are never chosen.
    """

    def __init__(self, rows: Array, labels: NDArray[np.intp], classes: int) -> None:
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
        from sklearn.preprocessing import StandardScaler

        self._classes = classes
        self._there = np.unique(labels)
        if len(self._there) > 1:  # of one class there is nothing to tell
            self._scaler = StandardScaler().fit(rows)
            self._model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=SHRINKAGE)
            self._model.fit(self._scaler.transform(rows), labels)

    def posterior(self, row: Array) -> Array:
        """Of ``[D]``: ``[classes]``, summing to one."""
        scores = np.full(self._classes, -np.inf)
        scores[self._there] = 0.0
        if len(self._there) > 1:
            logs = self._model.predict_log_proba(self._scaler.transform(row[None]))[0]
            scores[self._there] = logs - np.log(self._model.priors_)
        powers = np.exp(scores - scores.max())
        return np.asarray(powers / powers.sum())


@dataclass(frozen=True)
class _Deal:
    """A dealing of groups into folds, and the classifier for each fold."""

    fold_of: Mapping[str, int]
    models: Sequence[Discriminant]


def folds(clips: Sequence[Clip], count: int, seed: int) -> dict[str, int]:
    """Group to fold, every class spread over the folds as evenly as its groups allow.

    Large groups are dealt first, each to the fold that has least of its classes. scikit-learn's
    `StratifiedGroupKFold` refuses where every class has fewer clips than there are folds, as a
    ``--limit`` may leave it.
    """
    classes = {label: i for i, label in enumerate(sorted({clip.label for clip in clips}))}
    sizes: dict[str, NDArray[np.intp]] = {}
    for clip in clips:
        sizes.setdefault(clip.group, np.zeros(len(classes), np.intp))[classes[clip.label]] += 1
    order = np.random.default_rng(seed).permutation(sorted(sizes))
    held = np.zeros((count, len(classes)), np.intp)
    fold_of: dict[str, int] = {}
    for group in sorted(order.tolist(), key=lambda group: -int(sizes[group].sum())):
        crowding = (2 * held * sizes[group]).sum(axis=1)
        # Among equals the emptiest, so that no fold stays without clips.
        fold = int(np.lexsort((held.sum(axis=1), crowding))[0])
        fold_of[group] = fold
        held[fold] += sizes[group]
    return fold_of


def altered(waveform: Waveform, rng: np.random.Generator) -> Array:
    """A copy ``[T]``, more often than not with its upper band cut off, or with white noise."""
    x = np.asarray(waveform, np.float64)
    if rng.random() < 0.6:
        spectrum = np.fft.rfft(x)
        cut = np.exp(rng.uniform(np.log(2500.0), np.log(RATE / 2)))
        spectrum[np.fft.rfftfreq(len(x), 1 / RATE) > cut] = 0
        x = np.fft.irfft(spectrum, len(x))
    if rng.random() < 0.6:
        snr_db = rng.uniform(12.0, 45.0)
        power = np.mean(x**2) * 10 ** (-snr_db / 10)
        x = x + rng.standard_normal(len(x)) * np.sqrt(power)
    return x
