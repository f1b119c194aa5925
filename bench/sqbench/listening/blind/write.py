"""The folder of a blind test: the page to send, and the key, with its audio, to keep."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sqbench import audio
from sqbench.atomic import write_json, write_text
from sqbench.errors import InputError
from sqbench.listening import kept
from sqbench.listening.blind import key as keys
from sqbench.listening.blind import results
from sqbench.listening.blind.design import Test
from sqbench.listening.page import templates
from sqbench.listening.write import sound_uri

KEY_FOLDER = "key"


def _check(out: Path, test: Test) -> None:
    """Refuse a folder with the key of another test: answers to it could never be read again."""
    path = out / KEY_FOLDER / keys.NAME
    if not path.exists():
        return
    there = keys.read(path).test
    if there != test.id:
        raise InputError(
            str(path), expected="no key, or that of the same test", found=f"test {there}",
            remedy="Name another folder with --out: without this key its answers cannot be read.",
        )  # fmt: skip


def write(test: Test, out: Path, command: str = "") -> Path:
    """Write the key first, then the page, which is returned.

    Args:
        command: kept in the key; the page does not tell it.

    Raises:
        InputError: the folder cannot be written to, or holds the key of another test.
    """
    _check(out, test)
    folder = out / KEY_FOLDER
    for stimulus in test.stimuli:
        audio.write_pcm16(
            folder / f"{stimulus.id}.wav", stimulus.sound.samples, stimulus.sound.rate
        )
    write_json(folder / keys.NAME, keys.content(test, command))
    page = out / "index.html"
    write_text(page, render(test))
    if (out / kept.LIST).exists():  # an earlier page that was not blind: its files tell names
        kept.replace(out, [page.name])
    return page


def render(test: Test) -> str:
    """The page. Of codecs and clips it has opaque names and sounds."""
    sounds: Sequence[tuple[str, str]] = [(s.id, sound_uri(s.sound)) for s in test.stimuli]
    roles = {s.id: s.role for s in test.stimuli}
    # The reference that is named has a sound of its own: the hidden one is not told by a name.
    references = {
        s.item: (f"r{s.item[1:]}", uri)
        for s, (_, uri) in zip(test.stimuli, sounds, strict=True)
        if roles[s.id] == "reference"
    }
    heard = {name for trial in test.trials for name in trial.stimuli}
    shown = [each for each in sounds if each[0] in heard]
    gains = {s.id: s.gain for s in test.stimuli if s.id in heard}
    if test.method == "mushra":
        shown += references.values()
        gains |= {references[s.item][0]: s.gain for s in test.stimuli if roles[s.id] == "reference"}
    return templates().get_template("blind/page.html.j2").render(
        test=test,
        # By name: their order says nothing of what they are.
        sounds=sorted(shown),
        data={
            "format": results.FORMAT,
            "version": results.VERSION,
            "method": test.method,
            "test": test.id,
            "seed": test.seed,
            "level_matched": test.match_level,
            "gains": dict(sorted(gains.items())),
            "trials": [
                {
                    "item": trial.item,
                    "stimuli": sorted(trial.stimuli),
                    "reference": references[trial.item][0] if test.method == "mushra" else None,
                }
                for trial in test.trials
            ],
        },
    )  # fmt: skip
