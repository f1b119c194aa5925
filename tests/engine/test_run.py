"""A run as a whole: resume, invariants, failures."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import weakref
from pathlib import Path
from typing import Any

import audio_fixtures
import broken_parts
import numpy as np
import pytest
import soundfile

import sqbench
from sqbench.cli import main
from sqbench.store import reader as store
from sqbench.store.record import Record
from sqbench_codecs.controls import MuLaw8
from sqcodec.errors import InputError

FAST = ["sdr", "mel"]
SLOW_CODEC = f"{broken_parts.__file__}:Slow"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return audio_fixtures.slt_folder(tmp_path / "data")


def _scores(out: Path) -> dict[tuple[str, str, str], Any]:
    return {
        (r["codec"], r["utterance"], r["metric"] or ""): r["value"]
        for r in store.load(out).records
        if r["kind"] == "score"
    }


def _lines(out: Path) -> int:
    return sum(len(p.read_text().splitlines()) for p in out.glob("*/records.jsonl"))


def test_protocol_metrics_by_category(data: Path, tmp_path: Path) -> None:
    results = sqbench.evaluate("mulaw-8", str(data), out=tmp_path / "out")
    frame = results.frame
    assert set(frame[frame.category == "speech"].metric) == {"sdr", "mel", "stoi", "pesq"}
    assert set(frame[frame.category == "audio"].metric) == {"sdr", "mel"}
    assert (frame.status == "ok").all()
    assert len(frame) == 3 * 4 + 3 * 2
    row = results.summary().iloc[0]
    means = frame[(frame.category == "speech") & (frame.metric == "sdr")].value
    assert row.sdr == pytest.approx(means.mean(), abs=1e-12)


def test_values_do_not_depend_on_workers_or_batch_size(data: Path, tmp_path: Path) -> None:
    outs = []
    for name, workers, batch in (("a", 1, 1), ("b", 3, 8)):
        sqbench.evaluate(
            ["mulaw-8", "opus-6k"],
            str(data),
            out=tmp_path / name,
            workers=workers,
            batch_size=batch,
        )
        outs.append(_scores(tmp_path / name))
    assert outs[0] == outs[1]
    summaries = [sqbench.Results.load(tmp_path / n).summary() for n in "ab"]
    columns = ["sdr", "mel", "stoi", "pesq", "audio_sdr", "audio_mel", "measured_bps"]
    np.testing.assert_array_equal(summaries[0][columns], summaries[1][columns])


def test_running_again_computes_nothing(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    sqbench.evaluate("mulaw-8", str(data), metrics=FAST, out=out)
    before = _lines(out)
    sqbench.evaluate("mulaw-8", str(data), metrics=FAST, out=out)
    assert _lines(out) == before


def test_a_new_metric_computes_that_metric_only(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    sqbench.evaluate("mulaw-8", str(data), metrics=["sdr"], out=out)
    before = _lines(out)
    sqbench.evaluate("mulaw-8", str(data), metrics=["sdr", "si-sdr"], out=out)
    assert _lines(out) == before + 6
    assert {metric for _, _, metric in _scores(out)} == {"sdr", "si-sdr"}


def test_more_data_computes_the_rest_only(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    sqbench.evaluate("mulaw-8", str(data), metrics=["sdr"], out=out, limit=1)
    assert len(_scores(out)) == 2
    before = _lines(out)
    sqbench.evaluate("mulaw-8", str(data), metrics=["sdr"], out=out)
    assert len(_scores(out)) == 6
    assert _lines(out) == before + 2 * 4  # a coding and a score record each


def test_changed_audio_is_computed_again(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    sqbench.evaluate("mulaw-8", str(data), metrics=["sdr"], out=out)
    before = _scores(out)
    changed = data / "samples/librispeech/s0.wav"
    audio_fixtures.write_wav(changed, audio_fixtures.babble(1.2, seed=99))
    results = sqbench.evaluate("mulaw-8", str(data), metrics=["sdr"], out=out)
    after = _scores(out)
    assert {k for k in after if after[k] != before[k]} == {("mulaw-8", "librispeech/s0.wav", "sdr")}
    assert results.summary().iloc[0].complete


def test_two_folders_of_one_name_do_not_mix(tmp_path: Path) -> None:
    """A, B, then A again, which computes nothing: the table is A's."""
    out = tmp_path / "out"
    means = []
    for place, seed in (("a", 0), ("b", 50), ("a", 0)):
        root = tmp_path / place / "eval"
        audio_fixtures.write_wav(root / "one.wav", audio_fixtures.babble(0.6, seed=seed))
        results = sqbench.evaluate("mulaw-8", str(root), metrics=["mel"], out=out, domain="speech")
        means.append(results.summary().iloc[0].mel)
    assert means[0] == means[2] != means[1]


