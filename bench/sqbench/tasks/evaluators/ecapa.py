"""ECAPA-TDNN as the protocol scores with it: the whole utterance, and five crops of it.

The checkpoint is ``exps/pretrain.model`` of TaoRuijie/ECAPA-TDNN, a file that a user names:
``asv=ecapa@pretrain.model``. It holds a classifier of training speakers too, which is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sqbench.errors import InputError
from sqbench.tasks.base import Clip
from sqbench.tasks.embeddings import pack, unit
from sqbench.tasks.evaluators.base import Evaluator, Read, Setting, Waveform, file_sha256
from sqbench.tasks.evaluators.whisper import release

if TYPE_CHECKING:
    from sqbench.tasks.evaluators.ecapa_network import EcapaTdnn

CROP = 300 * 160 + 240
"""Samples of a crop: 300 frames."""
CROPS = 5
_PREFIX = "speaker_encoder."
REMEDY = (
    "Fetch exps/pretrain.model of github.com/TaoRuijie/ECAPA-TDNN, and give "
    "--evaluators asv=ecapa@pretrain.model"
)


def readiness() -> str:
    """There is no package or hub with the checkpoint."""
    return "needs a checkpoint, named by the user"


class Ecapa(Evaluator):
    """Embeddings ``whole`` ``[192]`` and ``crops`` ``[5, 192]``, of length one."""

    task = "asv"
    name = "ecapa"
    sample_rate = 16_000
    waveform_alone = True

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self._network: EcapaTdnn | None = None

    @cached_property
    def _path(self) -> Path:
        source = self.setting.source
        if source is None or not Path(source).is_file():
            raise InputError(
                f"evaluator {self.name!r}",
                expected="its checkpoint",
                found="none named" if source is None else f"no file {source}",
                remedy=f"{REMEDY}.",
            )
        return Path(source)

    @cached_property
    def identity(self) -> Mapping[str, Any]:
        return {"sha256": file_sha256(self._path)}

    def load(self, read: Read) -> None:
        import torch

        from sqbench.tasks.evaluators.ecapa_network import EcapaTdnn

        try:
            saved = torch.load(self._path, map_location="cpu", weights_only=True)
            state = {
                name.removeprefix("module.").removeprefix(_PREFIX): tensor
                for name, tensor in saved.items()
                if name.removeprefix("module.").startswith(_PREFIX)
            }
            network = EcapaTdnn(channels=state["conv1.weight"].shape[0])
            network.load_state_dict(state)
        except Exception as error:  # whatever a file can be instead
            raise InputError(
                str(self._path),
                expected="a checkpoint of TaoRuijie/ECAPA-TDNN",
                found=f"{type(error).__name__}: {str(error).splitlines()[0]}",
            ) from error
        self._network = network.eval().to(self.setting.device)

    def close(self) -> None:
        self._network = None
        release(self.setting.device)

    def predict(self, waveforms: Sequence[Waveform], clips: Sequence[Clip]) -> list[dict[str, Any]]:
        return [
            {
                "whole": pack(self._embed(waveform[None])[0]),
                "crops": pack(self._embed(crops(waveform))),
            }
            for waveform in waveforms
        ]

    def _embed(self, batch: Waveform) -> np.ndarray:
        """``[B, 192]`` of ``[B, T]``."""
        import torch

        assert self._network is not None, "load() first"
        with torch.inference_mode():
            audio = torch.from_numpy(np.ascontiguousarray(batch)).to(self.setting.device)
            return unit(self._network(audio).cpu().numpy())


def crops(waveform: Waveform) -> Waveform:
    """Five crops ``[5, 48240]`` at equal steps; a shorter utterance is repeated to fill one."""
    if len(waveform) <= CROP:
        waveform = np.pad(waveform, (0, CROP - len(waveform)), "wrap")
    starts = np.linspace(0, len(waveform) - CROP, CROPS)
    return np.stack([waveform[int(start) : int(start) + CROP] for start in starts])
