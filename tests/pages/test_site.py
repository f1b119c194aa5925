"""The leaderboard folder."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pages_factory as pages
import pytest
import results_factory as make

from sqbench.errors import InputError
from sqbench.pages import data, site
from sqbench.store import reader


def write(results: Path, out: Path, **options: Any) -> list[Path]:
    store = reader.load(results)
    content = data.build(store, [results], title="Board", **options)
    return site.write(content, store, [results], out)


def block(page: Path) -> dict[str, Any]:
    (text,) = re.findall(r'id="data">(.*?)</script>', page.read_text(encoding="utf-8"), flags=re.S)
    found = json.loads(text)
    assert isinstance(found, dict)
    return found


def test_an_index_and_a_page_a_codec(tmp_path: Path) -> None:
    pages.store(tmp_path / "results")
    made = write(tmp_path / "results", tmp_path / "site")
    assert [path.relative_to(tmp_path / "site").as_posix() for path in made] == [
        "index.html", "codecs/sqcodec-6k.html", "codecs/opus-6k.html", "codecs/sqcodec-12k.html",
        "codecs/opus-12k.html", "codecs/identity.html",
    ]  # fmt: skip
    index = block(made[0])
    (section,) = index["sections"]
    assert section["clips"]["values"] == {}
    links = [row["page"] for row in section["rows"] if "page" in row]
    assert len(links) == 5
    assert all((tmp_path / "site" / link).is_file() for link in links)
    one = block(tmp_path / "site" / "codecs" / "opus-6k.html")
    assert one["focus"] == "opus-6k"
    (section,) = one["sections"]
    assert set(section["clips"]["values"]) == {"opus-6k"}
    assert {row["label"] for row in section["rows"] if row["kind"] == "codec"} == {
        "opus-6k", "opus-12k", "sqcodec-6k", "sqcodec-12k",
    }  # fmt: skip
    for row in section["rows"]:
        assert "page" not in row or (tmp_path / "site" / "codecs" / row["page"]).is_file()


def test_several_folders_and_data_sets(tmp_path: Path) -> None:
    pages.store(tmp_path / "a")
    other = make.full(pages.LOW, n=2, source="other")
    make.write(tmp_path / "b", make.run([pages.LOW], n=2, source="other"), other)
    store = reader.load([tmp_path / "a", tmp_path / "b"])
    content = data.build(store, [tmp_path / "a", tmp_path / "b"], title="Board")
    site.write(content, store, [tmp_path / "a", tmp_path / "b"], tmp_path / "site")
    assert {s["source"] for s in block(tmp_path / "site/index.html")["sections"]} == {
        "mini", "other",
    }  # fmt: skip
    page = block(tmp_path / "site/codecs/opus-6k.html")
    assert {s["source"] for s in page["sections"]} == {"mini", "other"}
    page = block(tmp_path / "site/codecs/opus-12k.html")
    assert {s["source"] for s in page["sections"]} == {"mini"}


def test_pages_of_codecs_that_are_gone_go(tmp_path: Path) -> None:
    pages.store(tmp_path / "results")
    out = tmp_path / "site"
    write(tmp_path / "results", out)
    (out / "codecs" / "mine.html").write_text("not of this command")
    write(tmp_path / "results", out, codecs=["opus-*"])
    assert sorted(path.name for path in (out / "codecs").iterdir()) == [
        "mine.html", "opus-12k.html", "opus-6k.html",
    ]  # fmt: skip


def test_a_list_of_pages_cannot_remove_other_files(tmp_path: Path) -> None:
    pages.store(tmp_path / "results")
    out = tmp_path / "site"
    out.mkdir()
    (tmp_path / "secret.html").write_text("x")
    (out / "site.json").write_text(json.dumps({"pages": ["../secret.html", "codecs/../../x", 3]}))
    write(tmp_path / "results", out)
    assert (tmp_path / "secret.html").exists()


def test_a_list_of_something_else(tmp_path: Path) -> None:
    pages.store(tmp_path / "results")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "site.json").write_text("[]")
    with pytest.raises(InputError, match=r"site\.json"):
        write(tmp_path / "results", tmp_path / "site")


@pytest.mark.parametrize("label", ["../../etc/x", "a/b:c", "Opus", "é", "", "..", "a" + "<b>"])
def test_names_of_pages_are_safe_and_unlike(label: str) -> None:
    name = site.page_name(label)
    assert re.fullmatch(r"[A-Za-z0-9._-]+\.html", name)
    assert not name.startswith(".")
    assert name != site.page_name(f"{label} ")
    assert name.lower() != site.page_name(label.lower() + "x")
