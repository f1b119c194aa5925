"""The page as a file: nothing fetched, everything escaped, one script allowed."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pages_factory as pages
import results_factory as make

from sqbench.pages import data
from sqbench.pages.render import VIEWS, render
from sqbench.store import reader


class Elements(HTMLParser):
    """Which elements a browser would see, and the text of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {"script": [], "style": [], "h1": [], "title": []}
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._open = tag
        if tag in self.texts:
            self.texts[tag].append("")

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open in self.texts:
            self.texts[self._open][-1] += data


def hostile_page(folder: Path) -> tuple[str, str]:
    name = pages.HOSTILE["name"]
    codecs = (*pages.FAMILY, pages.HOSTILE)
    made = pages.family() + pages.records(pages.HOSTILE, shift=0.0, bits=900.0)
    make.write(folder, make.run(codecs, n=4, command=["sqbench", name]), made)
    (folder / "torn").mkdir()
    (folder / "torn" / "run.json").write_text("{")
    content = data.build(reader.load(folder), [folder], title=name, command=name)
    content["notes"].append(name)
    return name, render(content)


def test_names_are_text_wherever_they_stand(tmp_path: Path) -> None:
    name, page = hostile_page(tmp_path)
    seen = Elements(page)
    tags = [tag for tag, _ in seen.found]
    assert tags.count("script") == 2
    assert "b" not in tags
    assert seen.texts["h1"] == [name]
    assert seen.texts["title"] == [name]
    assert json.loads(seen.texts["script"][0])["title"] == name


def test_nothing_is_fetched(tmp_path: Path) -> None:
    _, page = hostile_page(tmp_path)
    seen = Elements(page)
    for _, attributes in seen.found:
        for name in ("src", "href", "srcset", "data"):
            address = attributes.get(name)
            assert address is None or address.startswith("#"), attributes
    assert "@import" not in page
    assert "url(" not in seen.texts["style"][0]
    script = seen.texts["script"][1]
    assert re.findall(r"https?://[^\"]*", script) == ["http://www.w3.org/2000/svg"]
    for way in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "fetch(",
    ):
        assert way not in script


def test_the_policy_allows_this_script_and_no_other(tmp_path: Path) -> None:
    _, page = hostile_page(tmp_path)
    seen = Elements(page)
    (policy,) = (a["content"] for _, a in seen.found if "http-equiv" in a)
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    for name, text in (("script", seen.texts["script"][1]), ("style", seen.texts["style"][0])):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[f"{name}-src"] == f"'sha256-{digest}'"


def test_every_view_has_its_place_and_its_painter(tmp_path: Path) -> None:
    _, page = hostile_page(tmp_path)
    seen = Elements(page)
    places = [a["data-view"] for tag, a in seen.found if tag == "section"]
    assert places == [view.name for view in VIEWS]
    (views,) = re.findall(r"const VIEWS = \{(.*?)\};", seen.texts["script"][1])
    assert {pair.partition(":")[0].strip() for pair in views.split(",")} == set(places)


def test_equal_results_make_equal_pages(tmp_path: Path) -> None:
    store = pages.store(tmp_path)
    one, other = (render(data.build(store, [tmp_path], title="t")) for _ in range(2))
    assert one == other
