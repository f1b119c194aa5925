"""Figures for papers: forms, fonts, what is drawn, and what cannot be."""

from __future__ import annotations

import re
import zlib
from pathlib import Path
from typing import Any

import pages_factory as pages
import pytest
import results_factory as make

pytest.importorskip("matplotlib", reason="the extra 'plots' is not installed")

from sqbench.errors import InputError
from sqbench.pages import data, figures
from sqbench.store import reader


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> data.Content:
    return data.points(pages.store(tmp_path_factory.mktemp("results")), ci=True)


def pdf_text(path: Path) -> bytes:
    """A PDF with its compressed streams opened."""
    raw = path.read_bytes()
    found = [raw]
    for part in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", raw, flags=re.S):
        try:
            found.append(zlib.decompress(part))
        except zlib.error:
            continue
    return b"\n".join(found)


def test_a_pdf_has_its_fonts_as_truetype(content: data.Content, tmp_path: Path) -> None:
    path = tmp_path / "figure.pdf"
    assert figures.draw(content, path, y=["pesq", "stoi"], paper=True, ci=True) == 2 * (4 + 21)
    text = pdf_text(path)
    assert b"/FontFile2" in text  # TrueType outlines, embedded (Type 42)
    assert b"/Type3" not in text
    boxes = re.findall(rb"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+) ?\]", text)
    assert float(boxes[0][0]) == pytest.approx(2 * 3.4 * 72)  # inches to points


def test_an_svg_needs_no_font(content: data.Content, tmp_path: Path) -> None:
    path = tmp_path / "figure.svg"
    figures.draw(content, path)
    text = path.read_text(encoding="utf-8")
    assert "<text" not in text
    assert "<path" in text


def test_a_png_has_the_size_asked_for(content: data.Content, tmp_path: Path) -> None:
    path = tmp_path / "figure.png"
    figures.draw(content, path, width=2.0, height=2.0, dpi=100)
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(head[16:20], "big") == 200


@pytest.mark.parametrize("suffix", [".pdf", ".svg", ".png"])
def test_equal_results_give_equal_files(content: data.Content, tmp_path: Path, suffix: str) -> None:
    one, other = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    figures.draw(content, one)
    figures.draw(content, other)
    assert one.read_bytes() == other.read_bytes()


def test_over_operations_stand_networks_and_the_papers_uniform_counts(
    content: data.Content, tmp_path: Path
) -> None:
    assert figures.draw(content, tmp_path / "x.svg", x="macs_g") == 2
    assert figures.draw(content, tmp_path / "x.svg", x="macs_g", paper=True) == 2 + 21


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"y": ["pesk"]}, "--y pesk"),
        ({"x": "bits"}, "--x bits"),
        ({"path": "figure.gif"}, "a name that ends in"),
        ({"path": "file/figure.pdf"}, "to write a figure"),
        ({"x": "params_m", "y": ["estoi"]}, "--y estoi"),
    ],
    ids=lambda value: str(value),
)
def test_what_cannot_be_drawn(
    content: data.Content, tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    (tmp_path / "file").write_text("in the way")
    path = tmp_path / options.pop("path", "figure.pdf")
    with pytest.raises(InputError, match=words):
        figures.draw(content, path, **options)


def test_nothing_to_draw(tmp_path: Path) -> None:
    make.write(tmp_path, make.run([pages.LOW]), make.full(pages.LOW))
    content = data.points(reader.load(tmp_path))
    with pytest.raises(InputError, match="codecs with macs_g"):
        figures.draw(content, tmp_path / "figure.pdf", x="macs_g")


def test_two_sources_are_two_figures(tmp_path: Path) -> None:
    for source in ("mini", "other"):
        made = make.full(pages.LOW, source=source)
        make.write(tmp_path, make.run([pages.LOW], source=source), made)
    with pytest.raises(InputError, match="--source"):
        figures.draw(data.points(reader.load(tmp_path)), tmp_path / "figure.pdf")
