"""AEC: accuracy of audio event classification on decoded sound.

By the protocol: ESC-50, all clips, zero-shot; the truth is the column ``category`` of
``meta/esc50.csv``. Beside it the cosine between embeddings of a clip and of its original.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqbench.data.base import Utterance
from sqbench.data.files import audio_files
from sqbench.data.rows import read_rows
from sqbench.data.slt import SLTSource
from sqbench.errors import InputError
from sqbench.statistics import N_BOOT
from sqbench.tasks.accuracy import share
from sqbench.tasks.base import Clip, Estimate, Observed, Quantity, Task, TaskData, utterance
from sqbench.tasks.embeddings import unit, unpack

FOLDER = "ESC-50-master"


class AEC(Task):
    """Observations hold ``label``, ``posterior`` and, of an embedding model, ``embedding``."""

    name = "aec"
    labels = ("event", "category")
    category = "audio"
    quantities = (
        Quantity(
            name="aec_acc",
            title="AEC Acc",
            unit="%",
            direction="higher",
            meaning="accuracy of audio events",
            shown=True,
        ),
        Quantity(
            name="aec_agreement",
            title="AEC agreement",
            unit="%",
            direction="higher",
            meaning="predictions equal to that on the original",
        ),
        Quantity(
            name="aec_cosine",
            title="AEC cosine",
            unit="",
            direction="higher",
            meaning="likeness of a clip's embedding to the original's",
        ),
    )

    def official(self, source: SLTSource) -> tuple[TaskData, dict[str, Utterance]]:
        """``ESC-50-master/audio/*`` with ``meta/esc50.csv``.

        Raises:
            InputError: a file that the table does not name, or the other way round.
        """
        root = source.root / FOLDER
        if not root.is_dir():
            return TaskData(clips={}), {}
        table = root / "meta" / "esc50.csv"
        rows = {
            row.get("filename", "").rpartition(".")[0]: (line, row)
            for line, row in read_rows(table)
        }
        clips: dict[str, Clip] = {}
        found: dict[str, Utterance] = {}
        for name in audio_files(root / "audio"):
            line, row = rows.pop(name.rpartition(".")[0], (0, {}))
            if "category" not in row:
                raise InputError(
                    str(root / "audio" / name), expected=f"its category in {table}", found="none"
                )
            clip = utterance(source, f"{FOLDER}/audio/{name}", dataset="esc50", category="audio")
            found[clip.id] = clip
            clips[clip.id] = Clip(
                id=clip.id,
                dataset="esc50",
                label=row["category"],
                group=row.get("src_file", clip.id),
            )
        if rows:
            stem, (line, _) = next(iter(rows.items()))
            raise InputError(
                f"{table}, line {line}", expected=f"a file {stem} in audio/", found="none"
            )
        return TaskData(clips=clips), found

    def score(
        self,
        observed: Mapping[str, Observed],
        originals: Mapping[str, Observed],
        data: TaskData,
        *,
        n_boot: int = N_BOOT,
        seed: int = 0,
    ) -> dict[str, Estimate]:
        def right(truth: Mapping[str, str]) -> dict[str, float]:
            return {n: float(o["label"] == truth[n]) for n, o in observed.items() if n in truth}

        alike = {
            name: float(unit(unpack(one["embedding"])) @ unit(unpack(originals[name]["embedding"])))
            for name, one in observed.items()
            if "embedding" in one and "embedding" in originals.get(name, {})
        }
        total = len(data.clips)
        return {
            "aec_acc": share(
                right({name: clip.label for name, clip in data.clips.items()}),
                total,
                n_boot=n_boot,
                seed=seed,
            ),
            "aec_agreement": share(
                right({name: one["label"] for name, one in originals.items()}),
                total,
                n_boot=n_boot,
                seed=seed,
            ),
            "aec_cosine": share(alike, total, n_boot=n_boot, seed=seed, percent=False),
        }
