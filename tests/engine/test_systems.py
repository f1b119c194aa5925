"""Systems: they die alone, repeat to the bit, and are what they say."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import venv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from audio_fixtures import babble, write_wav

import sqbench
from sqbench.engine.systems.names import split_weights
from sqbench.store import reader
from sqbench_codecs import Codec, CodecSpec, InputError

PLAIN = """
import os, signal, sys, time
import numpy as np
from sqbench_codecs import Codec, CodecSpec

def spec(name):
    return CodecSpec(name=name, sample_rate=16000, frame_rate=16000.0, codebook_sizes=(4096,),
                     bitrate_bps=192000.0)

class Plain(Codec):
    spec = spec("plain")

    def encode(self, audio):
        for x in audio:
            if len(x) == 8001:
                self.trouble()
        return [np.clip(np.rint(x * 2048) + 2048, 0, 4095).astype(np.int64)[None] for x in audio]

    def decode(self, codes, lengths):
        return [((c[0, :n] - 2048) / 2048).astype(np.float32) for c, n in zip(codes, lengths)]

    def trouble(self): ...

class Crashes(Plain):
    spec = spec("crashes")
    def trouble(self): os.kill(os.getpid(), signal.SIGSEGV)

class Hangs(Plain):
    spec = spec("hangs")
    def trouble(self): time.sleep(1000)

class Raises(Plain):
    spec = spec("raises")
    def trouble(self): raise ZeroDivisionError("no")

class Eats(Plain):
    spec = spec("eats")
    def trouble(self): self.held = np.ones(1 << 33)

class Exits(Plain):
    spec = spec("exits")
    def trouble(self): sys.exit(3)

class Shuts(Plain):
    spec = spec("shuts")
    def trouble(self):
        print("it said so")
        os.close(1)
        os.close(2)
        raise ValueError("shut")
"""

NOISY = """
import random
import numpy as np
import torch
from sqbench_codecs import Codec, CodecSpec

class Noisy(Codec):
    spec = CodecSpec(name="noisy", sample_rate=16000, frame_rate=16000.0, codebook_sizes=(4096,),
                     bitrate_bps=192000.0)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.gain = float(torch.rand(()))

    def encode(self, audio):
        made = []
        for x in audio:
            x = self.gain * x + 0.01 * torch.randn(len(x)).numpy() + 0.01 * np.random.rand()
            x = x + 0.01 * random.random()
            made.append(np.clip(np.rint(x * 2048) + 2048, 0, 4095).astype(np.int64)[None])
        return made

    def decode(self, codes, lengths):
        return [((c[0, :n] - 2048) / 2048).astype(np.float32) for c, n in zip(codes, lengths)]
