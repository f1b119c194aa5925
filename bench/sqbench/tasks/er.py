"""ER: accuracy of emotion recognition on decoded speech.

By the protocol: RAVDESS, the truth being the part of the file's name before the first ``-``; a
prefix that is none of the recogniser's classes is always wrong. The same by the emotion that the
original file names hold (their third number) stands beside it, under a name of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from sqbench.data.base import Utterance
from sqbench.data.files import audio_files
from sqbench.data.slt import SLTSource
from sqbench.statistics import N_BOOT
from sqbench.tasks.accuracy import share
from sqbench.tasks.base import Clip, Estimate, Observed, Quantity, Task, TaskData, utterance

FOLDER = "RAVDESS/ravdess"
EMOTIONS = {
    "01": "neutral",
    "02": "calm",
    "03": "happy",
    "04": "sad",
    "05": "angry",
    "06": "fearful",
    "07": "disgusted",
    "08": "surprised",
}
"""RAVDESS's third number, in the words of the recogniser's classes; it has none for "calm"."""

_ORIGINAL = re.compile(r"(?:^|-)(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)$")


class ER(Task):
    """Observations hold ``label`` (the predicted class) and ``posterior`` (by class)."""

    name = "er"
    labels = ("emotion", "style")
    category = "speech"
    quantities = (
        Quantity(
            name="er_acc",
            title="ER Acc",
            unit="%",
            direction="higher",
            meaning="accuracy of emotions",
            shown=True,
        ),
        Quantity(
            name="er_acc_by_name",
            title="ER Acc by name",
            unit="%",
            direction="higher",
            meaning="accuracy against the emotion in the original file names",
        ),
        Quantity(
            name="er_agreement",
            title="ER agreement",
            unit="%",
            direction="higher",
            meaning="predictions equal to that on the original",
        ),
    )

    def official(self, source: SLTSource) -> tuple[TaskData, dict[str, Utterance]]:
        """``RAVDESS/ravdess/*``, flat."""
        root = source.root / FOLDER
        clips: dict[str, Clip] = {}
        found: dict[str, Utterance] = {}
        for name in audio_files(root) if root.is_dir() else []:
            stem = name.rpartition("/")[2].rpartition(".")[0]
            original = _ORIGINAL.search(stem)
            clip = utterance(source, f"{FOLDER}/{name}", dataset="ravdess", category="speech")
            found[clip.id] = clip
            clips[clip.id] = Clip(
                id=clip.id,
                dataset="ravdess",
                label=stem.partition("-")[0],
                group=f"ravdess-{original[7]}" if original else clip.id,
                alternative=EMOTIONS.get(original[3], "") if original else "",
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
        by_name = {name: c.alternative for name, c in data.clips.items() if c.alternative}
        truths = {
            "er_acc": {name: clip.label for name, clip in data.clips.items()},
            "er_acc_by_name": by_name,
            "er_agreement": {name: one["label"] for name, one in originals.items()},
        }
        return {
            quantity: share(
                {
                    name: float(one["label"] == truth[name])
                    for name, one in observed.items()
                    if name in truth
                },
                len(by_name) if quantity == "er_acc_by_name" else len(data.clips),
                n_boot=n_boot,
                seed=seed,
            )
            for quantity, truth in truths.items()
        }
