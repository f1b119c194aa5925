"""emotion2vec by FunASR: the protocol's recogniser of emotions (Ma et al. 2023).

The challenge takes the class of the highest score by its place among nine; newer packages may give
fewer, so that here the classes' own names count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from sqbench.tasks.base import Clip
from sqbench.tasks.evaluators.base import Evaluator, Read, Setting, Waveform
from sqbench.tasks.evaluators.hub import Found, fetched, local, split
from sqbench.tasks.evaluators.whisper import release

MODEL = "iic/emotion2vec_base_finetuned@v2.0.4"
"""On ModelScope, at the protocol's revision."""

CLASSES = (
    "angry",
    "disgusted",
    "fearful",
    "happy",
    "neutral",
    "other",
    "sad",
    "surprised",
    "unknown",
)


class Emotion2vec(Evaluator):
    """Emotions. ``source`` is ``id@revision`` on ModelScope, or a folder in its layout."""

    task = "er"
    name = "emotion2vec"
    sample_rate = 16_000
    waveform_alone = True

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self._model: Any = None

    @cached_property
    def _found(self) -> Found:
        source = self.setting.source or MODEL
        if Path(source).is_dir():
            return local(Path(source), ("model.pt",), "emotion2vec")

        def fetch() -> Path:
            from modelscope.hub.snapshot_download import snapshot_download

            name, revision = split(source)
            return Path(snapshot_download(name, revision=revision))

        folder = fetched(fetch, source, "emotion2vec")
        return Found(folder, {"source": source, **local(folder, ("model.pt",), source).identity})

    @cached_property
    def identity(self) -> Mapping[str, Any]:
        return {**self._found.identity, "funasr": metadata.version("funasr")}

    def load(self, read: Read) -> None:
        def load() -> Path:
            from funasr import AutoModel

            # Without trust_remote_code, which would install what the model's folder asks for.
            self._model = AutoModel(
                model=str(self._found.folder), disable_update=True, device=self.setting.device
            )
            return self._found.folder

        fetched(load, str(self._found.folder), "emotion2vec")

    def close(self) -> None:
        self._model = None
        release(self.setting.device)

    def predict(self, waveforms: Sequence[Waveform], clips: Sequence[Clip]) -> list[dict[str, Any]]:
        found = []
        for waveform in waveforms:
            (heard,) = self._model.generate(
                np.asarray(waveform, np.float32),
                fs=self.sample_rate,
                granularity="utterance",
                extract_embedding=False,
                disable_pbar=True,
            )
            found.append(classified(heard["labels"], heard["scores"]))
        return found


def classified(labels: Sequence[str], scores: Sequence[float]) -> dict[str, Any]:
    """An observation of labels such as ``生气/angry``, ``<unk>`` being "unknown"."""
    names = [label.rpartition("/")[2].strip() for label in labels]
    names = ["unknown" if name == "<unk>" else name for name in names]
    strange = sorted(set(names) - set(CLASSES))
    if strange:
        raise ValueError(f"emotion2vec gives the classes {', '.join(strange)}, which nobody knows")
    best = int(np.argmax(scores))
    return {
        "label": names[best],
        "posterior": {n: round(float(p), 6) for n, p in zip(names, scores, strict=True)},
    }
