"""What a run writes while it trains: a line of JSON a step, and TensorBoard's files."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqcodec.train.record import finite

if TYPE_CHECKING:
    from torch import Tensor

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


_GROUPS = {
    "val_snr_db": "val", "val_": "metrics", "code_": "codes", "step_s": "time", "loader_": "time",
    "audio_s_per_s": "time", "seconds": "time", "skipped": "time",
}  # fmt: skip
"""Of TensorBoard, by how a number's name begins; all else belongs to the losses."""


def tag(name: str) -> str:
    """A number's name on the board: one of ``loss``, ``val``, ``metrics``, ``codes``, ``time``.

    Example:
        >>> [tag(name) for name in ("l1", "val_snr_db_music", "val_pesq", "code_usage", "step_s")]
        ['loss/l1', 'val/snr_db_music', 'metrics/pesq', 'codes/code_usage', 'time/step_s']
    """
    for start, group in _GROUPS.items():
        if name.startswith(start):
            return f"{group}/{name.removeprefix('val_')}"
    return f"loss/{name}"


class Board:
    """TensorBoard's log of a run, if TensorBoard is installed.

    Scalars of every step and report in five groups (`tag`), the recipe, and of one held-out clip a
    domain the audio and the spectrogram. Where it cannot be written, that is said once and the
    training goes on: ``log.jsonl`` has the numbers.
    """

    def __init__(self, folder: Path, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self._writer: Any = None
        self._of_steps: set[str] = set()
        self._hook = threading.excepthook
        try:
            from tensorboard.summary.writer.event_file_writer import _AsyncWriterThread
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            logger.warning("no TensorBoard log: it needs pip install tensorboard")
            return

        def quiet(failed: threading.ExceptHookArgs) -> None:
            # What ends TensorBoard's thread is raised again in ours, at the next call.
            if not isinstance(failed.thread, _AsyncWriterThread):
                self._hook(failed)

        threading.excepthook = quiet
        with self._writing():
            self._writer = SummaryWriter(str(folder / "tensorboard"))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:  # ValueError: its file is closed
            self._writer = None
            logger.warning("no more TensorBoard log (%s); log.jsonl goes on", error)

    def describe(self, recipe: Mapping[str, Any]) -> None:
        """The recipe, dotted keys with their values, as a table and as hyper-parameters."""
        if self._writer is None:
            return
        from torch.utils.tensorboard.summary import hparams

        plain = {
            key: v if isinstance(v, bool | int | float) else str(v) for key, v in recipe.items()
        }
        rows = "".join(f"| {key} | {value} |\n" for key, value in plain.items())
        with self._writing():
            self._writer.add_text("recipe", f"| key | value |\n|---|---|\n{rows}")
            summaries = hparams(plain, {"val/snr_db": 0})  # type: ignore[no-untyped-call]
            for summary in summaries:
                self._writer.file_writer.add_summary(summary)

    def step(self, row: dict[str, Any]) -> None:
        """The numbers of a step."""
        self._of_steps |= row.keys()
        self._scalars(row, set(row))

    def report(self, row: dict[str, Any]) -> None:
        """The numbers of a report but those that are means of the steps', which are there."""
        self._scalars(row, row.keys() - self._of_steps)

    def _scalars(self, row: dict[str, Any], names: set[str]) -> None:
        if self._writer is None:
            return
        with self._writing():
            for key, value in row.items():
                if key in names and key != "step" and isinstance(value, int | float):
                    self._writer.add_scalar(tag(key), value, row["step"])

    def pair(self, name: str, original: Tensor, decoded: Tensor, step: int) -> None:
        """An original and its reconstruction ``[T]`` to hear and to see."""
        if self._writer is None:
            return
        with self._writing():
            for kind, audio in (("original", original), ("decoded", decoded)):
                if kind == "original" and step > 0:
                    continue  # it never changes
                label = f"val/{name}_{kind}"
                self._writer.add_audio(label, audio.cpu(), step, self.sample_rate)
                self._writer.add_image(label, spectrogram_image(audio.cpu()), step)
            self._writer.flush()

    def close(self) -> None:
        if self._writer is not None:
            with self._writing():
                self._writer.close()
        threading.excepthook = self._hook


def spectrogram_image(audio: Tensor, size: int = 512) -> Tensor:
    """Audio ``[T]`` as a grey image ``[1, size / 2 + 1, frames]``, loud is dark, low is below."""
    import torch

    window = torch.hann_window(size)
    spectrum = torch.stft(audio.float(), size, size // 4, window=window, return_complex=True).abs()
    level = 20.0 * spectrum.clamp_min(1e-7).log10()
    image: Tensor = ((level.max() - level) / _RANGE_DB).clamp(0.0, 1.0)
    return image.flip(0)[None]
