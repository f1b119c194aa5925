"""The command line: flags, exit statuses, what is printed where."""

from __future__ import annotations

import argparse
import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import audio_fixtures
import numpy as np
import pytest

from sqbench.cli import COMMANDS, main, parser

FLAGS = {
    "train": set(),  # its actions' options are the trainer's
    "run": {
        "--codec", "--suite", "--metrics", "--evaluators", "--data", "--domain", "--out",
        "--weights", "--protocol", "--limit", "--workers", "--device",
        "--batch-size", "--seed", "--save-audio", "--force", "--hosts", "--codec-timeout",
        "--codec-memory", "--debug", "--config", "--progress", "--quiet", "--json",
        "--engine", "--shard", "--streaming",
    },
    "plan": {
        "--codec", "--suite", "--metrics", "--evaluators", "--data", "--domain", "--weights",
        "--protocol", "--device", "--nodes", "--cpus", "--gpus", "--hosts", "--batch-size",
        "--results", "--sample", "--prices", "--start-s", "--clip-ms", "--slow-share", "--losses",
        "--seed", "--format",
    },
    "table": {
        "--format", "--ablation", "--sort", "--paper", "--ci", "--failures", "--source",
        "--protocol", "--codec", "--all-versions", "--suite", "--bold", "--columns", "--digits",
        "--rename", "--caption", "--label",
    },
    "results": set(),
    "compare": {"--results", "--format", "--source", "--protocol", "--all-versions"},
    "score": {"--ref", "--est", "--metrics", "--protocol", "--workers", "--format"},
    "codecs": {"--format", "--all", "--weights", "--device"},
    "metrics": {"--recommend"},
    "agreement": {
        "--estimates", "--format", "--group", "--keep-all", "--key", "--margin", "--metrics",
        "--name", "--out", "--plot", "--protocol", "--references", "--seed", "--to", "--workers",
    },
    "complexity": {
        "--codec", "--convention", "--format", "--speed", "--weights", "--device", "--threads",
    },
    "tokens": {"--codec", "--data", "--domain", "--out", "--weights", "--device", "--limit",
               "--format", "--to", "--robustness"},
    "listen": {"--codec", "--data", "--domain", "--clips", "--utterance", "--seconds", "--out",
               "--weights", "--device", "--single-file", "--match-level", "--blind", "--pair",
               "--trials", "--seed"},
    "report": {
        "--out", "--site", "--title", "--embed-audio", "--cost", "--bd", "--codec", "--source",
        "--protocol", "--all-versions",
    },
    "plot": {
        "--out", "--x", "--y", "--paper", "--ci", "--width", "--height", "--dpi", "--codec",
        "--source", "--protocol", "--all-versions",
    },
    "export-onnx": {"--codec", "--weights", "--out", "--int8", "--data", "--domain", "--limit",
                    "--format"},
    "doctor": {"--format", "--full", "--all"},
    "fetch": {"--codec", "--revision", "--progress", "--quiet"},
    "encode": {"--out", "--codec", "--weights", "--device"},
    "decode": {"--out", "--codec", "--weights", "--device"},
    "data": set(),
    "quantize": {
        "--matrix", "--estimator", "--quantizer", "--bits", "--seeds", "--out", "--workers",
        "--force", "--check", "--plots", "--format", "--method", "--page",
    },
    "export": {
        "--to", "--format", "--codec", "--failures", "--source", "--protocol", "--all-versions",
    },
}  # fmt: skip


def _commands() -> dict[str, argparse.ArgumentParser]:
    (action,) = (a for a in parser()._actions if isinstance(a, argparse._SubParsersAction))
    return dict(action.choices)


def test_the_flags_are_these() -> None:
    assert set(COMMANDS) == set(FLAGS)
    for name, command in _commands().items():
        found = {o for a in command._actions for o in a.option_strings if o.startswith("--")}
        assert found - {"--help"} == FLAGS[name], name


