"""The pages in a browser: what is heard when versions change, keys alone, files that come back."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import blind_tests
import pytest
from browser import Opened, opened

pytest.importorskip("matplotlib", reason="the extra 'plots' is not installed")

from sqbench.cli import main
from sqbench.engine.monitor import Quiet
from sqbench.listening.blind import key as keys
from sqbench.listening.blind.design import design
from sqbench.listening.blind.write import write as write_blind
from sqbench.listening.run import listen
from sqbench.listening.write import write

pytestmark = pytest.mark.slow

PLAYER = """
async ([first, second, switch_s, action]) => {
  const rate = 48000, context = new OfflineAudioContext(1, rate, rate);
  const sound = (kind) => {
    const buffer = context.createBuffer(1, 2 * rate, rate);
    const samples = buffer.getChannelData(0);
    if (kind === "sine")
      for (let n = 0; n < samples.length; n++)
        samples[n] = 0.5 * Math.sin(2 * Math.PI * 440 * n / rate);
    return buffer;
  };
  const player = new Player(async () => [], [1, 1], () => {}, () => context);
  player.buffers = [sound(first), sound(second)];
  player.loading = Promise.resolve();
  await player.play();
  context.suspend(switch_s).then(() => {
    const before = player.position();
    if (action === "select") player.select(1); else player.pause();
    player.moved = player.position() - before;
    context.resume();
  });
  const heard = (await context.startRendering()).getChannelData(0);
  const expected = player.buffers.length && sound("sine").getChannelData(0);
  const lead = Math.round(LEAD_S * rate);
  const error = (from, to, target) => {
    let most = 0;
    for (let n = Math.round(from * rate); n < Math.round(to * rate); n++)
      most = Math.max(most, Math.abs(heard[n] - (target === "sine" ? expected[n - lead] : 0)));
    return most;
  };
  let jump = 0;
  for (let n = lead + 1; n < heard.length; n++)
    jump = Math.max(jump, Math.abs(heard[n] - heard[n - 1]));
  return { before: error(LEAD_S, switch_s, "sine"), after: error(switch_s, 1, "sine"),
    silence: error(switch_s + 0.05, 1, "silence"), moved: player.moved, jump };
}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = blind_tests.Clips()
    clips = list(source.utterances())
    codecs = [blind_tests.First(), blind_tests.Second()]
    found = listen(codecs, source, clips, blind_tests.Inline(), Quiet())
    out = tmp_path_factory.mktemp("listen")
    write(found, out / "folder", "sqbench listen <x>")
    write(found, out / "single", "sqbench listen <x>", single_file=True)
    return out


@pytest.fixture(scope="module")
def abx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("abx")
    pair = ("original", blind_tests.CODECS[0])
    write_blind(design(blind_tests.coded(), "abx", pairs=[pair], trials=5), out)
    return out


