"""`sqbench codecs check`, and what a run says of a bitrate that is not true."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import audio_fixtures
import numpy as np
import pytest

from sqbench.cli import main
from sqbench.engine.bitrate import BitrateWatch
from sqbench.engine.contract import clips

CODE = """
import random
import numpy as np
from sqbench_codecs import Codec, CodecSpec

def spec(name, **other):
    facts = dict(sample_rate=16000, frame_rate=16000.0, codebook_sizes=(4096,),
                 bitrate_bps=192000.0)
    return CodecSpec(name=name, **{**facts, **other})

class Good(Codec):
    spec = spec("good")
    def encode(self, audio):
        return [np.clip(np.rint(x * 2048) + 2048, 0, 4095).astype(np.int64)[None] for x in audio]
    def decode(self, codes, lengths):
        return [((c[0, :n] - 2048) / 2048).astype(np.float32) for c, n in zip(codes, lengths)]

class Half(Good):
    spec = spec("half", output_sample_rate=8000)
    def decode(self, codes, lengths):
        return [x[::2] for x in super().decode(codes, lengths)]

class Floats(Good):
    def encode(self, audio): return [c.astype(float) for c in super().encode(audio)]

class Batched(Good):
    def encode(self, audio): return [c[None] for c in super().encode(audio)]
    def decode(self, codes, lengths): return super().decode([c[0] for c in codes], lengths)

class Range(Good):
    spec = spec("range", codebook_sizes=(16, ), bitrate_bps=64000.0)

class Length(Good):
    def decode(self, codes, lengths): return [x[:-1] for x in super().decode(codes, lengths)]

class Ints(Good):
    def decode(self, codes, lengths):
        return [x.astype(np.int16) for x in super().decode(codes, lengths)]

class Nan(Good):
    def decode(self, codes, lengths): return [x / 0 * 0 for x in super().decode(codes, lengths)]

class Short(Good):
    def encode(self, audio):
        if min(map(len, audio)) < 1000:
            raise ValueError("needs a thousand samples")
        return super().encode(audio)

class Company(Good):
    def encode(self, audio):
        peak = max(np.abs(x).max() for x in audio)
        return super().encode([x / peak * 0.5 for x in audio])

class State(Good):
    n = 0
    def encode(self, audio):
        self.n += 1
        return [np.minimum(c + self.n, 4095) for c in super().encode(audio)]

class Draws(Good):
    def encode(self, audio):
        return super().encode([x + 0.1 * random.random() for x in audio])

class Rate(Good):
    spec = spec("rate", bitrate_bps=1.0)

class Close(Good):
    spec = spec("close", bitrate_bps=192000.0 * 1.04)

class Talks(Good):
    def encode(self, audio):
        print("now encoding")
        return super().encode(audio)

class Init(Good):
    def __init__(self, weights="auto", device="cpu"): pass
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tried.py"
    path.write_text(CODE)
    return path


def _check(
    capsys: pytest.CaptureFixture[str], *codecs: str
) -> tuple[int, list[dict[str, dict[str, Any]]]]:
    status = main(["codecs", "check", *codecs, "--format", "json"])
    found = json.loads(capsys.readouterr().out)
    return status, [
        {finding["what"]: finding for finding in reversed(each["findings"])} for each in found
    ]


def test_a_codec_that_keeps_the_contract(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["codecs", "check", f"{file}:Good"]) == 0
    printed = capsys.readouterr().out
    assert "keeps the contract" in printed
    assert "from tried.py; weights none" in printed
    assert "192000 b/s, by the spec 192000" in printed
    assert " mend " not in printed


def test_other_things_that_are_right(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, (half, close, draws, talks) = _check(
        capsys, *(f"{file}:{name}" for name in ("Half", "Close", "Draws", "Talks"))
    )
    assert status == 0
    assert half["10 s"]["text"].endswith("audio [80000]")
    assert close["bitrate"]["verdict"] == "ok"
    assert "draws random numbers" in draws["repeat"]["text"]
    assert "'now encoding'" in talks["prints"]["text"]


@pytest.mark.parametrize(
    ("name", "what", "words"),
    [
        ("Floats", "10 s", "codes are float64; return integers"),
        ("Batched", "20 ms", "codes have shape [1, 1, 320]; return [1, frames]"),
        ("Range", "odd length", "outside of 0 to 15"),
        ("Length", "odd length", "return [12347]"),
        ("Ints", "10 s", "int16; return float32"),
        ("Nan", "10 s", "NaN"),
        ("Short", "20 ms", "needs a thousand samples"),
        ("Company", "batch", "beside other clips they come out differently"),
        ("State", "repeat", "keeps a state"),
        ("Rate", "bitrate", "192000.0 b/s measured, bitrate_bps says 1"),
        ("Init", "loads", "Class(spec, weights=..., device=...)"),
    ],
)
def test_what_breaks_the_contract_is_said(
    name: str, what: str, words: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, (found,) = _check(capsys, f"{file}:{name}")
    assert status == 2
    assert found[what]["verdict"] == "mend"
    assert words in found[what]["text"]


def test_where_it_raised_is_said(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, (found,) = _check(capsys, f"{file}:Short")
    line = CODE.splitlines().index('            raise ValueError("needs a thousand samples")') + 1
    assert f'tried.py", line {line}, in encode' in found["20 ms"]["text"]


def test_a_codec_that_is_not_there_could_not_be_checked(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("no/such.py:Codec", "no-such-codec"):
        assert main(["codecs", "check", name]) == 1
        assert "error" in capsys.readouterr().err
    assert main(["codecs", "check"]) == 1


def test_the_clips_are_what_they_are_called() -> None:
    for rate in (8000, 16000, 44100):
        found = clips(rate)
        assert [len(clip) for clip in found.values()] == [10 * rate, rate // 50, 12347]
        assert all(
            clip.dtype == np.float32 and 0 < np.abs(clip).max() < 1 for clip in found.values()
        )


def _description(bitrate: float | None, **settings: str) -> dict[str, Any]:
    return {"name": "mine", "bitrate_bps": bitrate, "settings": settings}


def _coding(seconds: float | None, bits: float | None) -> Any:
    return {"kind": "coding", "duration_s": seconds, "bits": bits}


def test_the_longest_clip_tells_the_bitrate() -> None:
    watch = BitrateWatch(_description(1000.0, held="1"))
    watch.see([_coding(0.1, 900.0), _coding(10.0, 10400.0), _coding(None, None)])
    assert watch.remarks() == []
    watch.see([_coding(20.0, 22000.0)])
    assert "bitrate_bps says 1000, and 1100 b/s were measured" in watch.remarks()[0]
    for quiet in (_description(None, held="1"), _description(1000.0)):
        watch = BitrateWatch(quiet)
        watch.see([_coding(20.0, 22000.0)])
        assert watch.remarks() == []


def test_a_run_says_that_a_bitrate_is_wrong(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = audio_fixtures.slt_folder(tmp_path / "data", clips=1)
    command = ["run", "--data", str(data), "--metrics", "mel", "--out", str(tmp_path / "out")]
    assert main([*command, "--codec", f"{file}:Rate", "--codec", f"{file}:Good", "--json"]) == 0
    printed = capsys.readouterr()
    (remark,) = json.loads(printed.out)["remarks"]
    assert remark.startswith("rate: bitrate_bps says 1, and 192000 b/s")
    assert remark in printed.err
