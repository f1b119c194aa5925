"""The page in a browser: quiet, usable by keyboard, accessible, and doing what its controls say."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pages_factory as pages
import pytest
import results_factory as make
from browser import Opened, executable, opened

from sqbench.pages import data, site
from sqbench.pages.render import render
from sqbench.store import reader

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def _browser() -> None:
    executable()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of five codecs with audio, one with a hostile name, and a value missing."""
    root = tmp_path_factory.mktemp("report")
    store = pages.with_audio(root / "results", root / "data")
    other = pages.records(pages.HOSTILE, shift=0.2, bits=900.0)
    make.lose(next(r for r in other if r["metric"] == "pesq"), "undefined", "<b>silent</b>")
    codecs = (*pages.FAMILY, pages.HOSTILE)
    made = pages.family() + other
    make.write(root / "results", make.run(codecs, n=4), made)
    folders = [root / "results"]
    store = reader.load(folders)
    content = data.build(store, folders, title=pages.HOSTILE["name"], command="sqbench report")
    page = root / "report.html"
    data.add_audio(content, store, folders, page)
    page.write_text(render(content), encoding="utf-8")
    return page


@pytest.fixture
def seen(report: Path) -> Iterator[Opened]:
    with opened(report) as found:
        yield found
        assert found.errors == []


def choose(seen: Opened, source: str) -> None:
    seen.page.select_option("#choice select", label=f"{source} (slt2024)")


def column(seen: Opened, title: str) -> list[str]:
    """The cells of the table under a head, from top to bottom."""
    found = seen.page.evaluate(
        """(title) => {
          const table = document.querySelector("#table table");
          const heads = [...table.querySelectorAll("thead th")].map((h) =>
            h.querySelector("button").childNodes[0].textContent.split(" ")[0]);
          const at = heads.indexOf(title);
          return [...table.querySelectorAll("tbody tr")].filter((r) => r.children.length > 1)
            .map((r) => r.children[at].childNodes[0].textContent);
        }""",
        title,
    )
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize("width", [360, 1300])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_quiet_accessible_and_never_wider_than_the_screen(
    report: Path, width: int, dark: bool
) -> None:
    with opened(report, width=width, dark=dark) as found:
        for source in ("clips", "mini"):
            choose(found, source)
            found.page.wait_for_selector("#curves svg .hit")
            assert found.page.evaluate("document.documentElement.scrollWidth") <= width
            assert found.violations() == []
        assert found.errors == []
        assert found.requests == []


def test_names_are_text(seen: Opened) -> None:
    assert seen.page.title() == pages.HOSTILE["name"]
    assert seen.page.inner_text("h1") == pages.HOSTILE["name"]
    choose(seen, "mini")
    assert seen.page.evaluate("document.querySelectorAll('main b[title], main script').length") == 0
    assert pages.HOSTILE["name"] in column(seen, "Model")


def test_sorting(seen: Opened) -> None:
    choose(seen, "mini")
    seen.page.uncheck("#table label:has-text('rate bands') input")
    seen.page.click("#table thead button[data-key='pesq']")
    values = [float(each) for each in column(seen, "PESQ")[1:]]  # the control stays on top
    assert values == sorted(values, reverse=True)
    assert seen.page.get_attribute("#table th[aria-sort]", "aria-sort") == "ascending"
    seen.page.keyboard.press("Enter")  # the head keeps the focus
    assert [float(each) for each in column(seen, "PESQ")[1:]] == values[::-1]
    seen.page.click("#table thead button[data-key='mel']")
    lower = [float(each) for each in column(seen, "MEL")[1:]]
    assert lower == sorted(lower)


def test_filter_and_columns(seen: Opened) -> None:
    choose(seen, "mini")
    seen.page.fill("#table input[type=search]", "opus 12k")
    assert column(seen, "Model") == ["opus-12k"]
    seen.page.fill("#table input[type=search]", "")
    seen.page.click("#table summary:has-text('Columns')")
    seen.page.uncheck("#table .choices label:has-text('STOI') input")
    assert not seen.page.query_selector("#table thead button[data-key='stoi']")
    before = len(column(seen, "Model"))
    seen.page.check('#table label:has-text("the paper\'s rows") input')
    assert len(column(seen, "Model")) == before + 21


def test_reasons_are_told_to_keyboard_and_reader(seen: Opened) -> None:
    choose(seen, "mini")
    mark = seen.page.locator("#table button.why[aria-label*='silent']").first
    assert "3 of 4" not in (mark.get_attribute("aria-label") or "")
    mark.focus()
    assert "<b>silent</b> (1)" in seen.page.inner_text("#tip")
    assert "7 of 8 clips" in seen.page.inner_text("#tip")
    seen.page.keyboard.press("Escape")
    assert seen.page.is_hidden("#tip")


@pytest.mark.parametrize("kind", ["CSV", "Markdown", "LaTeX"])
def test_copies(report: Path, kind: str) -> None:
    with opened(report, permissions=["clipboard-read", "clipboard-write"]) as found:
        choose(found, "mini")
        found.page.click(f"#table button:has-text('Copy {kind}')")
        found.until(
            "document.querySelector('dialog textarea')"
            " || document.querySelector('#table [role=status]').textContent.startsWith('Copied')"
        )
        box = found.page.query_selector("dialog textarea")
        text = (
            box.input_value()
            if box
            else found.page.evaluate("() => navigator.clipboard.readText()")
        )
        assert found.errors == []
    name = pages.HOSTILE["name"]
    if kind == "CSV":
        rows = list(csv.DictReader(io.StringIO(text)))
        labels = {row["model"] for row in rows}
        assert {"opus-6k", "sqcodec-12k", "identity", name} <= labels
        (opus,) = (row for row in rows if row["model"] == "opus-6k")
        assert float(opus["pesq_low"]) < float(opus["pesq"]) < float(opus["pesq_high"])
        assert opus["band"] == "3 to 8 kb/s"
    elif kind == "Markdown":
        assert "| opus-6k |" in text
        assert "**" in text
        assert "\\<script\\>" in text
    else:
        assert text.count("\\begin{tabular}") == text.count("\\end{tabular}") == 1
        assert "\\textbf{" in text
        assert "\\textless{}script\\textgreater{}" in text
        assert "\\&" in text


