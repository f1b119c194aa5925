"""What a run writes while it trains: a line of JSON a step, and TensorBoard's files."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sqcodec.train.record import finite

logger = logging.getLogger(__name__)

LOG = "log.jsonl"
_RANGE_DB = 80.0


class Log:
    """``log.jsonl``: rows of kind ``step`` and ``report``, each with its ``step``.

    Args:
        folder: of the run.
        step: where the run stands; what an interrupted run logged beyond is dropped, since those
            steps are taken again.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self.path = folder / LOG
        if self.path.is_file():
            kept = [row for row in read_log(self.path) if row["step"] <= step]
            partial = self.path.with_suffix(".partial")
            partial.write_text("".join(json.dumps(row) + "\n" for row in kept), "utf-8")
            partial.replace(self.path)

    def write(self, kind: str, row: dict[str, Any]) -> None:
        """Append a row."""
        text = json.dumps({"kind": kind, **finite(row)}, allow_nan=False)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(text + "\n")


def read_log(path: Path) -> list[dict[str, Any]]:
    """Rows of a log; a last line that a killed run left unfinished is no row."""
    rows = []
    for line in path.read_text("utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            logger.warning("%s: an unfinished line is dropped", path)
    return rows


class Board:
    """TensorBoard's log of a run, if TensorBoard is installed.

    Scalars of every step and report; audio and spectrograms of one held-out crop a domain.
    """

    def __init__(self, folder: Path, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self._writer: Any = None
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            logger.warning("no TensorBoard log: pip install 'sqbench[train]' brings tensorboard")
            return
        self._writer = SummaryWriter(str(folder / "tensorboard"))

    def scalars(self, row: dict[str, Any]) -> None:
        """Every number of a row, at its step."""
        if self._writer is None:
            return
        for key, value in row.items():
            if isinstance(value, int | float) and key != "step":
                self._writer.add_scalar(key, value, row["step"])

    def pair(self, name: str, original: Tensor, decoded: Tensor, step: int) -> None:
        """An original and its reconstruction ``[T]`` to hear and to see."""
        if self._writer is None:
            return
        for kind, audio in (("original", original), ("decoded", decoded)):
            if kind == "original" and step > 0:
                continue  # it never changes
            self._writer.add_audio(f"{name}/{kind}", audio.cpu(), step, self.sample_rate)
            self._writer.add_image(f"{name}/{kind}", spectrogram_image(audio.cpu()), step)
        self._writer.flush()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


def spectrogram_image(audio: Tensor, size: int = 512) -> Tensor:
    """Audio ``[T]`` as a grey image ``[1, size / 2 + 1, frames]``, loud is dark, low is below."""
    window = torch.hann_window(size)
    spectrum = torch.stft(audio.float(), size, size // 4, window=window, return_complex=True).abs()
    level = 20.0 * spectrum.clamp_min(1e-7).log10()
    image: Tensor = ((level.max() - level) / _RANGE_DB).clamp(0.0, 1.0)
    return image.flip(0)[None]
