from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from data_files import put

from sqbench.data import open_source
from sqbench.data.folder import FolderSource
from sqbench.data.hub import HubSource
from sqbench.data.manifest import ManifestSource
from sqbench.data.mini import MiniSource
from sqbench.data.slt import SLTSource
from sqcodec.errors import InputError


def test_each_kind(tmp_path: Path) -> None:
    put(tmp_path / "slt/samples/librispeech/a.wav")
    put(tmp_path / "plain/a.wav")
    (tmp_path / "m.csv").write_text("path,domain\nplain/a.wav,music\n")
    (tmp_path / "m.JSONL").write_text('{"path": "plain/a.wav"}\n')
    assert isinstance(open_source("mini"), MiniSource)
    assert isinstance(open_source(str(tmp_path / "slt")), SLTSource)
    assert isinstance(open_source(str(tmp_path / "plain"), domain="music"), FolderSource)
    assert isinstance(open_source(str(tmp_path / "m.csv")), ManifestSource)
    (clip,) = open_source(str(tmp_path / "m.JSONL"), domain="general").utterances()
    assert clip.domain == "general"
    hub = open_source("hf:owner/name", streaming=True)
    assert isinstance(hub, HubSource)
    assert hub.streaming


def test_a_folder_named_mini_needs_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "mini/a.wav")
    monkeypatch.chdir(tmp_path)
    assert isinstance(open_source("mini"), MiniSource)
    assert isinstance(open_source("./mini", domain="music"), FolderSource)


@pytest.mark.parametrize("name", ["nothing", "notes.txt"])
def test_unknown_lists_what_is_expected(tmp_path: Path, name: str) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(InputError, match=r"'mini'.*samples/.*\.jsonl.*hf:NAME"):
        open_source(str(tmp_path / name))


def test_streaming_is_for_datasets_only() -> None:
    with pytest.raises(InputError, match="hf:"):
        open_source("mini", streaming=True)


def test_import_stays_light() -> None:
    code = (
        "import sys, sqbench.data; "
        "heavy = {'datasets', 'torch', 'pandas', 'scipy', 'soundfile'} & {*sys.modules}; "
        "sys.exit(', '.join(heavy) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