def test_conventions_of_counting(seen: Opened) -> None:
    choose(seen, "mini")
    names = (
        "[...document.querySelectorAll('#figure .hit')].map((m) => m.getAttribute('aria-label'))"
    )
    uniform = [n for n in seen.page.evaluate(names) if n.startswith("sqcodec-6k")]
    assert "74.29 G" in uniform[0]
    assert len(seen.page.evaluate(names)) == 2 + 1 + 21  # the hostile one has a network too
    seen.page.select_option("#figure select >> nth=1", "paper")
    paper = [n for n in seen.page.evaluate(names) if n.startswith("sqcodec-6k")]
    assert "19.98 G" in paper[0]
    assert "not in the paper: " in seen.page.inner_text("#figure [role=status]")
    seen.page.uncheck('#figure label:has-text("the paper\'s rows") input')
    assert len(seen.page.evaluate(names)) == 2


def test_points_of_a_chart_by_keyboard(seen: Opened) -> None:
    choose(seen, "mini")
    seen.page.wait_for_selector("#curves .hit")
    first = seen.page.locator("#curves figure").nth(0).locator(".hit[tabindex='0']")
    first.focus()
    shown = seen.page.inner_text("#tip")
    seen.page.keyboard.press("ArrowRight")
    assert seen.page.inner_text("#tip") != shown
    assert "of" in seen.page.inner_text("#tip")
    assert first.count() == 1  # one point of a chart is in the tab order


def test_lines_can_be_hidden(seen: Opened) -> None:
    choose(seen, "mini")
    count = "document.querySelectorAll('#curves path.curve').length"
    charts = "document.querySelectorAll('#curves figure').length"
    # A line of opus, one of sqcodec, and a codec alone, in every chart.
    seen.until(f"{count} === 3 * {charts}")
    seen.page.click("#curves .legend button:has-text('opus')")
    seen.until(f"{count} === 2 * {charts}")
    assert (
        seen.page.get_attribute("#curves .legend button:has-text('opus')", "aria-pressed")
        == "false"
    )


def test_deltas_and_pairs(seen: Opened) -> None:
    choose(seen, "mini")
    cell = seen.page.locator("#deltas td button").first
    cell.hover()
    assert "against" in seen.page.inner_text("#tip")
    seen.page.select_option("#deltas select >> nth=1", "quality")
    assert "%" not in seen.page.inner_text("#deltas tbody")
    seen.page.select_option("#pairs select", "mel")
    assert "MEL" in seen.page.inner_text("#pairs [role=status]")


def test_a_clip_plays_by_keyboard(seen: Opened) -> None:
    choose(seen, "clips")
    seen.page.select_option("#worst select >> nth=0", "opus-6k")
    for who in ("opus-6k", "original"):
        seen.page.locator(f"#worst button.play[aria-label$='{who}']").first.focus()
        seen.page.keyboard.press("Enter")
        seen.until("document.querySelector('audio').currentTime > 0")
        assert seen.page.inner_text(".player [role=status]").endswith(who)
    assert all(address.startswith("file:") for address in seen.requests)


def test_colours_on_demand(seen: Opened) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    light = seen.page.evaluate(background)
    seen.page.click("#theme")
    seen.page.click("#theme")
    assert seen.page.evaluate(background) != light


def test_print_is_light_and_without_controls(report: Path) -> None:
    with opened(report, dark=True) as found:
        found.page.emulate_media(media="print")
        assert found.page.is_hidden("#table .tools")
        assert found.page.evaluate("getComputedStyle(document.body).backgroundColor") in (
            "rgb(255, 255, 255)",
        )


def test_a_hundred_rows_sort_at_once(tmp_path: Path) -> None:
    codecs: list[dict[str, Any]] = [
        make.describe(f"net-{i}", bitrate_bps=500.0 * i, settings={"i": i}) for i in range(1, 101)
    ]
    made = [
        each
        for i, codec in enumerate(codecs)
        for each in pages.records(codec, shift=(i * 37 % 100) / 50, bits=500.0 * (i + 1), n=2)
    ]
    make.write(tmp_path, make.run(codecs, n=2), made)
    page = tmp_path / "report.html"
    page.write_text(render(data.build(reader.load(tmp_path), [tmp_path], title="t")))
    with opened(page) as found:
        found.page.uncheck("#table label:has-text('rate bands') input")
        found.page.click("#table thead button[data-key='pesq']")
        values = [float(each) for each in column(found, "PESQ")]
        assert len(values) == 100
        assert values == sorted(values, reverse=True)
        assert found.errors == []


def test_a_site_leads_from_page_to_page(tmp_path: Path) -> None:
    store = pages.store(tmp_path / "results")
    folders = [tmp_path / "results"]
    content = data.build(store, folders, title="Board")
    index = site.write(content, store, folders, tmp_path / "site")[0]
    with opened(index) as found:
        assert found.violations() == []
        found.page.click("#table a:has-text('opus-12k')")
        found.page.wait_for_selector("#worst table")
        assert found.page.inner_text("h1") == "opus-12k"
        assert found.violations() == []
        found.page.click("header a")
        found.page.wait_for_selector("#pairs table")
        assert found.errors == []
