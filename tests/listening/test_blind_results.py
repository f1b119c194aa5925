"""Listeners' files: what is read, what is refused, and what the command prints of them."""

from __future__ import annotations

import csv
import io
import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import blind_tests
import pytest

from sqbench.cli import main
from sqbench.errors import InputError
from sqbench.listening.blind import key as keys
from sqbench.listening.blind.checks import MOST_BYTES
from sqbench.listening.blind.design import design
from sqbench.listening.blind.results import read, read_all
from sqbench.listening.blind.write import write

FIRST, SECOND = blind_tests.CODECS
LEVELS = {"original": 97.0, FIRST: 70.0, SECOND: 55.0, "anchor 3.5 kHz": 15.0, "anchor 7 kHz": 40.0}


@pytest.fixture(scope="module")
def abx(tmp_path_factory: pytest.TempPathFactory) -> keys.Key:
    out = tmp_path_factory.mktemp("abx")
    write(design(blind_tests.coded(), "abx", trials=16), out)
    return keys.read(out / "key/key.json")


@pytest.fixture(scope="module")
def mushra(tmp_path_factory: pytest.TempPathFactory) -> keys.Key:
    out = tmp_path_factory.mktemp("mushra")
    write(design(blind_tests.coded(), "mushra"), out)
    return keys.read(out / "key/key.json")


def test_answers(abx: keys.Key, tmp_path: Path) -> None:
    path = blind_tests.abx_file(tmp_path / "a.json", abx, "anna", lambda number: number % 4 > 0)
    found = read(path, abx)
    assert (found.listener, found.trials, found.planned) == ("anna", 32, 32)
    assert [answer.right for answer in found.answers] == [n % 4 > 0 for n in range(32)]
    assert all(answer.item == t.item for answer, t in zip(found.answers, abx.trials, strict=True))


def test_ratings(mushra: keys.Key, tmp_path: Path) -> None:
    path = blind_tests.mushra_file(tmp_path / "a.json", mushra, "anna", lambda s, _: LEVELS[s])
    found = read(path, mushra)
    assert len(found.ratings) == 15
    for rating in found.ratings:
        assert rating.score == LEVELS[mushra.stimuli[rating.stimulus].system]


def test_a_sitting_that_was_stopped(mushra: keys.Key, tmp_path: Path) -> None:
    path = blind_tests.mushra_file(tmp_path / "a.json", mushra, "anna", lambda s, _: LEVELS[s])
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "trials": content["trials"][:2]}))
    found = read(path, mushra)
    assert (found.trials, found.planned, len(found.ratings)) == (2, 3, 10)


def test_the_same_sitting_twice(abx: keys.Key, tmp_path: Path) -> None:
    one = blind_tests.abx_file(tmp_path / "a.json", abx, "anna", lambda _: True)
    two = blind_tests.abx_file(tmp_path / "b.json", abx, "anna", lambda _: True)
    with pytest.raises(InputError, match=r"b\.json; expected each sitting once"):
        read_all([one, two], abx)
    later = blind_tests.abx_file(tmp_path / "b.json", abx, "anna", lambda _: True, started="later")
    assert len(read_all([one, later], abx)) == 2


Change = Callable[[dict[str, Any]], object]

HOSTILE: list[tuple[str, Change, str]] = [
    ("another format", lambda r: r.update(format="x"), 'found format "x"'),
    ("another version", lambda r: r.update(version=2), "found version 2"),
    ("a version that is true", lambda r: r.update(version=True), "found version true"),
    ("another test", lambda r: r.update(test="beef"), "the test of"),
    ("another method", lambda r: r.update(method="abx"), "method; expected mushra"),
    ("no method", lambda r: r.pop("method"), "method; expected abx or mushra; found nothing"),
    ("a listener of two lines", lambda r: r.update(listener="a\nb"), "a text of one line"),
    ("escapes for terminals", lambda r: r.update(listener="\x1b[31mred"), "a text of one line"),
    ("an empty listener", lambda r: r.update(listener="  "), "listener; expected a text"),
    ("a long listener", lambda r: r.update(listener="a" * 81), "at most 80 characters; found 81"),
    ("a listener that is a list", lambda r: r.update(listener=["a"]), "listener; expected a text"),
    ("no trials", lambda r: r.update(trials=[]), "at least one finished trial"),
    ("trials that are a text", lambda r: r.update(trials="all"), 'a list; found "all"'),
    ("a trial that is null", lambda r: r.update(trials=[None]), "trials[0]; expected an object"),
    ("too many trials", lambda r: r["trials"].extend(r["trials"]), "at most 3, as planned"),
    ("an item twice", lambda r: r["trials"].__setitem__(1, r["trials"][0]), "trials[1].item"),
    ("a strange item", lambda r: r["trials"][0].update(item="c0"), "trials[0].item"),
    (
        "a strange stimulus",
        lambda r: r["trials"][0]["ratings"][0].update(stimulus="s0"),
        "trials[0].ratings[0].stimulus; expected a stimulus of the item",
    ),
    (
        "a stimulus twice",
        lambda r: r["trials"][0]["ratings"].__setitem__(1, r["trials"][0]["ratings"][0]),
        "trials[0].ratings[1].stimulus",
    ),
    ("a rating short", lambda r: r["trials"][0]["ratings"].pop(), "1 without"),
    (
        "a score above the scale",
        lambda r: r["trials"][2]["ratings"][1].update(score=101),
        "trials[2].ratings[1].score; expected a number from 0 to 100; found 101",
    ),
    (
        "a score below the scale",
        lambda r: r["trials"][0]["ratings"][0].update(score=-0.1),
        "found -0.1",
    ),
    ("a score in words", lambda r: r["trials"][0]["ratings"][0].update(score="99"), 'found "99"'),
    ("a true score", lambda r: r["trials"][0]["ratings"][0].update(score=True), "found true"),
]


