"""One metric of all codecs on all clips, side by side: what comparisons are made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sqbench.statistics import N_BOOT, draw_counts
from sqbench.store.row import ResultRow

Values = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """The values of a column of the table.

    Attributes:
        labels: of the rows.
        utterances: ids of the clips, by dataset.
        datasets: of each clip the place of its dataset, ascending, ``[clips]``.
        values: ``[rows, clips]``, NaN where there is none.
    """

    labels: tuple[str, ...]
    utterances: tuple[str, ...]
    datasets: NDArray[np.int64]
    values: Values = field(repr=False)


def matrix(rows: Sequence[ResultRow], key: str) -> Matrix:
    """A column's values of these rows; rows that were never measured by it are NaN throughout.

    Datasets that the published scripts would drop (``failures="drop"``) are in it: what is compared
    here is clips that both codecs have.
    """
    place: dict[tuple[str, str], int] = {}
    cells = [row.cells.get(key) for row in rows]
    clips: dict[str, dict[str, None]] = {}
    for cell in cells:
        for s in cell.sets if cell else ():
            clips.setdefault(s.dataset, {}).update(dict.fromkeys(s.utterances))
    names = sorted(clips)
    for name in names:
        for utterance in sorted(clips[name]):
            place[name, utterance] = len(place)
    values = np.full((len(rows), len(place)), np.nan)
    for i, cell in enumerate(cells):
        for s in cell.sets if cell else ():
            at = [place[s.dataset, utterance] for utterance in s.utterances]
            values[i, at] = s.values
    counts = [len(clips[name]) for name in names]
    return Matrix(
        labels=tuple(row.label for row in rows),
        utterances=tuple(utterance for _, utterance in place),
        datasets=np.repeat(np.arange(len(names)), counts),
        values=values,
    )


def macro_weights(datasets: NDArray[np.int64]) -> Values:
    """Weights of clips ``[n]`` whose sum is the unweighted mean over the datasets' means."""
    _, place, counts = np.unique(datasets, return_inverse=True, return_counts=True)
    weights: Values = (1.0 / (len(counts) * counts))[place] if len(counts) else np.zeros(0)
    return weights


def resampled(
    values: Values, datasets: NDArray[np.int64], *, n_boot: int = N_BOOT, seed: int = 0
) -> Values | None:
    """Macro means of the resamples that `sqbench.statistics.bootstrap` takes.

    Args:
        values: ``[rows, n]``, none of them NaN.
        datasets: of each clip ``[n]``, ascending.

    Returns:
        ``[n_boot, rows]``: every row is resampled alike. ``None`` where no dataset has two clips.
    """
    names = np.unique(datasets)
    means = np.zeros((n_boot, len(values)))
    spread = False
    for i, name in enumerate(names):
        some = values[:, datasets == name]
        spread = spread or some.shape[1] > 1
        means += draw_counts(some.shape[1], n_boot, seed, i) @ some.T / some.shape[1]
    return means / len(names) if spread else None
