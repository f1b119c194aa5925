"""The doctor: what it finds here, what it says of what is missing, and that it stays light."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from sqbench import doctor
from sqbench.cli import main


def _named(name: str) -> doctor.Finding:
    (found,) = (
        finding
        for finding in doctor.examine()
        if finding.name == name and finding.section != "metric"
    )
    return found


def test_here_the_main_job_can_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--format", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    found = {finding["name"]: finding for finding in report["findings"]}
    assert report["main_job"]
    assert found["numpy"]["state"] == metadata.version("numpy")
    assert found["mini"]["state"] == "99 clips"
    assert found["identity"]["ok"]
    # Either it is here, or the line that brings it is.
    for finding in report["findings"]:
        assert finding["ok"] or finding["cure"], finding


def test_no_torch_is_imported() -> None:
    script = (
        "import sys\nfrom sqbench.cli import main\nmain(['doctor'])\n"
        "print(sorted({'torch', 'transformers', 'scipy'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "[]\n"
    assert "The offline main job can run." in done.stdout
    assert "sqcodec-6k" in done.stdout


def test_a_missing_package_of_the_base_stops_the_main_job(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    version = metadata.version

    def without(name: str) -> str:
        if name == "pesq":
            raise metadata.PackageNotFoundError(name)
        return "2.15.0" if name == "torch" else version(name)

    monkeypatch.setattr(metadata, "version", without)
    assert _named("pesq").cure == "pip install 'pesq==0.0.4'"
    assert "2.15.0, expected" in _named("torch").state
    assert main(["doctor"]) == 1
    assert "cannot run" in capsys.readouterr().out


def test_codecs_say_what_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    from sqbench_codecs.catalogue import CodecEntry

    missing = CodecEntry.missing

    def without_av(entry: CodecEntry) -> list[str]:
        return ["av"] if entry.name.startswith("opus") else missing(entry)

    monkeypatch.setattr(CodecEntry, "missing", without_av)
    found = _named("opus-6k")
    assert (found.ok, found.state) == (False, "needs av")
    assert found.cure == "pip install 'av>=14'"
    found = _named("sqcodec-3k")
    if not found.ok:
        assert found.cure == "sqbench fetch --codec 'sqcodec-*'"


def test_lost_bundled_weights_are_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from sqcodec import weights

    monkeypatch.setattr(weights, "bundled_path", lambda name: tmp_path / "none")
    findings = doctor.examine()
    assert not doctor.can_run(findings)


@pytest.mark.slow
def test_the_full_examination_runs_the_main_job() -> None:
    findings = doctor.examine(full=True)
    assert doctor.can_run(findings)
    assert {f.name for f in findings if f.section == "main job"} == {"torch", "sqcodec-6k on mini"}
