"""Equal samples are heard once, whoever has them, and everybody gets what was said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import audio_fixtures
import listeners
import numpy as np
import pytest

import sqbench
from sqbench.engine.hearing import Ear, Memory, content_of
from sqbench.store import reader
from sqbench.tasks.base import Clip, TaskData
from sqbench.tasks.evaluators.base import Setting

CODECS = ["identity", "silence", "mulaw-8"]


@pytest.fixture
def data(tmp_path: Path) -> str:
    """Six clips of one length with emotions; the last two are equal."""
    rows = ["path,domain,dataset,speaker,emotion"]
    for i in range(6):
        samples = audio_fixtures.babble(0.5, seed=min(i, 4))
        audio_fixtures.write_wav(tmp_path / "clips" / f"c{i}.wav", samples)
        rows.append(f"c{i}.wav,speech,d,s{i % 3},{'angry' if i % 2 else 'sad'}")
    manifest = tmp_path / "clips" / "m.csv"
    manifest.write_text("\n".join(rows) + "\n")
    return str(manifest)


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "log"
    path.write_text("")
    monkeypatch.setenv(listeners.HEARD, str(path))
    return path


def heard(log: Path) -> int:
    return len(log.read_text().split())


def run(data: str, out: Path, who: str, codecs: Any = CODECS, **more: Any) -> dict[Any, Any]:
    """Observations by codec and clip, after a run."""
    sqbench.evaluate(
        codecs, data, suite="application", evaluators=listeners.named(who), out=out, **more
    )
    found = reader.load(out).observations
    return {(one["codec"], one["utterance"]): one for one in found}


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        # Five different clips (identity's too), one silence, five of mulaw-8.
        ("ALONE", 5 + 1 + 5),
        ("COUNTED", 5 + 1 + 5),
        # Who may mind the clip hears each clip's samples: only identity's are spared.
        ("LOUDNESS", 6 + 6 + 6),
    ],
)
def test_equal_samples_are_heard_once(
    data: str, tmp_path: Path, log: Path, who: str, expected: int
) -> None:
    found = run(data, tmp_path / "out", who)
    assert heard(log) == expected
    assert len(found) == 6 * (1 + len(CODECS)) - 1  # the original of the equal two is one record
    assert all(one["status"] == "ok" for one in found.values())
    for clip in ("c0.wav", "c1.wav"):
        original, identity = found["original", clip], found["identity", clip]
        assert identity["observed"] == original["observed"]
        assert identity["heard_sha256"] == original["heard_sha256"]
        assert found["mulaw-8", clip]["heard_sha256"] != original["heard_sha256"]
    assert found["silence", "c0.wav"]["observed"]["posterior"]["rms"] == 0


@pytest.mark.parametrize("who", ["ALONE", "COUNTED"])
def test_what_is_stored_is_not_heard_again(data: str, tmp_path: Path, log: Path, who: str) -> None:
    out = tmp_path / "out"
    run(data, out, who, "mulaw-8")
    before = heard(log)
    found = run(data, out, who, "identity")
    assert heard(log) == before
    assert found["identity", "c3.wav"]["observed"] == found["original", "c3.wav"]["observed"]
    run(data, out, who, "identity", force=True)
    assert heard(log) == before + 5


def test_records_of_before_are_read_and_tell_nothing_of_samples(
    data: str, tmp_path: Path, log: Path
) -> None:
    out = tmp_path / "out"
    run(data, out, "ALONE", "mulaw-8")
    (file,) = out.glob("*/records.jsonl")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    for line in lines:
        line.pop("heard_sha256", None)
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    before = heard(log)
    found = run(data, out, "ALONE", "identity")
    assert heard(log) == before + 5
    assert found["original", "c0.wav"]["heard_sha256"] is None


@pytest.mark.parametrize("who", ["ALONE", "COUNTED"])
def test_what_fails_fails_for_all_who_have_it(
    data: str, tmp_path: Path, log: Path, who: str
) -> None:
    from sqbench_codecs.controls import Identity

    class Loud(Identity):
        """Ten times as loud, but for the first."""

        def decode(self, codes: Any, lengths: Any) -> Any:
            return [10 * x for x in super().decode(codes, lengths)]

    found = run(data, tmp_path / "out", who, Loud())
    loud = [found["identity", f"c{i}.wav"] for i in range(6)]
    assert {one["status"] for one in loud} == {"failed"}
    assert all("my ears" in one["reason"] for one in loud)
    assert {one["status"] for (codec, _), one in found.items() if codec == "original"} == {"ok"}


def test_content_is_the_samples_and_their_rate() -> None:
    x = np.linspace(-1, 1, 100, dtype=np.float32)
    assert content_of(x, 16000) == content_of(x[::-1][::-1].astype(np.float64), 16000)
    assert content_of(x, 16000) != content_of(x, 8000)
    assert content_of(x, 16000) != content_of(-x, 16000)


def test_who_asks_before_it_is_said_is_told() -> None:
    setting = Setting(source=None, device="cpu", data=TaskData(clips={}), hashes={})
    ear: Ear[str] = Ear(listeners.Alone(setting), Memory())
    a, b = (Clip(id=name, dataset="d", label="") for name in "ab")
    first, second = ear.ask("x", a, "one"), ear.ask("x", b, "two")
    assert (first.hear, second.hear) == (True, False)
    assert ear.tell(first.key, {"label": "sad"}) == ["one", "two"]
    assert ear.ask("x", a, "three").said == {"label": "sad"}
    # What failed is tried again.
    assert ear.tell(ear.ask("y", a, "four").key, None) == ["four"]
    assert ear.ask("y", a, "five").hear