def test_a_corrected_domain_moves_the_scores(tmp_path: Path) -> None:
    out = tmp_path / "out"
    audio_fixtures.write_wav(tmp_path / "d/one.wav", audio_fixtures.babble(0.6))
    for domain in ("speech", "general"):
        results = sqbench.evaluate(
            "mulaw-8", str(tmp_path / "d"), metrics=["sdr"], out=out, domain=domain
        )
    summary = results.summary()
    assert summary.iloc[0].audio_sdr > 0
    assert "sdr" not in summary or summary.isna().iloc[0].sdr


def test_a_bad_file_that_is_deleted_is_forgotten(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    bad = data / "samples/librispeech/bad.wav"
    bad.write_bytes(b"")
    assert not sqbench.evaluate("mulaw-8", str(data), out=out).summary().iloc[0].complete
    bad.unlink()
    assert sqbench.evaluate("mulaw-8", str(data), out=out).summary().iloc[0].complete


def test_asked_for_twice_is_computed_once(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    sqbench.evaluate(["mulaw-8", "mulaw-8"], str(data), metrics=["sdr"], out=out)
    assert _lines(out) == 2 * 6


def test_files_of_the_working_folder_do_not_become_modules(tmp_path: Path) -> None:
    audio_fixtures.write_wav(tmp_path / "clips/one.wav", audio_fixtures.babble(21.0))
    for name in ("random.py", "pesq.py"):
        (tmp_path / name).write_text("raise SystemExit(7)\n")
    entry = "import sys; sys.path.remove(''); from sqbench.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", entry, "run", "--codec", "mulaw-8", "--data", "clips", "--domain",
         "speech", "--metrics", "sdr,pesq"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_memory_does_not_grow_with_the_data(data: Path, tmp_path: Path) -> None:
    """Nothing keeps the audio of what is done."""
    tracker: list[weakref.ref[Any]] = []

    class Watched(MuLaw8):
        def decode(self, codes: Any, lengths: Any) -> list[Any]:
            decoded = super().decode(codes, lengths)
            tracker.extend(weakref.ref(x) for x in decoded)
            assert sum(ref() is not None for ref in tracker) <= 5
            return decoded

    for i in range(12):
        audio_fixtures.write_wav(data / f"samples/esc50/x{i}.wav", audio_fixtures.babble(0.3))
    sqbench.evaluate(
        Watched(), str(data), metrics=["mel"], out=tmp_path / "out", batch_size=1, workers=1
    )
    assert len(tracker) == 18


def test_a_codec_that_breaks_while_loading_does_not_stop_the_others(
    data: Path, tmp_path: Path
) -> None:
    file = tmp_path / "boom.py"
    file.write_text(
        "from sqbench_codecs.controls import MuLaw8\n"
        "class Boom(MuLaw8):\n"
        "    def __init__(self, *a, **k): raise RuntimeError('boom')\n"
    )
    with pytest.warns(UserWarning, match="boom"):
        results = sqbench.evaluate(
            [f"{file}:Boom", "mulaw-8"], str(data), metrics=["sdr"], out=tmp_path / "out"
        )
    assert list(results.summary().index) == ["mulaw-8"]


def test_saved_clips_whose_names_differ_after_the_dot_are_two_files(tmp_path: Path) -> None:
    manifest = tmp_path / "m.jsonl"
    rows = []
    for name in ("clip.1", "clip.2"):
        audio_fixtures.write_wav(tmp_path / f"{name}.wav", audio_fixtures.babble(0.4))
        row = {"path": f"{name}.wav", "id": name, "dataset": "d", "domain": "speech"}
        rows.append(json.dumps(row))
    manifest.write_text("\n".join(rows))
    out = tmp_path / "out"
    sqbench.evaluate("mulaw-8", str(manifest), metrics=["sdr"], out=out, save_audio=True)
    assert len(list(out.glob("*/audio/mulaw-8/*.wav"))) == 2


def test_force_computes_again(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    sqbench.evaluate("mulaw-8", str(data), metrics=["sdr"], out=out)
    before = _lines(out)
    sqbench.evaluate("mulaw-8", str(data), metrics=["sdr"], out=out, force=True)
    assert _lines(out) == 2 * before


def test_killed_and_run_again(data: Path, tmp_path: Path) -> None:
    """SIGKILL in the middle: what was on the disk stays, the rest is added, the end is the same."""
    command = [
        sys.executable, "-m", "sqbench", "run", "--codec", SLOW_CODEC, "--data", str(data),
        "--metrics", "sdr,mel", "--batch-size", "1", "--workers", "1", "--out",
    ]  # fmt: skip
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert subprocess.run([*command, str(whole)], capture_output=True).returncode == 0
    process = subprocess.Popen([*command, str(killed)], stderr=subprocess.DEVNULL)
    while not (killed.is_dir() and _lines(killed) >= 4):
        assert process.poll() is None, "ended before it could be killed"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = _scores(killed)
    assert 0 < len(kept) < 12
    done = subprocess.run([*command, str(killed)], capture_output=True, text=True)
    assert done.returncode == 0
    assert f"{12 - len(kept)} scored, {len(kept)} were there already" in done.stderr
    assert _scores(killed) == _scores(whole)
    assert all(_scores(killed)[key] == value for key, value in kept.items())
    tables = [
        subprocess.run(
            [sys.executable, "-m", "sqbench", "table", str(out), "--format", "csv"],
            capture_output=True, check=True,
        ).stdout
        for out in (whole, killed)
    ]  # fmt: skip
    assert tables[0] == tables[1]


def test_a_metric_that_kills_its_worker_costs_its_own_score_only(tmp_path: Path) -> None:
    root = tmp_path / "clips"
    for i, peak in enumerate((0.3, 0.99, 0.4)):
        clip = audio_fixtures.babble(0.6, seed=i)
        audio_fixtures.write_wav(root / f"c{i}.wav", clip * peak / abs(clip).max())
    killer = f"{broken_parts.__file__}:Killer"
    results = sqbench.evaluate(
        "mulaw-8", str(root), metrics=["sdr", killer], out=tmp_path / "out", domain="speech"
    )
    frame = results.frame.set_index(["utterance", "metric"])
    assert (frame.xs("sdr", level="metric").status == "ok").all()
    assert frame.loc[("c1.wav", "killer"), "status"] == "failed"
    assert "SIGSEGV" in str(frame.loc[("c1.wav", "killer"), "reason"])
    assert frame.loc[("c0.wav", "killer"), "value"] == 1.0


def test_one_bad_clip_does_not_take_its_batch_along(tmp_path: Path) -> None:
    data = audio_fixtures.slt_folder(tmp_path / "data")  # s2 has 22400 samples, e* 26460
    results = sqbench.evaluate(
        broken_parts.Choosy(), str(data), metrics=["sdr"], out=tmp_path / "out"
    )
    frame = results.frame.set_index("utterance")
    assert frame.loc["librispeech/s0.wav", "status"] == "ok"
    assert frame.loc["librispeech/s2.wav", "status"] == "failed"
    assert "too long for me" in str(frame.loc["librispeech/s2.wav", "reason"])
    assert not results.summary().iloc[0].complete


@pytest.mark.parametrize("codec", [broken_parts.WrongLength(), broken_parts.OutOfRange()])
def test_a_codec_that_breaks_its_contract_gets_no_score(
    codec: Any, data: Path, tmp_path: Path
) -> None:
    frame = sqbench.evaluate(codec, str(data), metrics=["sdr"], out=tmp_path / "out").frame
    assert (frame.status == "failed").all()
    assert frame.reason.str.contains("expected").all()
    assert frame.value.isna().all()


def test_identity_is_identical_and_out_of_the_means(data: Path, tmp_path: Path) -> None:
    results = sqbench.evaluate("identity", str(data), out=tmp_path / "out")
    frame = results.frame
    assert (frame[frame.metric == "sdr"].status == "identical").all()
    assert frame[frame.metric == "stoi"].value.to_numpy() == pytest.approx(1.0)
    assert results.summary().isna().iloc[0].sdr


def test_save_audio_scores_the_same_as_the_run(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    results = sqbench.evaluate("resample-8k", str(data), out=out, save_audio=True)
    (run,) = out.iterdir()
    again = sqbench.score_folders(data / "samples", run / "audio/resample-8k", ["sdr", "mel"])
    frame = results.frame.set_index(["utterance", "metric"])
    scores = list(again)
    assert len(scores) == 12
    for score in scores:
        assert score.measurement.value == frame.loc[(score.id, score.metric), "value"]


def test_hostile_files(tmp_path: Path) -> None:
    """Each bad file is one clear failure; the good ones are scored."""
    root = tmp_path / "hostile"
    good = audio_fixtures.babble(1.0)
    audio_fixtures.write_wav(root / "good.wav", good)
    audio_fixtures.write_wav(root / "rate8k.wav", audio_fixtures.babble(1.0, 8000), 8000)
    stereo = np.stack([audio_fixtures.babble(1.0, 96000), np.zeros(96000)], axis=1)
    audio_fixtures.write_wav(root / "stereo96k.wav", stereo, 96000, "PCM_24")
    audio_fixtures.write_wav(root / "short.wav", good[8000:8320])
    audio_fixtures.write_wav(root / "zeros.wav", np.zeros(16000))
    (root / "empty.wav").write_bytes(b"")
    (root / "text.wav").write_text("this is not audio\n" * 20)
    whole = (root / "good.wav").read_bytes()
    (root / "header.wav").write_bytes(whole[:20])
    bad = good.astype(np.float32)
    bad[100] = np.nan
    soundfile.write(str(root / "nan.wav"), bad, 16000, subtype="FLOAT")
    command = [
        sys.executable, "-m", "sqbench", "run", "--codec", "mulaw-8", "--data", str(root),
        "--domain", "speech", "--out", str(tmp_path / "out"),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    records = {
        (r["utterance"], r["metric"]): r
        for r in store.load(tmp_path / "out").records
        if r["kind"] == "score"
    }
    assert len(records) == 9 * 4
    for name in ("good.wav", "rate8k.wav", "stereo96k.wav"):
        for metric in ("sdr", "mel", "stoi", "pesq"):
            assert records[name, metric]["status"] == "ok", (name, metric)
    reasons = {
        "empty.wav": "empty file",
        "text.wav": "expected audio",
        "header.wav": "expected",
        "nan.wav": "NaN",
    }
    for name, words in reasons.items():
        record = records[name, "sdr"]
        assert record["status"] == "failed"
        assert record["value"] is None
        assert words in str(record["reason"])
        assert name in str(record["reason"])
        assert name in done.stderr
    assert records["short.wav", "sdr"]["status"] == "ok"
    for metric in ("mel", "stoi", "pesq"):
        assert records["short.wav", metric]["status"] == "undefined", metric
    assert records["zeros.wav", "sdr"]["status"] == "undefined"


def test_a_codec_that_cannot_load_does_not_stop_the_others(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-m", "sqbench", "run", "--codec", "sqcodec-3k", "--weights",
         str(tmp_path / "nowhere"), "--codec", "mulaw-8", "--metrics", "sdr", "--data", str(data),
         "--out", str(out)],
        capture_output=True, text=True, env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "nowhere" in done.stderr
    assert len(_scores(out)) == 6


def test_nothing_that_can_load_is_an_error(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        sqbench.evaluate(
            "sqcodec-3k", str(data), weights=str(tmp_path / "nowhere"), out=tmp_path / "out"
        )
    assert not (tmp_path / "out").exists()


def test_the_run_record_says_what_made_the_numbers(data: Path, tmp_path: Path) -> None:
    sqbench.evaluate("opus-6k", str(data), metrics=["sdr"], out=tmp_path / "out", limit=2)
    (file,) = (tmp_path / "out").glob("*/run.json")
    run = json.loads(file.read_text())
    assert run["status"] == "finished"
    assert run["codecs"][0]["settings"]["vbr"] == "off"
    assert run["metrics"] == {"sdr": 1}
    assert run["source"]["selected"] == 4
    assert run["source"]["total"] == 6
    assert run["source"]["expected"]["librispeech"]["utterances"] == 2
    assert {"torch", "numpy", "pesq"} <= set(run["environment"]["packages"])


def test_a_misspelt_codec_costs_nothing(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Did you mean"):
        sqbench.evaluate(["mulaw-8", "opus-6kk"], str(data), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_records_are_plain_json(data: Path, tmp_path: Path) -> None:
    sqbench.evaluate("silence", str(data), out=tmp_path / "out", limit=1)
    for file in (tmp_path / "out").glob("*/records.jsonl"):
        for line in file.read_text().splitlines():
            assert set(json.loads(line)) == set(Record.__required_keys__)


class Recording(MuLaw8):
    """Notes how many clips it is handed at once."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def encode(self, audio: Any) -> Any:
        self.sizes.append(len(audio))
        return super().encode(audio)


def test_large_clips_go_in_smaller_batches(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch is in memory as a whole: two of these clips fit, three do not."""
    largest = max(path.stat().st_size for path in data.glob("samples/*/*.wav"))
    sizes = []
    for limit in (1 << 26, int(2.5 * largest), 1):
        monkeypatch.setattr("sqbench.engine.run.BATCH_BYTES", limit)
        codec = Recording()
        sqbench.evaluate(
            codec, str(data), metrics=["mel"], out=tmp_path / str(limit), batch_size=6, workers=1
        )
        assert sum(codec.sizes) == 6
        sizes.append(max(codec.sizes))
    assert sizes[0] == 6
    assert 1 < sizes[1] < 6
    assert sizes[2] == 1


STOCHASTIC = """
import numpy as np
from sqbench_codecs.controls import MuLaw8

class Drawn(MuLaw8):
    spec = MuLaw8.spec

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.gain = np.random.rand()

    def decode(self, codes, lengths):
        return [np.float32(self.gain) * x for x in super().decode(codes, lengths)]
"""


def test_the_seed_decides_what_a_codec_draws(data: Path, tmp_path: Path) -> None:
    codec = tmp_path / "drawn.py"
    codec.write_text(STOCHASTIC)
    scores = []
    for out, seed in (("a", "0"), ("b", "0"), ("c", "7")):
        arguments = ["run", "--codec", f"{codec}:Drawn", "--data", str(data), "--metrics", "mel"]
        assert main([*arguments, "--limit", "1", "--seed", seed, "--out", str(tmp_path / out)]) == 0
        scores.append(_scores(tmp_path / out))
    assert scores[0] == scores[1] != scores[2]