@pytest.fixture(scope="module")
def mushra(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("mushra")
    write_blind(design(blind_tests.coded(), "mushra"), out)
    return out


@pytest.fixture
def pages() -> Iterator[list[Opened]]:
    """Pages that must have asked for nothing, printed nothing, and shown no dialog."""
    found: list[Opened] = []
    yield found
    for each in found:
        assert each.errors == []
        assert [asked for asked in each.requests if not asked.startswith(("file:", "blob:"))] == []


def _until(page: Any, condition: str) -> None:
    # Not wait_for_function, which evaluates in the page: its content policy refuses that.
    for _ in range(500):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(20)
    raise AssertionError(f"not within 10 s: {condition}")


@pytest.mark.parametrize("form", ["folder", "single"])
def test_switching_has_no_gap(form: str, folder: Path, pages: list[Opened]) -> None:
    with opened(folder / form / "index.html") as found:
        pages.append(found)
        # Between two copies of a sound nothing is heard of a switch, nor does time move.
        same = found.page.evaluate(PLAYER, ["sine", "sine", 0.512, "select"])
        assert same["before"] < 1e-6
        assert same["after"] < 1e-5
        assert same["moved"] == 0
        # And it is a switch: of a sound to silence, gone within 50 ms, without a click.
        gone = found.page.evaluate(PLAYER, ["sine", "silence", 0.512, "select"])
        assert gone["silence"] < 1e-5
        paused = found.page.evaluate(PLAYER, ["sine", "sine", 0.512, "pause"])
        assert paused["silence"] < 1e-5
        slope = 0.5 * 2 * 3.1416 * 440 / 48000
        assert max(gone["jump"], paused["jump"]) < 1.5 * slope


@pytest.mark.parametrize("form", ["folder", "single"])
def test_the_page_by_keys(form: str, folder: Path, pages: list[Opened]) -> None:
    with opened(folder / form / "index.html") as found:
        pages.append(found)
        page = found.page
        state = "(({player}) => [player.playing, player.selected, player.loop])(views[%d])"
        page.keyboard.press("2")
        _until(page, "views[0].player.playing && views[0].player.position() > 0.2")
        assert page.evaluate(state % 0) == [True, 1, False]
        page.keyboard.press("3")
        at = page.evaluate("views[0].player.position()")
        assert at >= 0.2
        assert page.evaluate(state % 0) == [True, 2, False]
        pressed = page.locator("#clip-1 .pick[aria-pressed=true]")
        assert pressed.count() == 1
        assert blind_tests.CODECS[1] in pressed.inner_text()
        page.keyboard.press("l")
        page.wait_for_timeout(1700)  # longer than the clip: it goes round
        assert page.evaluate(state % 0) == [True, 2, True]
        page.keyboard.press(" ")
        assert page.evaluate(state % 0) == [False, 2, True]
        # Another clip pauses the first.
        page.keyboard.press(" ")
        _until(page, "views[0].player.playing")
        page.focus("#clip-2 .pick >> nth=1")
        page.keyboard.press("Enter")
        _until(page, "views[1].player.playing")
        assert page.evaluate("views.map(({player}) => player.playing)") == [False, True, False]
        # A loop from here to there.
        page.keyboard.press("l")
        page.evaluate("views[1].player.seek(0.4)")
        page.keyboard.press("[")
        page.evaluate("views[1].player.seek(0.9)")
        page.keyboard.press("]")
        low, high = page.evaluate("views[1].player.region")
        assert 0.4 <= low < 0.6
        assert 0.9 <= high < 1.1
        page.wait_for_timeout(900)
        assert low - 0.01 <= page.evaluate("views[1].player.position()") <= high + 0.01
        # The slider moves the position, by keys too.
        page.keyboard.press("l")
        page.evaluate("views[1].player.pause()")
        page.evaluate("views[1].player.seek(0.5)")
        page.focus("#clip-2 .seek")
        page.keyboard.press("ArrowRight")
        assert page.evaluate("views[1].player.position()") == pytest.approx(0.6, abs=0.06)


def test_levels_are_matched_by_a_box(folder: Path, pages: list[Opened]) -> None:
    with opened(folder / "folder/index.html") as found:
        pages.append(found)
        assert found.page.evaluate("views[2].player.gains") == [1, 1, 1]
        found.page.focus("#match")
        found.page.keyboard.press(" ")
        assert found.page.evaluate("views[2].player.gains") == pytest.approx([1, 2, 1], rel=0.02)
        assert "+6.0 dB" in found.page.inner_text("#clip-3")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1300, 400])
def test_looks_of_the_page(width: int, dark: bool, folder: Path, pages: list[Opened]) -> None:
    with opened(folder / "folder/index.html", width=width, dark=dark) as found:
        pages.append(found)
        page = found.page
        assert found.violations() == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        lefts = page.evaluate(
            "[...document.querySelectorAll('#clip-1 article')]"
            ".map((article) => article.getBoundingClientRect().left)"
        )
        assert len(set(lefts)) == (1 if width == 400 else 3)  # stacked, or beside each other
        # Axes have the page's colours; pictures have none where nothing can be.
        ink = page.evaluate("getComputedStyle(document.querySelector('.hz')).color")
        page_is = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (_sum(ink) > _sum(page_is)) == dark


def _sum(colour: str) -> float:
    return sum(float(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3])


