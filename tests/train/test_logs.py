"""What a run writes while it trains, where it cannot be written."""

from __future__ import annotations

import errno
import logging
import threading
from pathlib import Path

import pytest
import torch

from sqcodec.train.logs import Board

pytest.importorskip("tensorboard", reason="needs TensorBoard")


def fill(folder: Path) -> None:
    board = Board(folder, 16_000)
    board.describe({"max_steps": 3})
    for step in range(3):
        board.pair("speech", torch.zeros(1600), torch.zeros(1600), step)
        board.step({"step": step, "l1": 1.0})
        board.report({"step": step, "val_sdr": 1.0})
    board.close()


def test_a_disk_that_is_full_is_said_once(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from tensorboard.summary.writer.record_writer import RecordWriter

    written: list[bytes] = []

    def write(self: RecordWriter, data: bytes) -> None:
        written.append(data)
        if len(written) > 4:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(RecordWriter, "write", write)
    caplog.set_level(logging.WARNING, "sqcodec.train.logs")
    hook = threading.excepthook
    fill(tmp_path)
    assert [record.getMessage() for record in caplog.records] == [
        "no more TensorBoard log ([Errno 28] No space left on device); log.jsonl goes on"
    ]
    assert "Traceback" not in capsys.readouterr().err
    assert threading.excepthook is hook


def test_a_folder_that_cannot_be_made_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    caplog.set_level(logging.WARNING, "sqcodec.train.logs")
    fill(tmp_path / "file")
    (record,) = caplog.records
    assert "no more TensorBoard log" in record.getMessage()


def test_errors_of_other_threads_are_shown_as_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr(threading, "excepthook", lambda failed: seen.append(failed.exc_type))
    board = Board(tmp_path, 16_000)
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    board.close()
    assert seen == [ZeroDivisionError]