"""


@pytest.fixture
def data(tmp_path: Path) -> str:
    """Five clips; ``b`` is the one of 8001 samples."""
    for name, samples in (("a", 8000), ("b", 8001), ("c", 8002), ("d", 8003), ("e", 8004)):
        write_wav(tmp_path / "data" / f"{name}.wav", babble((samples + 0.5) / 16000), 16000)
    return str(tmp_path / "data")


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    file = tmp_path / "plain.py"
    file.write_text(PLAIN)
    return file


def run(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sqbench", "run", "--domain", "general", "--metrics", "si-sdr",
         "--workers", "1", *map(str, arguments)],
        capture_output=True, text=True, timeout=300, **options,
    )  # fmt: skip


def scores(out: Path) -> dict[tuple[str, str], tuple[float | None, str]]:
    return {
        (r["codec"], r["utterance"]): (r["value"], r["status"])
        for r in reader.load(out).records
        if r["kind"] == "score"
    }


def stripped(out: Path) -> list[str]:
    """Records without seconds spent, in an order of their own."""
    found = []
    for record in reader.load(out).records:
        plain: dict[str, Any] = dict(record)
        plain["encode_s"] = plain["decode_s"] = None
        found.append(json.dumps(plain, sort_keys=True))
    return sorted(found)


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("Crashes", (), "signal SIGSEGV"),
        ("Hangs", ("--codec-timeout", "1"), "no answer"),
        ("Raises", (), "ZeroDivisionError: no"),
        ("Eats", ("--codec-memory", "16"), "MemoryError"),
        ("Exits", (), "SystemExit: 3"),
        ("Shuts", (), "shut"),
    ],
)
def test_a_codec_dies_alone(
    name: str, options: tuple[str, ...], reason: str, data: str, plain: Path, tmp_path: Path
) -> None:
    """One clip is lost; the others, and the codec after, are scored; a second run is the same."""
    out = tmp_path / "out"
    for attempt in range(2):
        done = run("--codec", f"{plain}:{name}", "--codec", "mulaw-8", "--data", data,
                   "--out", out, *options)  # fmt: skip
        assert done.returncode == 2, done.stderr
        assert "Traceback" not in done.stderr
        found = scores(out)
        assert len(found) == 10
        lost = [key for key, (_, status) in found.items() if status != "ok"]
        assert lost == [(name.lower(), "b.wav")], attempt
        reasons = {r["reason"] for r in reader.load(out).records if r["status"] == "failed"}
        assert len(reasons) == 1
        assert reason in str(reasons.pop())


def test_traceback_and_output_of_a_failure_are_kept(data: str, plain: Path, tmp_path: Path) -> None:
    done = run("--codec", f"{plain}:Shuts", "--data", data, "--out", tmp_path / "out")
    (log,) = (tmp_path / "out").rglob("logs/*.log")
    assert str(log) in done.stderr
    text = log.read_text()
    assert "it said so" in text
    assert 'ValueError("shut")' in text


def test_debug_lets_the_error_out(data: str, plain: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        sqbench.evaluate(f"{plain}:Raises", data, metrics=["si-sdr"], domain="general", debug=True)


def test_random_numbers_are_the_clips_own(data: str, tmp_path: Path) -> None:
    """In one go, in parts, in other batches, on several processes, again: equal to the byte."""
    (tmp_path / "noisy.py").write_text(NOISY)
    ways: list[list[dict[str, Any]]] = [
        [{}],
        [{}],
        [{"limit": 2}, {}],
        [{"batch_size": 1}],
        [{"hosts": 3, "batch_size": 2}],
        [{"seed": 1}],
    ]
    found = []
    for number, runs in enumerate(ways):
        for options in runs:
            sqbench.evaluate(
                f"{tmp_path / 'noisy.py'}:Noisy", data, metrics=["si-sdr"], domain="general",
                workers=1, out=tmp_path / str(number), **options,
            )  # fmt: skip
        found.append(stripped(tmp_path / str(number)))
    *same, other = found
    assert len(same[0]) == 10
    assert all(one == same[0] for one in same)
    assert other != same[0]


class Steps(Codec):
    """A quantizer with a step that its constructor is given."""

    spec = CodecSpec(
        name="steps", sample_rate=16000, frame_rate=16000.0, codebook_sizes=(65536,),
        bitrate_bps=256000.0,
    )  # fmt: skip

    def __init__(self, step: float) -> None:
        super().__init__()
        self.step = step

    def encode(self, audio: Any) -> Any:
        noise = [np.random.standard_normal(len(x)) * 1e-3 for x in audio]  # noqa: NPY002
        return [
            (np.rint((x + n) / self.step) + 32768).astype(np.int64)[None]
            for x, n in zip(audio, noise, strict=True)
        ]

    def decode(self, codes: Any, lengths: Any) -> Any:
        return [
            ((c[0, :n] - 32768) * self.step).astype(np.float32)
            for c, n in zip(codes, lengths, strict=True)
        ]


def test_evaluate_leaves_its_callers_random_numbers_alone(data: str) -> None:
    import torch

    def draw() -> tuple[float, float, float]:
        return random.random(), float(np.random.rand()), float(torch.rand(()))  # noqa: NPY002

    def seed() -> None:
        random.seed(5)
        np.random.seed(5)  # noqa: NPY002
        torch.manual_seed(5)

    seed()
    expected = [draw() for _ in range(3)]
    seed()
    found = []
    for _ in range(3):
        sqbench.evaluate(Steps(1e-3), data, metrics=["si-sdr"], domain="general", workers=1)
        found.append(draw())
    assert found == expected


def test_an_object_that_changed_is_computed_anew(data: str, tmp_path: Path) -> None:
    def value(step: float) -> float:
        results = sqbench.evaluate(
            Steps(step), data, metrics=["si-sdr"], domain="general", out=tmp_path / "out", workers=1
        )
        newest = results.frame[results.frame["utterance"] == "a.wav"].iloc[-1]
        return float(newest["value"])

    fine, coarse = value(1e-4), value(1e-1)
    assert fine > coarse + 10
    count = len(reader.load(tmp_path / "out").records)
    value(1e-1)
    assert len(reader.load(tmp_path / "out").records) == count  # the same again is there already


def test_a_changed_neighbour_is_another_codec(data: str, tmp_path: Path) -> None:
    """The file that names the class is unchanged; what it imports, within a function, is not."""
    (tmp_path / "mine.py").write_text(
        PLAIN.replace("def trouble(self): ...", "def trouble(self):\n        import net")
        + "\nclass Mine(Plain):\n    spec = spec('mine')\n"
        "    def decode(self, codes, lengths):\n        from net import GAIN\n"
        "        return [GAIN * x for x in super().decode(codes, lengths)]\n"
    )
    values = []
    for gain in (1.0, 0.5):
        (tmp_path / "net.py").write_text(f"import numpy as np\nGAIN = np.float32({gain})\n")
        done = run("--codec", f"{tmp_path / 'mine.py'}:Mine", "--data", data, "--metrics", "mel",
                   "--out", tmp_path / "out")  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "10 scored. Next" in done.stderr  # two metrics of five clips
        assert "mine.py, net.py" in done.stderr
        values.append(reader.load(tmp_path / "out").records[-1]["value"])
    assert values[0] != values[1]


def test_what_cannot_be_hashed_is_never_taken_for_the_same(data: str, tmp_path: Path) -> None:
    codec = Steps(1e-3)
    codec.handle = iter([1])  # type: ignore[attr-defined]
    for _ in range(2):
        sqbench.evaluate(
            codec, data, metrics=["si-sdr"], domain="general", out=tmp_path / "out", workers=1
        )
    runs = reader.load(tmp_path / "out").runs
    assert len({run["codecs"][0]["codec_id"] for run in runs}) == 2


def test_a_folder_is_scored_as_score_does(data: str, tmp_path: Path) -> None:
    """To the last bit; a file that is replaced is scored again, one that is missing is said."""
    decoded = tmp_path / "decoded"
    rng = np.random.default_rng(0)
    for name in "abcd":
        noise = 0.01 * rng.standard_normal(8000)
        write_wav(decoded / f"{name}.wav", babble(0.5) + noise, 16000)
    out = tmp_path / "out"
    command = ("--codec", f"folder:{decoded}:name=mine:bitrate=6000", "--data", data, "--out", out)
    done = run(*command)
    assert done.returncode == 2
    assert "no namesake" in done.stderr
    expected = {
        one.id: one.measurement.value
        for one in sqbench.score_folders(data, decoded, ["si-sdr"])
        if one.measurement.status == "ok"
    }
    found = {u: value for (_, u), (value, status) in scores(out).items() if status == "ok"}
    assert found == expected
    assert len(found) == 4
    description = reader.load(out).runs[-1]["codecs"][0]
    assert (description["name"], description["bitrate_bps"]) == ("mine", 6000.0)
    write_wav(decoded / "a.wav", babble(0.5), 16000)
    write_wav(decoded / "e.wav", babble(0.5) * 0.9, 16000)
    assert "2 scored, 3 were there already" in run(*command).stderr


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with NumPy and nothing of ours."""
    home = tmp_path_factory.mktemp("bare") / "venv"
    venv.create(home, with_pip=False, symlinks=True)
    (site,) = (home / "lib").glob("python*/site-packages")
    ours = Path(np.__file__).parent
    for name in (ours, *ours.parent.glob("numpy.libs")):
        (site / name.name).symlink_to(name)
    return home / "bin" / "python"