@pytest.mark.parametrize(
    ("change", "words"), [each[1:] for each in HOSTILE], ids=[each[0] for each in HOSTILE]
)
def test_hostile_fields(change: Change, words: str, mushra: keys.Key, tmp_path: Path) -> None:
    path = blind_tests.mushra_file(tmp_path / "a.json", mushra, "anna", lambda s, _: LEVELS[s])
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    _refused(path, mushra, words)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.update(x="s0"), "trials[0].x"),
        (lambda t: t.update(answer="x"), 'trials[0].answer; expected a or b; found "x"'),
        (lambda t: t.update(a=t["b"]), "two stimuli of a trial"),
        (lambda t: t.pop("b"), "trials[0].b; expected a text; found nothing"),
    ],
    ids=["another x", "another answer", "one stimulus", "no b"],
)
def test_hostile_answers(change: Change, words: str, abx: keys.Key, tmp_path: Path) -> None:
    path = blind_tests.abx_file(tmp_path / "a.json", abx, "anna", lambda _: True)
    content = json.loads(path.read_text())
    change(content["trials"][0])
    path.write_text(json.dumps(content))
    _refused(path, abx, words)


def test_a_trial_more_often_than_planned(abx: keys.Key, tmp_path: Path) -> None:
    path = blind_tests.abx_file(tmp_path / "a.json", abx, "anna", lambda _: True)
    content = json.loads(path.read_text())
    content["trials"] = [content["trials"][0]] * 30
    path.write_text(json.dumps(content))
    _refused(path, abx, "as often as planned")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "an empty file"),
        (b"\x00\x01\x02", "no JSON"),
        (b"\xff\xfe", "no UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[1]", "no object"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": 1e999}', "too large"),
        (b'{"a": ' + b"9" * 5000 + b"}", "too large"),
        (b'{"a": "\\ud800"}', "no UTF-8"),
        (b'{"a": 1, "a": 2}', 'the field "a" twice'),
        (b" " * (MOST_BYTES + 1), "more than 16 MiB"),
    ],
    ids=["empty", "binary", "UTF-16", "deep", "list", "NaN", "infinite", "digits", "surrogate",
         "twice", "long"],
)  # fmt: skip
def test_files_that_are_no_results(
    content: bytes, words: str, mushra: keys.Key, tmp_path: Path
) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    _refused(path, mushra, words)


def test_every_truncation_is_refused(mushra: keys.Key, tmp_path: Path) -> None:
    path = blind_tests.mushra_file(tmp_path / "a.json", mushra, "anna", lambda s, _: LEVELS[s])
    whole = path.read_bytes()
    for length in random.Random(0).sample(range(len(whole)), 60):
        path.write_bytes(whole[:length])
        _refused(path, mushra, "a.json")


def test_a_file_that_is_not_there(mushra: keys.Key, tmp_path: Path) -> None:
    _refused(tmp_path / "no.json", mushra, "No such file")


def _refused(path: Path, key: keys.Key, words: str) -> None:
    """By one line that names file, what was expected, what was found, and what to do."""
    with pytest.raises(InputError, match=re.escape(words)) as caught:
        read(path, key)
    text = str(caught.value)
    assert text.splitlines() == [text]
    assert text.isprintable()
    assert str(path) in text
    assert caught.value.expected
    assert caught.value.found
    assert caught.value.remedy
    assert len(text) < 600


