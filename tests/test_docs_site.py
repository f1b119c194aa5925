"""The site that `make docs` builds, with packages of its own: skipped where they are not there."""

from __future__ import annotations

import os
import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from docs_pages import PAGES, ROOT

MKDOCS = ROOT / ".venv-docs/bin/mkdocs"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not MKDOCS.exists(), reason="no .venv-docs: `make docs` makes it"),
]


def build(root: Path, out: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [MKDOCS, "build", "--strict", "--config-file", root / "mkdocs.yml", "--site-dir", out],
        capture_output=True, text=True, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    done = build(ROOT, out)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return out


class Links(HTMLParser):
    """What a page points at, what it loads, and its anchors."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if "id" in given:
            self.anchors.add(given["id"])
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag in ("link", "script", "img") and (address := given.get("href", given.get("src"))):
            self.loads.append(address)


def test_every_page_is_there_and_every_link_leads_somewhere(site: Path) -> None:
    pages = {path: Links(path) for path in site.rglob("*.html") if path.name != "404.html"}
    assert {str(p.relative_to(site).with_suffix(".md")) for p in pages} >= set(PAGES)
    for path, page in pages.items():
        for link in [*page.links, *page.loads]:
            if re.match("[a-z]+:", link):
                continue
            target, _, anchor = link.partition("#")
            there = (path.parent / target).resolve() if target else path
            assert there.exists(), (path, link)
            assert not anchor or there not in pages or anchor in pages[there].anchors, (path, link)


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    for path in site.rglob("*.html"):
        assert not [x for x in Links(path).loads if re.match("(https?:)?//", x)], path
        assert "unpkg.com" not in path.read_text(encoding="utf-8")


def test_files_of_the_repository_are_pages_and_formulas_are_mathml(site: Path) -> None:
    page = (site / "source/codecs/sqbench_codecs/host/wire.py.html").read_text(encoding="utf-8")
    assert "linenos" in page
    metrics = (site / "reference/metrics.html").read_text(encoding="utf-8")
    assert "<math" in metrics
    assert "arithmatex" not in metrics
    assert "BSS Eval version 3" in metrics  # the docstring's source
    assert "Examples:" in (site / "reference/sqbench.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("link", "good"),
    [("[a](../README.md)", True), ("[a](gone.md)", False), ("[a](../gone.py)", False),
     ("[a](#gone)", False), ("[a](../README.md#gone)", False)],
)  # fmt: skip
def test_a_link_that_leads_nowhere_is_an_error(tmp_path: Path, link: str, good: bool) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/index.md").write_text(f"# Page\n\n{link}\n")
    (tmp_path / "mkdocs.yml").write_text(
        f"INHERIT: {ROOT / 'mkdocs.yml'}\nnav: [index.md]\nplugins: []\nextra_css: []\n"
        f"hooks: [{ROOT / 'tools/docs_site.py'}]\n"
    )
    # README's own links into docs/ have no pages in so small a site: leave them as they are.
    done = build(tmp_path, tmp_path / "out")
    complaints = [line for line in done.stderr.splitlines() if "'index.md'" in line]
    assert bool(complaints) != good, done.stderr
    assert good or done.returncode != 0