def test_a_codec_of_another_interpreter(bare: Path, data: str, plain: Path, tmp_path: Path) -> None:
    """It needs nothing of ours there, and gives what the same codec gives here."""
    theirs = tmp_path / "theirs.py"
    theirs.write_text(
        "import numpy as np\n\nclass Theirs:\n    name = 'plain'\n    sample_rate = 16000\n"
        "    frame_rate = 16000.0\n    codebook_sizes = (4096,)\n    bitrate_bps = 192000.0\n"
        + PLAIN[PLAIN.index("    def encode") : PLAIN.index("class Crashes")]
    )
    done = run("--codec", f"{bare}:{theirs}:Theirs", "--data", data, "--out", tmp_path / "theirs")
    assert done.returncode == 0, done.stderr
    assert (
        run("--codec", f"{plain}:Plain", "--data", data, "--out", tmp_path / "here").returncode == 0
    )
    assert scores(tmp_path / "theirs") == scores(tmp_path / "here")
    assert reader.load(tmp_path / "theirs").runs[0]["codecs"][0]["hosted"] == "interpreter"
    broken = run("--codec", f"{bare}:{plain}:Plain", "--data", data, "--out", tmp_path / "x")
    assert broken.returncode == 1
    assert "No module named 'sqbench_codecs'" in broken.stderr