@pytest.mark.parametrize(
    "arguments", [["--help"], ["run", "--help"], ["quantize", "--help"], ["--version"]]
)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    script = (
        "import sys\nfrom sqbench.cli import main\n"
        f"try: main({arguments!r})\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'pandas', 'scipy', 'soundfile', 'datasets', 'rich'} & set(sys.modules)\n"
        "print(sorted(heavy), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stderr == "[]\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run"], "--codec"),
        (["run", "--codec", "opus-7k"], "Did you mean"),
        (["run", "--codec", "dac"], "dac has 53: dac-16k-500"),
        (["run", "--codec", "dac"], "dac-* means them all"),
        (["run", "--codec", "@papers"], "expected @paper"),
        (["run", "--codec", "opus-6k", "--data", "/no/such/place"], "/no/such/place"),
        (["run", "--codec", "opus-6k", "--suite", "signals"], "signal"),
        (["run", "--codec", "opus-6k", "--metrics", "sdrr"], "sdr"),
        (["run", "--codec", "opus-6k", "--workers", "0"], "workers"),
        (["table", "/no/such/place"], "/no/such/place"),
        (["run", "--codec", "opus-6k", "--data", ""], "found nothing"),
        (["run", "--codec", "opus-6k", "--out", ""], "--out: expected a path"),
        (["run", "--codec", "opus-6k", "--codec-timeout", "0"], "more than 0"),
        (["run", "--codec", "opus-6k", "--codec-memory", "nan"], "more than 0"),
        (["table", ""], "expected a path"),
        (["data", "check", ""], "found nothing"),
        (["score", "--ref", "", "--est", "x"], "--ref: expected a path"),
        (["train", "run", "--data", "", "--out", "x"], "--data: expected a path"),
        (["fly"], "invalid choice"),
        ([], "COMMAND"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_usage_errors_exit_with_1_and_say_what(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status = main(arguments)
    except SystemExit as stop:
        status = int(stop.code or 0)
    assert status == 1
    printed = capsys.readouterr().err
    assert words in printed
    assert "Traceback" not in printed


def test_run_and_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = audio_fixtures.slt_folder(tmp_path / "data", clips=2)
    out = str(tmp_path / "out")
    command = ["run", "--codec", "opus-6k", "--codec", "mulaw-8", "--data", str(data), "--out", out]
    assert main(command) == 0
    capsys.readouterr()
    assert main(["table", out, "--format", "csv"]) == 0
    printed = capsys.readouterr().out
    assert printed.splitlines()[0] == (
        "model,bitrate_bps,measured_bps,num_codebooks,macs_g,params_m,"
        "sdr,mel,stoi,pesq,audio_sdr,audio_mel"
    )
    rows = {row["model"]: row for row in csv.DictReader(io.StringIO(printed))}
    assert float(rows["mulaw-8"]["sdr"]) > float(rows["opus-6k"]["sdr"])
    assert float(rows["opus-6k"]["measured_bps"]) == pytest.approx(6000, rel=0.05)
    assert rows["opus-6k"]["macs_g"] == ""
    for format in ("rich", "markdown", "latex", "json"):
        assert main(["table", out, "--format", format, "--paper", "--ci"]) == 0
        assert "opus-6k" in capsys.readouterr().out
    assert main(["compare", "opus-6k", "mulaw-8", "--results", out]) == 0
    assert "mulaw-8" in capsys.readouterr().out
    assert main(["export", out, "--to", str(tmp_path / "sent"), "--codec", "opus-6k"]) == 0
    assert list((tmp_path / "sent").iterdir())


def test_missing_scores_exit_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = audio_fixtures.slt_folder(tmp_path / "data", clips=1)
    command = ["run", "--codec", "silence", "--data", str(data), "--out", str(tmp_path / "out")]
    assert main(command) == 2
    printed = capsys.readouterr().err
    assert "the estimate is silent" in printed
    assert "4 failed" in printed


def test_score_prints_one_object_per_utterance_and_metric(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = audio_fixtures.babble(1.0)
    for name in ("a/one", "two"):
        audio_fixtures.write_wav(tmp_path / f"ref/{name}.wav", clip)
        audio_fixtures.write_wav(tmp_path / f"est/{name}.flac", 0.9 * clip + 0.01)
    audio_fixtures.write_wav(tmp_path / "ref/alone.wav", clip)
    audio_fixtures.write_wav(tmp_path / "ref/same.wav", clip)
    audio_fixtures.write_wav(tmp_path / "est/same.wav", clip)
    status = main(
        ["score", "--ref", str(tmp_path / "ref"), "--est", str(tmp_path / "est"), "--format",
         "jsonl", "--metrics", "sdr,mel"]
    )  # fmt: skip
    assert status == 2
    printed = capsys.readouterr()
    rows = [json.loads(line) for line in printed.out.splitlines()]
    assert all(set(row) == {"id", "metric", "value", "reason"} for row in rows)
    found = {(row["id"], row["metric"]): row for row in rows}
    assert len(found) == len(rows) == 8
    assert np.isfinite(found["a/one.wav", "sdr"]["value"])
    assert found["a/one.wav", "sdr"]["reason"] is None
    assert found["alone.wav", "mel"]["value"] is None
    assert "alone.wav" in found["alone.wav", "mel"]["reason"]
    assert found["same.wav", "sdr"]["value"] is None
    assert found["same.wav", "sdr"]["reason"].startswith("identical")
    assert found["same.wav", "mel"]["value"] == 0.0


@pytest.mark.parametrize("format", ["table", "csv"])
def test_score_of_complete_folders(
    format: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = audio_fixtures.babble(1.0)
    audio_fixtures.write_wav(tmp_path / "ref/one.wav", clip)
    audio_fixtures.write_wav(tmp_path / "est/one.wav", 0.8 * clip + 0.01)
    command = ["score", "--ref", str(tmp_path / "ref"), "--est", str(tmp_path / "est")]
    assert main([*command, "--format", format]) == 0
    printed = capsys.readouterr().out
    assert "one.wav" in printed
    assert "pesq" in printed


def test_codecs_lists_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["codecs", "--format", "json"]) == 0
    listed = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert listed["sqcodec-6k"]["bitrate_bps"] == pytest.approx(5989.0, abs=0.1)
    assert {"sqcodec-750", "sqcodec-24k-24khz", "opus-24k", "identity", "silence"} <= set(listed)
    assert main(["codecs", "--all"]) == 0
    assert "sqcodec-12k-24khz" in capsys.readouterr().out


def test_codecs_by_family_in_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["codecs"]) == 0
    printed = capsys.readouterr().out
    table, _, _ = printed.partition("\n\n")
    assert len(table.splitlines()) < 35
    assert max(map(len, table.splitlines())) <= 80
    assert main(["codecs", "dac", "opus-6k"]) == 0
    printed = capsys.readouterr().out
    assert "dac-16k-500" in printed
    assert "opus-6k" in printed
    assert "encodec" not in printed


def test_metrics_lists_every_metric(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["metrics"]) == 0
    printed = capsys.readouterr().out
    for name in ("sdr", "mel", "stoi", "pesq", "pesq-resampled", "estoi", "si-sdr"):
        assert name in printed


def test_data_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = audio_fixtures.slt_folder(tmp_path / "data", clips=1)
    assert main(["data", "check", str(data)]) == 0
    assert "librispeech" in capsys.readouterr().out
    (data / "samples/esc50/bad.wav").write_bytes(b"")
    assert main(["data", "check", str(data)]) == 2
    assert "bad.wav" in capsys.readouterr().out


WIDE = "a_long_name_of_a_clip_as_people_have_them_and_then_some_more"


@pytest.mark.parametrize(
    "arguments",
    [["metrics"], ["doctor"], ["codecs"], ["codecs", "dac"], ["data", "check", "mini"],
     ["score", "--ref", "ref", "--est", "ref", "--workers", "1"]],
    ids=" ".join,
)  # fmt: skip
def test_screens_of_80_columns(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """No table is wider than a terminal, and nothing in one is cut off."""
    monkeypatch.chdir(tmp_path)
    audio_fixtures.write_wav(tmp_path / "ref" / f"{WIDE}.wav", audio_fixtures.babble(1.0))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(arguments) == 0
    printed = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    # Lines of text, commands to be copied among them, are left for the terminal to break.
    table = printed.partition("To enable more:")[0].partition("\n\n")[0]
    assert "…" not in table
    lines = [line for line in table.splitlines() if not line.startswith(("not of", WIDE[:80]))]
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("command", "option"),
    [
        (["run"], "--metrics"),
        (["run"], "--evaluators"),
        (["score", "--ref", "a", "--est", "b"], "--metrics"),
        (["quantize"], "--quantizer"),
        (["quantize"], "--bits"),
        (["agreement", "r.csv"], "--metrics"),
    ],
)
def test_a_list_given_twice_is_one_list(command: list[str], option: str) -> None:
    found = parser().parse_args([*command, option, "a", option, "b,c"])
    assert getattr(found, option.lstrip("-")) == "a,b,c"
