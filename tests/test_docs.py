"""What the pages say a reader can do, a reader can do: their files and commands, as they stand.

`docs_pages` has the marks by which a page says that a block is slow, shortened or not run.
"""

from __future__ import annotations

import csv
import importlib
import io
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import docs_data
import pytest
from docs_pages import DOCS, PAGES, ROOT, Block, blocks, inline_commands, text

from sqbench.cli import main, parser

SETUP = ("pip", "python3", "git", "export")
"""What prepares a machine: it needs a network, or changes the reader's environment."""

PARSERS = {
    "sqcodec.train": "sqcodec.train.command",
    "sqcodec.train.ablation": "sqcodec.train.ablation",
}
OWN = ("your-codec.md", "your-metric.md")
"""Pages with a test of their own below."""


class Printed(NamedTuple):
    """What a command wrote."""

    out: str
    err: str


@dataclass
class Page:
    """A page whose blocks run one after the other in a folder."""

    name: str
    folder: Path
    capsys: pytest.CaptureFixture[str]
    printed: dict[str, Printed] = field(default_factory=dict)

    def run(self, *, slow: bool) -> None:
        """Write the files, run the commands; of slow blocks only if told to."""
        shown = blocks(self.name)
        docs_data.make(
            self.folder, "\n".join(f"{b.body} {b.options}" for b in shown if b.language == "sh")
        )
        for name in ("tools", "benchmarks"):
            (self.folder / name).symlink_to(ROOT / name)
        for block in shown:
            if block.file:
                (self.folder / block.file).write_text(block.body, encoding="utf-8")
        for block in shown:
            if not block.file and block.reason is None and (slow or not block.slow):
                self.run_block(block)

    def run_block(self, block: Block) -> None:
        if block.language == "python":
            subprocess.run([sys.executable, "-c", block.body], check=True)
        commands = [words for words in block.commands if words[0] not in SETUP]
        for words in commands:
            status = self.run_command(block.shortened(words))
            assert status == block.expected(words), (
                f"{words}: {status}\n{[*self.printed.values()][-1].err}"
            )

    def run_command(self, words: list[str]) -> int:
        if words[0] == "sqbench":
            status = main(words[1:])
            out = Printed(*self.capsys.readouterr())
        else:
            program = [sys.executable] if words[0] == "python" else [words[0]]
            done = subprocess.run([*program, *words[1:]], capture_output=True, text=True)
            status, out = done.returncode, Printed(done.stdout, done.stderr)
        self.printed[" ".join(words)] = out
        return status


def test_marks_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("docs_pages.DOCS", tmp_path)
    (tmp_path / "page.md").write_text(
        "<!-- test: slow; with --limit 1 for sqbench run; exits 2 for sqbench run -->\n"
        "```sh\nsqbench run \\\n  --suite all    # more\nsqbench table results/\n```\n"
        "```python\n# mine.py\nimport sqbench\n```\n"
        "<!-- test: not run: with a reason; and more -->\n```sh\nmake it\n```\n"
        "text `sqbench table`, `sqbench ...`\n"
    )
    first, second, third = blocks("page.md")
    assert (first.slow, first.reason) == (True, None)
    assert first.commands == [
        ["sqbench", "run", "--suite", "all"],
        ["sqbench", "table", "results/"],
    ]
    assert first.shortened(first.commands[0])[-2:] == ["--limit", "1"]
    assert first.shortened(first.commands[1]) == first.commands[1]
    assert [first.expected(words) for words in first.commands] == [2, 0]
    assert (second.file, second.commands) == ("mine.py", [])
    assert third.reason == "with a reason; and more"
    assert inline_commands("page.md") == [["sqbench", "table"]]
    (tmp_path / "page.md").write_text("<!-- test: fast -->\n```sh\nsqbench\n```\n")
    with pytest.raises(ValueError, match="'fast' is none of"):
        blocks("page.md")