def test_names_do_no_harm(folder: Path, pages: list[Opened]) -> None:
    with opened(folder / "single/index.html") as found:
        pages.append(found)
        text = found.page.inner_text("main")
        for name in (*blind_tests.CLIPS, *blind_tests.CODECS, "<i>words</i>"):
            assert name in text
        assert found.page.locator("main img[src=x], main i, main b").count() == 0


def _tab_to(page: Any, selector: str) -> None:
    """By the tabulator alone."""
    for _ in range(60):
        if page.evaluate("(s) => document.activeElement?.matches(s) ?? false", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"the tabulator does not reach {selector}")


def _begin(page: Any, name: str) -> None:
    _tab_to(page, "#listener")
    page.keyboard.type(name)
    page.keyboard.press("Enter")
    _until(page, "current?.player.duration > 0")


def _saved(page: Any, path: Path) -> dict[str, Any]:
    assert page.evaluate("document.activeElement.id") == "save"
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    download.value.save_as(path)
    assert "Saved as" in page.inner_text("#saved")
    return json.loads(path.read_text())  # type: ignore[no-any-return]


def _command(path: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    capsys.readouterr()
    key = str(folder / "key/key.json")
    assert main(["agreement", str(path), "--key", key, "--format", "csv"]) == 0
    return list(csv.DictReader(io.StringIO(capsys.readouterr().out)))


def test_abx_by_keyboard_alone(
    abx: Path, tmp_path: Path, pages: list[Opened], capsys: pytest.CaptureFixture[str]
) -> None:
    with opened(abx / "index.html", dark=True) as found:
        pages.append(found)
        page = found.page
        assert found.violations() == []
        _begin(page, "Anna <b>")
        for number in range(5):
            assert page.inner_text("#title") == f"Trial {number + 1} of 5"
            _until(page, "current.player.duration > 0")
            for key, index in (("a", 0), ("b", 1), ("x", 2)):
                page.keyboard.press(key)
                _until(page, f"current.player.playing && current.player.selected === {index}")
            # What ears would tell: which of the two X is.
            right = page.evaluate("current.trial.stimuli.indexOf(current.trial.x)")
            _tab_to(page, "[name=answer]")
            page.keyboard.press(" ")  # A
            if right == 1:
                page.keyboard.press("ArrowRight")
            if number == 0:
                assert found.violations() == []
            _tab_to(page, "#next")
            page.keyboard.press("Enter")
        assert found.violations() == []
        content = _saved(page, tmp_path / "anna.json")
    assert content["listener"] == "Anna <b>"
    assert content["planned"] == len(content["trials"]) == 5
    (everyone, anna) = _command(tmp_path / "anna.json", abx, capsys)
    assert (everyone["trials"], everyone["right"]) == ("5", "5")
    assert float(everyone["p"]) == 1 / 32
    assert anna["listener"] == "Anna <b>"


def test_an_answer_is_needed(abx: Path, pages: list[Opened]) -> None:
    with opened(abx / "index.html") as found:
        pages.append(found)
        page = found.page
        _begin(page, "Anna")
        _tab_to(page, "#next")
        page.keyboard.press("Enter")
        assert page.inner_text("#missing") == "Say whether X is A or B."
        assert page.inner_text("#title") == "Trial 1 of 5"


def test_mushra_by_keyboard_alone(
    mushra: Path, tmp_path: Path, pages: list[Opened], capsys: pytest.CaptureFixture[str]
) -> None:
    key = keys.read(mushra / "key/key.json")
    given: dict[tuple[str, str], int] = {}
    with opened(mushra / "index.html", width=400) as found:
        pages.append(found)
        page = found.page
        assert found.violations() == []
        _begin(page, "Ben")
        for number in range(3):
            _until(page, "current.player.duration > 0")
            item, stimuli = page.evaluate("[current.trial.item, current.trial.stimuli]")
            page.keyboard.press("0")
            _until(page, "current.player.playing && current.player.selected === 0")
            for index, stimulus in enumerate(stimuli, 1):
                page.keyboard.press(str(index))
                _until(page, f"current.player.selected === {index}")
                if key.stimuli[stimulus].role == "reference":
                    page.keyboard.press("End")
                    given[item, stimulus] = 100
                elif index == 1:
                    page.keyboard.press("Enter")  # leave it where it is
                    given[item, stimulus] = 50
                else:
                    page.keyboard.press("PageDown")
                    for _ in range(index):
                        page.keyboard.press("ArrowUp")
                    given[item, stimulus] = 40 + index
                if number == 0 and index == 2:
                    assert page.evaluate("document.documentElement.scrollWidth") <= 400
                    assert found.violations() == []
                    _tab_to(page, "#next")
                    page.keyboard.press("Enter")
                    assert page.inner_text("#missing") == "Not rated yet: 3, 4, 5."
            _tab_to(page, "#next")
            page.keyboard.press("Enter")
        content = _saved(page, tmp_path / "ben.json")
        assert found.violations() == []
    scores = {
        (t["item"], r["stimulus"]): r["score"] for t in content["trials"] for r in t["ratings"]
    }
    assert scores == given
    rows = {
        (row["system"], row["minus"]): row
        for row in _command(tmp_path / "ben.json", mushra, capsys)
    }
    assert float(rows["hidden reference", ""]["mean"]) == 100.0
    first = blind_tests.CODECS[0]
    of_first = [score for (_, s), score in given.items() if key.stimuli[s].system == first]
    assert float(rows[first, ""]["mean"]) == pytest.approx(sum(of_first) / 3)


def test_what_was_done_can_be_saved(
    mushra: Path, tmp_path: Path, pages: list[Opened], capsys: pytest.CaptureFixture[str]
) -> None:
    with opened(mushra / "index.html") as found:
        pages.append(found)
        page = found.page
        _begin(page, "Cleo")
        for index in range(1, 6):
            page.keyboard.press(str(index))
            page.keyboard.press("Home")
        _tab_to(page, "#next")
        page.keyboard.press("Enter")
        _tab_to(page, "#stop")
        page.keyboard.press("Enter")
        assert page.inner_text("#thanks") == "1 of 3 trials done. Thank you."
        content = _saved(page, tmp_path / "cleo.json")
        assert page.input_value("#text") == (tmp_path / "cleo.json").read_text()
    assert len(content["trials"]) == 1
    rows = _command(tmp_path / "cleo.json", mushra, capsys)
    assert {row["n"] for row in rows} == {"1"}


def test_orders_come_from_the_seed_and_the_listener(mushra: Path, pages: list[Opened]) -> None:
    with opened(mushra / "index.html") as found:
        pages.append(found)
        plan = "(name) => { plan(name, ''); return planned.map((t) => [t.item, ...t.stimuli]); }"
        orders = {name: found.page.evaluate(plan, name) for name in ("anna", "ben", "cleo")}
        assert found.page.evaluate(plan, "anna") == orders["anna"]
        assert len({json.dumps(order) for order in orders.values()}) == 3
        # Every version is in every place about equally often: 5 places, 600 trials.
        counts = found.page.evaluate(
            """() => {
              const counts = {};
              for (let n = 0; n < 200; n++) {
                plan("anna", "sitting " + n);
                for (const { stimuli } of planned)
                  stimuli.forEach((s, place) => ((counts[s] ??= [0, 0, 0, 0, 0])[place] += 1));
              }
              return Object.values(counts);
            }"""
        )
        assert len(counts) == 15
        # Binomial, 200 times one fifth: 40 and a deviation of 5.7; the seed is fixed.
        assert all(15 < count < 65 for each in counts for count in each)


def test_x_is_a_coin(abx: Path, pages: list[Opened]) -> None:
    with opened(abx / "index.html") as found:
        pages.append(found)
        # Of 1000 trials of 200 sittings: how often X is A, and how often A is one stimulus.
        counts = found.page.evaluate(
            """() => {
              const counts = [0, 0, 0];
              for (let n = 0; n < 200; n++) {
                plan("anna", "sitting " + n);
                for (const { stimuli, x } of planned) {
                  const first = [...stimuli].sort()[0];
                  counts[0] += x === stimuli[0];
                  counts[1] += stimuli[0] === first;
                  counts[2] += x === first;
                }
              }
              return counts;
            }"""
        )
        # Binomial, 1000 times one half: a deviation of 16; the seed is fixed.
        assert all(430 < count < 570 for count in counts), counts