def test_audio_that_changes_under_a_run_is_not_scored(data: str, tmp_path: Path) -> None:
    class Replaces(Steps):
        def encode(self, audio: Any) -> Any:
            write_wav(Path(data) / "e.wav", babble(0.3), 16000)
            return super().encode(audio)

    results = sqbench.evaluate(
        Replaces(1e-3), data, metrics=["si-sdr"], domain="general", batch_size=1, workers=1
    )
    by_clip = results.frame.set_index("utterance")
    assert by_clip.loc["a.wav", "status"] == "ok"
    assert by_clip.loc["e.wav", "status"] == "failed"
    assert "changed during the run" in str(by_clip.loc["e.wav", "reason"])


def test_weights_belong_to_a_codec(data: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a codec that reads them"):
        sqbench.evaluate("mulaw-8", data, weights=str(tmp_path / "x"), domain="general")
    with pytest.raises(InputError, match="no weights"):
        sqbench.evaluate("mulaw-8@x.pt", data, domain="general")


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("sqcodec-6k", ("sqcodec-6k", None)),
        ("sqcodec-6k@bundled", ("sqcodec-6k", "bundled")),
        ("dac-16k-500@official@abc123", ("dac-16k-500", "official@abc123")),
        ("dac-24k@8", ("dac-24k@8", None)),
        ("dac-24k@8@runs/a@b", ("dac-24k@8", "runs/a@b")),
        ("at@home/my.py:Mine", ("at@home/my.py:Mine", None)),
        ("at@home/my.py:Mine@v2.pt", ("at@home/my.py:Mine", "v2.pt")),
    ],
)
def test_names_with_weights(name: str, parts: tuple[str, str | None]) -> None:
    assert split_weights(name) == parts


@pytest.mark.parametrize(
    "count", [3, pytest.param(20, marks=pytest.mark.slow)], ids=["one of each", "twenty"]
)
def test_killed_at_any_moment(data: str, plain: Path, tmp_path: Path, count: int) -> None:
    """Parent, host or worker: the same command ends where an undisturbed run does."""
    slow = plain.with_name("slow.py")
    slow.write_text(PLAIN + "\nclass Slow(Plain):\n    spec = spec('slow')\n"
                    "    def encode(self, audio):\n        time.sleep(0.3)\n"
                    "        return super().encode(audio)\n")  # fmt: skip
    command = ("--codec", f"{slow}:Slow", "--data", data, "--batch-size", "1")
    assert run(*command, "--out", tmp_path / "whole").returncode == 0
    whole = stripped(tmp_path / "whole")
    rng = random.Random(0)
    for number in range(count):
        victim = ("parent", "host", "worker")[number % 3]
        out = tmp_path / f"{victim}-{number}"
        process = subprocess.Popen(
            [sys.executable, "-m", "sqbench", "run", "--domain", "general", "--metrics", "si-sdr",
             "--workers", "1", *map(str, command), "--out", str(out)],
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 60
        while not list(out.glob("*/records.jsonl")) and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(2 * rng.random())
        _kill(victim, process.pid)
        process.wait(120)
        assert run(*command, "--out", out).returncode == 0
        assert stripped(out) == whole, f"{victim} at moment {number}"


def _kill(victim: str, parent: int) -> None:
    if victim == "parent":
        os.kill(parent, signal.SIGKILL)
        return
    wanted = "registry_host" if victim == "host" else "sqbench.engine.worker"
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            ppid = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if ppid == parent and wanted in (folder / "cmdline").read_text():
                os.kill(int(folder.name), signal.SIGKILL)
        except (OSError, ProcessLookupError):
            continue


def test_nothing_is_left_running(data: str, plain: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "sqbench", "run", "--codec", f"{plain}:Hangs", "--data", data,
         "--domain", "general", "--metrics", "si-sdr", "--batch-size", "1", "--workers", "1",
         "--out", str(tmp_path / "out")],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    timer = threading.Timer(60, process.kill)
    timer.start()
    deadline = time.monotonic() + 60
    while not list((tmp_path / "out").glob("*/records.jsonl")) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    timer.cancel()
    assert process.returncode == 130
    assert "Traceback" not in said
    time.sleep(1.0)
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_text()
            ppid = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        assert not ("registry_host" in line and ppid == process.pid)
