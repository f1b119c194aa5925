"""The registry: lazy, no overwriting, helpful."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sqbench_codecs import CODECS, load_codec
from sqbench_codecs.catalogue import CodecEntry, _adopt
from sqbench_codecs.controls import MuLaw8
from sqbench_codecs.registry import Registry
from sqcodec.errors import InputError


def _registry(*entries: CodecEntry) -> Registry[CodecEntry]:
    return Registry("codec", "sqbench.none", lambda: entries, _adopt)


ENTRY = CodecEntry(spec=MuLaw8.spec, target=MuLaw8, aliases=("ulaw",))


def test_name_and_alias_are_one() -> None:
    registry = _registry(ENTRY)
    assert registry.get("ulaw") is registry.get("mulaw-8") is ENTRY


def test_a_taken_name_is_an_error() -> None:
    with pytest.raises(InputError, match="taken"):
        _registry(ENTRY, ENTRY).names()


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(InputError, match="Did you mean sqcodec-6k"):
        CODECS.get("sqcodec6k")


@pytest.mark.parametrize(
    ("alias", "name"),
    [("0k75bps", "sqcodec-750"), ("6kbps", "sqcodec-6k"), ("24kbps_24khz", "sqcodec-24k-24khz")],
)
def test_official_config_names_are_aliases(alias: str, name: str) -> None:
    assert CODECS.get(alias).name == name


def test_listing_imports_nothing_heavy() -> None:
    script = (
        "import sys; from sqbench_codecs import CODECS; [e.readiness() for e in CODECS];"
        "print([m for m in ('torch', 'av', 'pandas', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


LOCAL = """
from sqbench_codecs.controls import MuLaw8
from sqbench_codecs import CodecSpec

class Mine(MuLaw8):
    spec = CodecSpec(name="mine", sample_rate=None, frame_rate=None, codebook_sizes=(256,),
                     bitrate_bps=None)
"""


def test_a_local_file_is_a_codec_and_its_content_its_identity(tmp_path: Path) -> None:
    file = tmp_path / "my_codec.py"
    file.write_text(LOCAL)
    first = load_codec(f"{file}:Mine").describe()
    file.write_text(LOCAL + "# changed\n")
    second = load_codec(f"{file}:Mine").describe()
    assert first["name"] == "mine"
    assert first["settings"] != second["settings"]


@pytest.mark.parametrize(
    ("content", "attribute", "message"),
    [
        (None, "Mine", "no such file"),
        ("x = 1\n", "Mine", "no such name"),
        ("raise ValueError('boom')\n", "Mine", "boom"),
        ("Mine = 3\n", "Mine", "subclass"),
        ("from sqbench_codecs import Codec\nclass Mine(Codec): ...\n", "Mine", "spec"),
    ],
    ids=["no file", "no name", "broken", "no codec", "no spec"],
)
def test_a_local_file_that_is_no_codec(
    tmp_path: Path, content: str | None, attribute: str, message: str
) -> None:
    file = tmp_path / "bad.py"
    if content is not None:
        file.write_text(content)
    with pytest.raises(InputError, match=message):
        CODECS.get(f"{file}:{attribute}")


def test_a_missing_module_names_its_cure() -> None:
    entry = CodecEntry(spec=MuLaw8.spec, target=MuLaw8, requires=("no_such_module",), extra="opus")
    assert "pip install 'av>=14'" in entry.readiness()
    with pytest.raises(InputError, match="pip install 'av>=14'"):
        entry.load()
