"""Tables of ratings: what is read, what is left out, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from sqbench.agreement.ratings import read
from sqbench.errors import InputError


def test_our_own_layout(table: Path) -> None:
    found = read(table)
    assert found.name == table.parent.name
    assert len(found.stimuli) == 9
    first = found.stimuli[0]
    assert (first.item, first.condition, first.rating, first.ratings) == ("item0", "good", 90.0, 3)
    assert first.estimate.name == "good.wav"
    assert first.labels == {"rate": "16k"}
    assert found.notes == ("3 of Anchor have no audio: left out", "3 hidden references left out")


@pytest.mark.parametrize(
    "header",
    [
        "session_test_id,email,trial_id,rating_stimulus,rating_score,rating_time,rating_comment",
        "session_test_id,email,trial_id,stimuli_rating,stimuli,rating_time",
    ],
    ids=["mushra.csv", "lms.csv"],
)
def test_webmushra(header: str, table: Path) -> None:
    names = header.split(",")
    lines = [header]
    for trial in range(3):
        for stimulus, score in (("good", 80), ("bad", 20), ("ref", 100)):
            for listener in range(2):
                values = {
                    "session_test_id": "test", "email": f"{listener}@home", "trial_id": trial,
                    "rating_stimulus": stimulus, "stimuli": stimulus, "rating_score": score,
                    "stimuli_rating": f" {score} ", "rating_time": 3, "rating_comment": "",
                }  # fmt: skip
                lines.append(",".join(str(values[name]) for name in names))
    path = table.parent / "results.csv"
    path.write_text("\n".join(lines) + "\n")
    found = read(
        path, name="mine", estimates="audio/{trial}/{stimulus}.wav",
        references="audio/{trial}/ref.wav",
    )  # fmt: skip
    assert found.name == "mine"
    assert [(s.item, s.condition, s.rating) for s in found.stimuli[:2]] == [
        ("0", "good", 80.0), ("0", "bad", 20.0),
    ]  # fmt: skip
    assert len(found.stimuli) == 6
    with pytest.raises(InputError, match="--estimates and --references"):
        read(path)
    with pytest.raises(InputError, match=r"only \{trial\} and \{stimulus\}"):
        read(path, estimates="{who}.wav", references="{trial}.wav")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "the columns signal"),
        ("", "no header"),
        (
            "signal,condition,estimate,reference,score\nx,good,a.wav,b.wav,much\n",
            r"ratings.csv:2.*a number as score.*much",
        ),
        (
            "signal,condition,estimate,reference,score\nx,good,a.wav,b.wav\n",
            "a value for score",
        ),
        (
            "signal,condition,estimate,reference,score\nx,good,a.wav,b.wav,3\n",
            "stimuli with files",
        ),
        (
            "signal,condition,estimate,reference,score\nx,good,a.wav,b.wav,3\nx,good,c.wav,b.wav,4\n",
            "one stimulus.*2 files",
        ),
    ],
)
def test_tables_that_cannot_be_used(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "ratings.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read(path)


def test_no_table(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a CSV table of ratings"):
        read(tmp_path / "none.csv")