def _rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_command_prints_abx(
    abx: keys.Key, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Anna hears the first codec (12 of 16) and guesses at the second (8 of 16).
    anna = blind_tests.abx_file(
        tmp_path / "a.json", abx, "anna", lambda n: n % 4 > 0 if n < 16 else n % 4 > 1
    )
    ben = blind_tests.abx_file(tmp_path / "b.json", abx, "<ben>", lambda n: n % 2 > 0)
    command = ["agreement", str(anna), str(ben), "--key", str(abx.path)]
    assert main([*command, "--format", "csv"]) == 0
    rows = {(r["b"], r["listener"]): r for r in _rows(capsys.readouterr().out)}
    assert len(rows) == 6
    assert (rows[FIRST, "anna"]["right"], rows[FIRST, "anna"]["trials"]) == ("12", "16")
    assert float(rows[FIRST, "anna"]["p"]) == pytest.approx(0.0384, abs=5e-5)
    assert (rows[FIRST, ""]["right"], rows[FIRST, ""]["trials"]) == ("20", "32")
    assert rows[FIRST, "anna"]["p_holm"] == ""
    assert float(rows[FIRST, ""]["p_holm"]) == pytest.approx(2 * float(rows[FIRST, ""]["p"]))
    for form in ("rich", "markdown", "latex"):
        assert main([*command, "--format", form]) == 0
        assert "everyone" in capsys.readouterr().out
    assert main([*command, "--format", "json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["rows"]) == 6


def test_the_command_prints_mushra_and_writes_a_table_for_metrics(
    mushra: keys.Key, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:

    def rater(more: int) -> Callable[[str, str], float]:
        return lambda system, _: LEVELS[system] + more

    files = [
        blind_tests.mushra_file(tmp_path / f"{i}.json", mushra, f"listener {i}", rater(i))
        for i in range(3)
    ]
    careless = blind_tests.mushra_file(tmp_path / "x.json", mushra, "careless", lambda s, _: 50)
    table = tmp_path / "ratings.csv"
    command = ["agreement", *map(str, [*files, careless]), "--key", str(mushra.path)]
    assert main([*command, "--format", "csv", "--to", str(table)]) == 0
    printed = capsys.readouterr()
    assert "18 ratings of codecs" in printed.err
    rows = {(r["system"], r["minus"]): r for r in _rows(printed.out)}
    assert float(rows[FIRST, ""]["mean"]) == 71.0
    assert float(rows[FIRST, SECOND]["mean"]) == 15.0
    assert next(iter(rows)) == ("hidden reference", "")
    assert rows[FIRST, ""]["n"] == "9"
    assert main(command) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "Left out: careless: hidden reference below 90 in 3 of 3 items" in text
    assert main([*command, "--keep-all", "--format", "csv"]) == 0
    kept = {(r["system"], r["minus"]): r for r in _rows(capsys.readouterr().out)}
    assert kept[FIRST, ""]["n"] == "12"
    assert float(kept[FIRST, ""]["mean"]) == pytest.approx((9 * 71 + 3 * 50) / 12)
    # The table is one that the command reads: metrics against these listeners.
    out = str(tmp_path / "scores")
    assert main(["agreement", str(table), "--metrics", "mel", "--out", out, "--format", "csv"]) == 0
    (row,) = _rows(capsys.readouterr().out)
    assert (row["n_stimuli"], row["n_items"], row["n_conditions"]) == ("6", "3", "2")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--key; expected the key.json of the test"),
        (["--key", "KEY", "--metrics", "mel"], "--metrics; expected a table of ratings"),
        (["--key", "KEY", "--plot", "x.png"], "--plot"),
        (["--key", "KEY", "--to", "x.csv"], "--to; expected ratings of a mushra test"),
        (["--key", "KEY", "--keep-all"], "--keep-all"),
        (["table.csv", "--key", "KEY"], "table.csv; expected tables or .json files alone"),
    ],
)
def test_options_that_mean_nothing_are_refused(
    arguments: list[str], words: str, abx: keys.Key, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    path = blind_tests.abx_file(tmp_path / "a.json", abx, "anna", lambda _: True)
    named = [str(abx.path) if each == "KEY" else each for each in arguments]
    assert main(["agreement", str(path), *named]) == 1
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    "option", [["--key", "k.json"], ["--keep-all"], ["--to", "x.csv"], ["b.csv"]]
)
def test_a_table_takes_no_options_of_blind_tests(
    option: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["agreement", "ratings.csv", *option]) == 1
    assert "expected" in capsys.readouterr().err
