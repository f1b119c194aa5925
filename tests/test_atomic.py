"""Replacing files, and what is said where that fails."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from sqbench import atomic
from sqcodec.errors import InputError


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "run.json"
    atomic.write_json(path, {"a": 1})
    atomic.write_json(path, {"b": "é"})
    assert path.read_text(encoding="utf-8") == '{\n "b": "é"\n}\n'
    assert os.listdir(path.parent) == ["run.json"]


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (errno.ENOSPC, "Free disk space"),
        (errno.EDQUOT, "Free disk space"),
        (errno.EACCES, "Allow writing"),
        (errno.EROFS, "Allow writing"),
        (errno.ENOTDIR, "Move what is in the way"),
        (errno.EEXIST, "Move what is in the way"),
        (errno.EIO, "Name another folder"),
    ],
    ids=lambda value: errno.errorcode[value] if isinstance(value, int) else "",
)
def test_the_remedy_is_for_what_is_wrong(tmp_path: Path, code: int, remedy: str) -> None:
    with pytest.raises(InputError) as caught:
        atomic.unwritable(tmp_path / "x", OSError(code, os.strerror(code)))
    assert remedy in str(caught.value)
    assert os.strerror(code) in str(caught.value)
    assert "--out" in str(caught.value)


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="file is a file"):
        atomic.write_text(tmp_path / "file" / "a.json", "x")
