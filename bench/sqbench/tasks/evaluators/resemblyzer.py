"""Resemblyzer's speaker encoder (generalised end-to-end loss; Wan et al. 2018), with the weights
that its package carries.

The package's own loader needs modules that no longer install, and trims silence, which a codec
moves. Here its network is built and its weights are read; utterances are cut by
`sqbench.metrics.perceptual.voice_encoder`, as it does.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sqbench.errors import InputError
from sqbench.metrics.perceptual.voice_encoder import MELS, RATE, raised, windows
from sqbench.tasks.base import Clip
from sqbench.tasks.embeddings import pack
from sqbench.tasks.evaluators.base import Evaluator, Read, Setting, Waveform, file_sha256

if TYPE_CHECKING:
    import torch


class Resemblyzer(Evaluator):
    """Embeddings ``[256]``: the mean over windows, of length one."""

    task = "asv"
    name = "resemblyzer"
    sample_rate = RATE
    waveform_alone = True

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self._network: tuple[torch.nn.LSTM, torch.nn.Linear] | None = None

    @cached_property
    def _weights(self) -> Path:
        if self.setting.source is not None:
            path = Path(self.setting.source)
        else:
            spec = importlib.util.find_spec("resemblyzer")
            assert spec is not None, "the registry has looked"
            assert spec.origin is not None
            path = Path(spec.origin).parent / "pretrained.pt"
        if not path.is_file():
            raise InputError(str(path), expected="weights of Resemblyzer", found="no such file")
        return path

    @cached_property
    def identity(self) -> Mapping[str, Any]:
        return {"sha256": file_sha256(self._weights)}

    def load(self, read: Read) -> None:
        import torch

        lstm, linear = torch.nn.LSTM(MELS, 256, 3, batch_first=True), torch.nn.Linear(256, 256)
        try:
            state = torch.load(self._weights, map_location="cpu", weights_only=True)["model_state"]
            for part, prefix in ((lstm, "lstm."), (linear, "linear.")):
                part.load_state_dict(
                    {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
                )
        except (KeyError, RuntimeError, OSError, ValueError) as error:
            raise InputError(
                str(self._weights),
                expected="weights of Resemblyzer",
                found=f"{type(error).__name__}: {str(error).splitlines()[0]}",
            ) from error
        self._network = lstm.eval().to(self.setting.device), linear.eval().to(self.setting.device)

    def close(self) -> None:
        self._network = None

    def predict(self, waveforms: Sequence[Waveform], clips: Sequence[Clip]) -> list[dict[str, Any]]:
        return [{"whole": pack(self.embed(waveform))} for waveform in waveforms]

    def embed(self, waveform: Waveform) -> NDArray[np.float32]:
        """``[256]`` of ``[T]``."""
        import torch

        assert self._network is not None, "load() first"
        lstm, linear = self._network
        with torch.inference_mode():
            mels = torch.from_numpy(windows(raised(waveform))).to(self.setting.device)
            _, (hidden, _) = lstm(mels)
            each = torch.relu(linear(hidden[-1]))
            each = each / each.norm(dim=1, keepdim=True).clamp_min(1e-12)
            mean = each.mean(dim=0)
            whole: NDArray[np.float32] = (mean / mean.norm().clamp_min(1e-12)).cpu().numpy()
        return whole
