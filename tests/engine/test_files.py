"""Runs over files as people have them: names, formats, domains, stretches."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import audio_fixtures
import numpy as np
import pytest
import soundfile

import sqbench
from sqbench import audio
from sqbench.cli import main
from sqbench.data.pairing import Namesakes, match_folders, saved_names
from sqbench.data.resolve import open_source

LONG = "ü" * 122  # 244 bytes
NAMES = (
    "x.wav",
    "x.mp3.wav",
    "x.flac",
    "y.WAV",
    "deep/Song [dQw4w9WgXcQ].wav",
    "deep/a [/b] :cat: 😀.aiff",
    "deep/back\\slash.au",
    unicodedata.normalize("NFC", "é.flac"),
    unicodedata.normalize("NFD", "ö.flac"),
    f"{LONG}.flac",
)
RUN = ("run", "--codec", "mulaw-8", "--metrics", "sdr", "--workers", "1", "--save-audio")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed, name in enumerate(NAMES):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        samples = audio_fixtures.babble(0.5, seed=seed)
        kind = {"aiff": "AIFF", "au": "AU", "flac": "FLAC"}.get(name.rsplit(".", 1)[1], "WAV")
        soundfile.write(path, samples, 16000, format=kind, subtype="PCM_16")
    return tmp_path / "data"


def test_one_clip_one_file_and_scoring_pairs_them(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main([*RUN, "--data", str(folder), "--out", str(out)]) == 0
    (saved,) = out.rglob("audio/mulaw-8")
    files = sorted(str(p.relative_to(saved)) for p in saved.rglob("*") if p.is_file())
    assert len(files) == len(NAMES)
    assert {"x.wav", "x.mp3.wav", "x.flac.wav", "y.wav", f"{LONG}.wav"} <= set(files)
    capsys.readouterr()
    score = ["score", "--metrics", "sdr", "--workers", "1"]
    arguments = [*score, "--ref", str(folder), "--est", str(saved)]
    assert main([*arguments, "--format", "jsonl"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    recorded = sqbench.Results.load(out).frame.set_index("utterance")["value"]
    assert {row["id"] for row in rows} == set(recorded.index) == set(NAMES)
    for row in rows:
        assert row["value"] == pytest.approx(recorded[row["id"]], abs=1e-3)
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "Song [dQw4w9WgXcQ].wav" in printed
    assert "a [/b] :cat: 😀.aiff" in printed
    # And as somebody else's decoded audio.
    again = tmp_path / "again"
    run = ["run", "--codec", f"folder:{saved}", "--metrics", "sdr", "--workers", "1"]
    assert main([*run, "--data", str(folder), "--out", str(again)]) == 0


def test_a_name_that_is_refused_costs_its_clip(tmp_path: Path) -> None:
    data = tmp_path / "data"
    longest = "n" * 251  # with a suffix of two letters it fits, with .wav it does not
    for name in ("a.wav", f"{longest}a.au", "b.wav/c.wav", "z.wav"):
        audio_fixtures.write_wav(data / "x.wav", audio_fixtures.babble(0.5))
        (data / name).parent.mkdir(exist_ok=True)
        (data / "x.wav").rename(data / name)
    (data / "b.flac").write_bytes((data / "a.wav").read_bytes())
    out = tmp_path / "out"
    assert main([*RUN, "--data", str(data), "--out", str(out)]) == 2
    frame = sqbench.Results.load(out).frame
    by_clip = frame[frame.kind == "score"] if "kind" in frame else frame
    status = dict(zip(by_clip["utterance"], by_clip["status"], strict=True))
    assert status.pop(f"{longest}a.au") == "failed"
    lost = [name for name, one in status.items() if one == "failed"]
    assert lost in (["b.flac"], ["b.wav/c.wav"])  # a file and a folder of one name
    assert all(p.is_relative_to(out) for p in tmp_path.rglob("*.wav") if "data" not in p.parts)


def test_a_codecs_name_does_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    audio_fixtures.write_wav(tmp_path / "data/a.wav", audio_fixtures.babble(0.5))
    (tmp_path / "codec.py").write_text(
        "from sqbench_codecs import Codec, CodecSpec\n"
        "import numpy as np\n"
        "class Plain(Codec):\n"
        "    spec = CodecSpec(name='../../../escaped', sample_rate=16000, frame_rate=16000.0,\n"
        "                     codebook_sizes=(2,), bitrate_bps=16000.0)\n"
        "    def encode(self, audio):\n"
        "        return [(x > 0).astype(np.int64)[None] for x in audio]\n"
        "    def decode(self, codes, lengths):\n"
        "        return [(c[0, :n] - 0.5).astype(np.float32) for c, n in zip(codes, lengths)]\n"
    )
    run = [*RUN, "--codec", f"{tmp_path / 'codec.py'}:Plain"]
    main([*run, "--data", str(tmp_path / "data"), "--out", str(tmp_path / "out/deep")])
    saved = [path for path in tmp_path.rglob("*.wav") if "data" not in path.parts]
    assert saved
    assert all(path.is_relative_to(tmp_path / "out/deep") for path in saved)


def test_saved_names_are_one_each_and_found_again() -> None:
    ids = ["a", "a.wav", "a.flac", "a.flac.wav", "b.au", "b.WAV", "c.Mp3", "s/a.ogg", "v1.2"]
    names = saved_names(ids)
    assert len(set(names.values())) == len(ids)
    assert all(name.endswith(".wav") for name in names.values())
    assert names["c.Mp3"] == "c.wav"
    assert names["a.flac.wav"] == "a.flac.wav"
    files = Namesakes(names.values())
    plain = [name for name in ids if name not in ("a", "a.flac")]  # shadowed by others' names
    assert [files.of(name) for name in plain] == [[names[name]] for name in plain]


def test_files_of_one_stem_pair_by_their_full_names(tmp_path: Path) -> None:
    for name in ("r/a.wav", "r/a.flac", "r/b.ogg", "e/a.wav", "e/a.flac.wav", "e/b.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "e/c.m4a").touch()
    matches = match_folders(tmp_path / "r", tmp_path / "e")
    pairs = {m.id: m.estimate.name for m in matches if m.estimate is not None}
    assert pairs == {"a.flac": "a.flac.wav", "a.wav": "a.wav", "b.ogg": "b.wav"}
    (foreign,) = [m for m in matches if m.problem]
    assert foreign.id == "c.m4a"
    assert "Convert" in (foreign.problem or "")


def test_a_folder_that_says_nothing_has_a_column_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.wav", "sub/b.wav"):
        audio_fixtures.write_wav(tmp_path / "data" / name, audio_fixtures.babble(0.5))
    run = ["run", "--codec", "mulaw-8", "--metrics", "sdr,mel,stoi", "--workers", "1"]
    assert main([*run, "--data", str(tmp_path / "data"), "--out", str(tmp_path / "out")]) == 0
    capsys.readouterr()
    assert main(["table", str(tmp_path / "out"), "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    cells = sqbench.Results.load(tmp_path / "out").frame
    assert set(cells["category"]) == {"all"}
    assert set(cells["metric"]) == {"sdr", "mel"}  # STOI is for speech
    assert "all_sdr" in json.dumps(rows)
    assert main(["table", str(tmp_path / "out")]) == 0
    assert "All" in capsys.readouterr().out


def test_domains_by_folder_reach_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("speech/a.wav", "music/b.wav", "general/c.wav", "other/d.wav"):
        audio_fixtures.write_wav(tmp_path / "data" / name, audio_fixtures.babble(0.5))
    (tmp_path / "data/notes.txt").touch()
    run = ["run", "--codec", "mulaw-8", "--metrics", "sdr,stoi", "--workers", "1"]
    assert main([*run, "--data", str(tmp_path / "data"), "--out", str(tmp_path / "out")]) == 0
    assert "not read: notes.txt" in capsys.readouterr().err
    frame = sqbench.Results.load(tmp_path / "out").frame
    found = {(row.utterance, row.metric, row.category) for row in frame.itertuples()}
    assert found == {
        ("speech/a.wav", "sdr", "speech"),
        ("speech/a.wav", "stoi", "speech"),
        ("music/b.wav", "sdr", "audio"),
        ("general/c.wav", "sdr", "audio"),
        ("other/d.wav", "sdr", "all"),
    }


def test_clips_of_a_long_recording_are_runs_of_their_own(tmp_path: Path) -> None:
    long = audio_fixtures.babble(6.0)
    audio_fixtures.write_wav(tmp_path / "long.wav", long)
    rows = "".join(f"long.wav,{start},1.0,speech\n" for start in (0, 1.5, 4))
    (tmp_path / "m.csv").write_text(f"path,start,duration,domain\n{rows}")
    cut = tmp_path / "cut"
    for start in (0, 1.5, 4):
        first = round(start * 16000)
        path = cut / f"long_{start:.3f}-{start + 1:.3f}.wav"
        audio_fixtures.write_wav(path, long[first : first + 16000])
    values: list[Any] = []
    for data in (tmp_path / "m.csv", cut):
        found = sqbench.evaluate("mulaw-8", str(data), metrics=["sdr"], domain="speech").frame
        values.append(found.sort_values("utterance")[["utterance", "value"]].values.tolist())
    assert len(values[0]) == 3
    assert values[0] == values[1]


def test_a_row_that_cannot_be_fetched_costs_itself(tmp_path: Path) -> None:
    from sqbench.data.base import Source, Utterance

    class Odd(Source):
        name = location = "odd"

        def utterances(self) -> Any:
            def fail() -> bytes:
                raise KeyError("no such row")

            clip = audio_fixtures.write_wav(tmp_path / "a.wav", audio_fixtures.babble(0.5))
            kind: dict[str, Any] = {"dataset": "d", "category": "speech", "domain": "speech"}
            yield Utterance(id="good", path=clip, **kind)
            yield Utterance(id="bad", payload=fail, **kind)

    frame = sqbench.evaluate("mulaw-8", Odd(), metrics=["sdr"]).frame
    assert dict(zip(frame["utterance"], frame["status"], strict=True)) == {
        "good": "ok",
        "bad": "failed",
    }
    assert "KeyError" in str(frame.set_index("utterance").loc["bad", "reason"])


def test_pairs_of_other_lengths_and_equal_ones_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = audio_fixtures.babble(2.0)
    audio_fixtures.write_wav(tmp_path / "r/a.wav", clip)
    audio_fixtures.write_wav(tmp_path / "e/a.wav", 0.9 * clip[:8000])
    (tmp_path / "e/notes.txt").touch()
    folders = ["--ref", str(tmp_path / "r"), "--est", str(tmp_path / "e")]
    score = ["score", *folders, "--metrics", "sdr", "--workers", "1"]
    assert main(score) == 0
    told = capsys.readouterr().err
    assert "1 pairs differ" in told
    assert "0.50 s for a reference of 2.00 s" in told
    assert "not read: notes.txt" in told
    audio_fixtures.write_wav(tmp_path / "e/a.wav", clip)
    assert main(score) == 0
    shown = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["mean", "identical"] in shown
    assert ["scored", "of", "expected", "1", "of", "1"] in shown


def test_broken_off_files_are_told_by_run_and_score_alike(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for side in ("r", "e"):
        for name in ("half.wav", "whole.wav"):
            audio_fixtures.write_wav(tmp_path / side / name, audio_fixtures.babble(0.5))
    half = tmp_path / "r/half.wav"
    half.write_bytes(half.read_bytes()[:5000])
    folders = ["--ref", str(tmp_path / "r"), "--est", str(tmp_path / "e")]
    commands = (
        ["score", *folders, "--metrics", "sdr", "--workers", "1"],
        ["data", "check", str(tmp_path / "r")],
        [*RUN, "--data", str(tmp_path / "r"), "--out", str(tmp_path / "out")],
    )
    for command in commands:
        assert main(command) == 2
        printed = capsys.readouterr()
        assert "cut off" in printed.out.replace("\n", " ") + printed.err


def test_data_check_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = audio_fixtures.slt_folder(tmp_path / "slt", clips=2)
    holed = audio_fixtures.babble(2.0) + 0.2
    holed[8000:16000] = 0
    audio_fixtures.write_wav(root / "samples/librispeech/hole.wav", holed)
    (root / "samples/librispeech/x.m4a").touch()
    assert main(["data", "check", str(root)]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "2 of 2000, all readable" in printed
    assert "hole.wav: note: 0.50 s of exact zeros from 0.50 s on" in printed
    assert "not read: x.m4a (1 .m4a)" in printed
    assert "complete" not in printed
    for name in ("set:cat:x/[/b].wav",):
        audio_fixtures.write_wav(tmp_path / "odd" / name, audio_fixtures.babble(0.5))
        (tmp_path / "odd/set:cat:x/[/c].wav").touch()
    assert main(["data", "check", str(tmp_path / "odd")]) == 2
    printed = capsys.readouterr().out
    assert "set:cat:x" in printed
    assert "[/c].wav: empty" in printed


def test_every_format_is_a_clip(tmp_path: Path) -> None:
    for kind in soundfile.available_formats():
        if kind in ("RAW", "SD2", "SDS", "WVE"):
            continue
        subtype = soundfile.default_subtype(kind)
        path = tmp_path / f"x.{kind.lower()}"
        soundfile.write(path, np.sin(np.arange(8000) / 9), 16000, format=kind, subtype=subtype)
        if audio.is_audio(path):
            continue
        path.rename(path.with_suffix(".unknown"))
    clips = list(open_source(str(tmp_path)).utterances())
    assert len(clips) >= 17
    for clip in clips:
        assert len(clip.read()[0]) >= 8000
