"""Files and manifests damaged at random: no traceback, no run that ends, each one told apart."""

from __future__ import annotations

import logging
from pathlib import Path

import mutations
import pytest

from sqbench import audio
from sqbench.cli import main
from sqbench.data.check import check
from sqbench.data.manifest import ManifestSource
from sqbench.engine.jobs import select
from sqbench.errors import InputError
from sqbench.metrics import catalogue

AUDIO, MANIFESTS = 300, 200
FAST = 6
"""Of the default run: every so manieth."""


def audio_folder(root: Path, numbers: range) -> int:
    """Mutated files, and one that is whole."""
    for number in numbers:
        kind, data = mutations.audio_file(number)
        (root / f"{number:03d}.{kind}").write_bytes(data)
    (root / "whole.wav").write_bytes(mutations.encoded("wav"))
    return len(numbers) + 1


def test_mutated_audio_is_read_or_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    count = audio_folder(tmp_path, range(0, AUDIO, FAST))
    (report,) = check(tmp_path, domain="speech").sets
    assert report.files == count
    bad = {problem.id: problem for problem in report.problems}
    assert "whole.wav" not in bad
    assert 0 < len(bad) < count
    assert all(name in problem.detail for name, problem in bad.items())
    # Errors of any other sort are named by their type.
    assert not [p for p in bad.values() if "Error: " in p.detail]
    assert capfd.readouterr().err == ""


def test_mutated_manifests_keep_their_good_rows(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    names = [f"clip{i}.wav" for i in range(4)]
    for name in names:
        (tmp_path / name).write_bytes(mutations.encoded("wav"))
    metrics = list(catalogue.resolve_all(["sdr"]))
    read = refused = 0
    for number in range(0, MANIFESTS, FAST):
        suffix, data = mutations.manifest(number, names)
        path = tmp_path / f"m{number}{suffix}"
        path.write_bytes(data)
        try:
            items = select(ManifestSource(path), metrics).items
        except InputError:
            refused += 1
            continue
        assert len({item.utterance.id for item in items}) == len(items)
        for item in items:
            if item.problem is None:
                samples, _ = item.utterance.read(item.audio_sha256)
                read += len(samples) > 0
    assert read > refused > 0


@pytest.mark.slow
def test_a_run_over_300_mutated_files(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data").mkdir()
    count = audio_folder(tmp_path / "data", range(AUDIO))
    command = ["run", "--codec", "mulaw-8", "--metrics", "mel", "--data", str(tmp_path / "data")]
    out = tmp_path / "out"
    assert main([*command, "--out", str(out), "--save-audio"]) == 2
    printed = capfd.readouterr()
    assert "Traceback" not in printed.out + printed.err
    assert "mpg123" not in "".join(
        line for line in printed.err.splitlines() if str(tmp_path) not in line
    )
    assert main(["data", "check", str(tmp_path / "data")]) == 2
    bad = sum(": note: " not in line for line in capfd.readouterr().out.splitlines()[3:])
    saved = list(out.rglob("audio/mulaw-8/*.wav"))
    # What can be read is coded; silence has no score, but is no error.
    assert count - bad <= len(saved) < count
    folders = ["--ref", str(tmp_path / "data"), "--est", str(saved[0].parent)]
    assert main(["score", *folders, "--metrics", "mel", "--workers", "1"]) == 2
    assert "Traceback" not in "".join(capfd.readouterr())


@pytest.mark.slow
def test_a_run_over_each_of_200_mutated_manifests(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    names = [f"clip{i}.wav" for i in range(4)]
    for name in names:
        (tmp_path / name).write_bytes(mutations.encoded("wav", 0.7))
    codes = set()
    for number in range(MANIFESTS):
        suffix, data = mutations.manifest(number, names)
        path = tmp_path / f"m{suffix}"
        path.write_bytes(data)
        code = main(["data", "check", str(path)])
        printed = capfd.readouterr()
        assert "Traceback" not in printed.out + printed.err, number
        assert code in (0, 2) or printed.err.count("error: ") == 1, number
        codes.add(code)
        if number % 20 == 0:
            out = tmp_path / f"out{number}"
            arguments = ["--codec", "mulaw-8", "--metrics", "mel", "--workers", "1"]
            assert main(["run", "--data", str(path), "--out", str(out), *arguments]) in (0, code)
            assert "Traceback" not in "".join(capfd.readouterr())
    assert codes == {0, 1, 2}


@pytest.mark.parametrize(
    "every", [4 * FAST, pytest.param(1, marks=pytest.mark.slow)], ids=["some", "all"]
)
def test_the_trainer_over_mutated_manifests_and_audio(every: int, tmp_path: Path) -> None:
    """A manifest is read or refused; of files, each is decoded or listed with its reason."""
    from sqcodec.train.data.corpus import Corpus

    names = [f"clip{i}.wav" for i in range(4)]
    for name in names:
        (tmp_path / name).write_bytes(mutations.encoded("wav", 1.5))
    numbers = sorted({*range(0, MANIFESTS, every), 129})  # that one has a null byte in a path
    read = refused = 0
    for number in numbers:
        suffix, data = mutations.manifest(number, names)
        path = tmp_path / f"m{number}{suffix}"
        path.write_bytes(data)
        try:
            read += len(Corpus([path], 16_000, tmp_path / "cache").clips)
        except InputError:
            refused += 1
    assert read > 0
    assert refused > 0
    folder = tmp_path / "data"
    folder.mkdir()
    count = audio_folder(folder, range(0, AUDIO, every))
    (folder / "long.wav").write_bytes(mutations.encoded("wav", 1.5))
    corpus = Corpus([folder], 16_000, tmp_path / "cache")
    assert len(corpus.clips) + len(corpus.skipped) == count + 1
    assert "long.wav" in [clip.name for clip in corpus.clips]


def test_permission_denied_is_worded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.wav").write_bytes(mutations.encoded("wav"))
    (tmp_path / "b.wav").write_bytes(mutations.encoded("wav"))
    read = audio.read

    def denied(source: Path, **options: object) -> object:
        if source.name == "a.wav":
            raise audio.AudioError(
                str(source),
                kind="missing",
                expected="an audio file",
                found=audio.describe_os_error(PermissionError(13, "Permission denied"), source),
            )
        return read(source, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(audio, "read", denied)
    (report,) = check(tmp_path, domain="speech").sets
    (problem,) = report.problems
    assert (problem.id, problem.kind) == ("a.wav", "missing")
    assert "permission denied" in problem.detail
    assert "Replace" not in problem.detail