def test_a_command_with_another_exit_status_fails(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    block = Block(language="sh", body="sqbench table nowhere/\n")
    with pytest.raises(AssertionError, match="nowhere"):
        Page("", folder, capsys).run_block(block)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


@pytest.mark.parametrize(
    "page",
    [
        page
        for page in PAGES
        if page not in OWN
        and any(b.commands and not b.slow and b.reason is None for b in blocks(page))
    ],
)
def test_commands_run(page: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Page(page, folder, capsys).run(slow=False)


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if any(b.slow for b in blocks(page))])
def test_slow_commands_run(page: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Page(page, folder, capsys).run(slow=True)


@pytest.mark.parametrize("page", PAGES)
def test_commands_parse(page: str) -> None:
    """Also those that no test runs, and those in the running text."""
    makefile = (ROOT / "Makefile").read_text()
    extras = (ROOT / "pyproject.toml").read_text()
    for words in [*inline_commands(page), *(w for b in blocks(page) for w in b.commands)]:
        if words[0] == "sqbench":
            _parse(words[1:])
        elif words[:2] == ["python", "-m"]:
            module = importlib.import_module(PARSERS.get(words[2], words[2]))
            module.parser().parse_args(words[3:])
        elif words[0] == "make":
            assert all(re.search(rf"^{goal}:", makefile, flags=re.M) for goal in words[1:]), words
        elif words[0] == "pip":
            for extra in re.findall(r"\[([\w,-]+)\]", " ".join(words)):
                assert all(
                    re.search(rf"^{name} = \[", extras, flags=re.M) for name in extra.split(",")
                )
        elif words[0].startswith("tools/") or (words[1:2] and words[1].endswith(".py")):
            script = words[0] if words[0].startswith("tools/") else words[1]
            named = {b.file for b in blocks(page)}
            assert script in named or (ROOT / script).exists(), words


def _parse(words: list[str]) -> None:
    """Parse, or print something and end with success, as ``--help`` does."""
    bare = all(re.fullmatch("[a-z]+", word) for word in words)  # the name of a command alone
    words = words[: words.index(">")] if ">" in words else words
    status: object = 0
    try:
        assert parser().parse_args([*words, *["--help"] * bare]).handler, words
    except SystemExit as ended:
        status = ended.code
    assert status == 0, words


@pytest.mark.parametrize("page", PAGES)
def test_what_is_not_run_says_where_it_is_or_why(page: str) -> None:
    for block in blocks(page):
        for named in re.findall(r"tests/\S+\.py", block.reason or ""):
            assert (ROOT / named).exists(), named
        assert block.reason is None or len(block.reason.split()) > 2, block.reason


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    """`make docs` looks at anchors too; this needs no package."""
    prose = re.sub(r"^```.*?^```$|`[^`\n]*`", "", text(page), flags=re.S | re.M)
    for link in re.findall(r"\]\(([^)\s#:]+)(?:#[^)]*)?\)", prose):
        assert ((DOCS / page).parent / link).exists(), link


def test_every_page_is_in_the_navigation() -> None:
    nav = (ROOT / "mkdocs.yml").read_text().partition("\nnav:\n")[2].partition("\n\n")[0]
    named = re.findall(r"([\w/.-]+\.md)$", nav, flags=re.M)
    assert sorted(name for name in named if not name.startswith("source/")) == PAGES
    for name in named:
        assert (ROOT / name.removeprefix("source/")).exists() or name in PAGES, name


@pytest.mark.slow
def test_a_network_of_three_files_from_nothing_to_a_comparison(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = Page("your-codec.md", folder, capsys)
    page.run(slow=False)
    printed = page.printed
    assert "keeps the contract" in printed["sqbench codecs check my_codec.py:Tiny"].out
    assert "identity from my_codec.py, net.py" in "".join(p.err for p in printed.values())
    rows = list(csv.DictReader(io.StringIO(printed["sqbench table results/ --format csv"].out)))
    (tiny,) = (row for row in rows if row["model"] == "tiny")
    assert float(tiny["bitrate_bps"]) == 1000.0
    assert float(tiny["macs_g"]) > 0
    assert all(tiny[metric] for metric in ("sdr", "mel", "stoi", "pesq", "audio_sdr", "audio_mel"))
    compared = printed["sqbench compare tiny opus-6k --results results/"].out
    assert compared.startswith("tiny against opus-6k")
    assert "tiny" in printed["sqbench complexity --codec my_codec.py:Tiny"].out


def test_a_metric_of_ones_own_has_an_arrow_and_a_winner(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = Page("your-metric.md", folder, capsys)
    page.run(slow=False)
    assert "LSD ↓" in "".join(p.out for p in page.printed.values())
    assert (
        main(["compare", "mulaw-8", "resample-8k", "--results", "results", "--format", "csv"]) == 0
    )
    rows = {row["metric"]: row for row in csv.DictReader(io.StringIO(capsys.readouterr().out))}
    assert float(rows["lsd"]["difference"]) < 0
    assert float(rows["lsd"]["win_rate"]) == 1.0
