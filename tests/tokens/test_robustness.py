"""How tokens hold out: known changes, codecs whose answers are known, the table."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

import audio_fixtures
import numpy as np
import pytest

from sqbench.cli import main
from sqbench.data.resolve import open_source
from sqbench.engine.jobs import select
from sqbench.engine.systems.codec import inline
from sqbench.tokens import changes
from sqbench.tokens import robustness_report as report
from sqbench.tokens.edits import Edits, edits
from sqbench.tokens.robustness import ClipRobustness, Probed, probe
from sqbench_codecs import Codec, CodecSpec, Codes, Waveform


class Signs(Codec):
    """One code a sample: its sign. Neither gain nor coding again changes any."""

    spec = CodecSpec(
        name="signs", sample_rate=1000, frame_rate=1000.0, codebook_sizes=(2,), bitrate_bps=1000.0
    )
    neighbours_count = False

    def encode(self, audio: Sequence[Waveform]) -> list[Codes]:
        flip = self.neighbours_count and len(audio) > 1
        return [((x >= 0) ^ flip).astype(np.int64)[None] for x in audio]

    def decode(self, codes: Sequence[Codes], lengths: Sequence[int]) -> list[Waveform]:
        return [(c[0, :n] - 0.5).astype(np.float32) for c, n in zip(codes, lengths, strict=True)]


class Batched(Signs):
    neighbours_count = True


def probed(codec: Codec, data: Path, **encoders: object) -> Probed:
    selection = select(open_source(str(data)), (), 2)
    clips = tuple(probe(inline(codec), selection, encoders))  # type: ignore[arg-type]
    return Probed(model=codec.spec.name, source="data", clips=clips, untried={"device": "none"})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return audio_fixtures.slt_folder(tmp_path / "data")


def test_edits_count_each_codebook() -> None:
    codes = np.array([[1, 2, 3, 4], [5, 5, 5, 5]])
    assert edits(codes, codes) == Edits(edits=0, length=8, same=8)
    late = np.array([[0, 1, 2, 3], [5, 5, 5, 5]])
    assert edits(codes, late) == Edits(edits=2, length=8, same=4)
    assert edits(codes, codes[:, :1]) == Edits(edits=6, length=8, same=2)


def test_changes_are_what_they_say() -> None:
    rate = 16000
    time = np.arange(rate) / rate
    low, high = (np.sin(2 * np.pi * f * time).astype(np.float32) for f in (500, 6000))
    drawn = changes.noise(low, 20, seed=1) - low
    assert 10 * np.log10(np.mean(low**2) / np.mean(drawn**2)) == pytest.approx(20, abs=0.2)
    assert np.array_equal(drawn, changes.noise(low, 20, seed=1) - low)
    assert np.allclose(changes.gain(low, -6), low * 0.5012, atol=1e-3)
    banded = changes.band(low + high, rate)
    assert np.abs(banded - low)[1000:-1000].max() < 0.01
    again = changes.resampled(low, rate)
    assert again.shape == low.shape
    assert 0 < np.abs(again - low)[1000:-1000].max() < 1e-3
    assert len(changes.band(low[:5], rate)) == 5


def test_a_codec_whose_answers_are_known(data: Path) -> None:
    found = {one.probe: one for one in report.findings([probed(Signs(), data)])}
    for name in ("gain -6 dB", *(f"generation {n}" for n in range(1, 6))):
        assert found[name].value == 0.0
    noisy = [found[f"noise {db} dB"].value for db in (40, 20)]
    assert 0 < (noisy[0] or 0) < (noisy[1] or 0) < 1
    for name in ("batch", "chunks"):
        assert found[name].value == 1.0
    assert found["tokens a second of audio"].value == pytest.approx(1000, rel=0.01)
    assert (found["tokens encoded a second"].value or 0) > 0


def test_what_a_neighbour_or_another_way_changes_is_seen(data: Path) -> None:
    codec = Batched()
    wrong = probed(codec, data, bfloat16=lambda x: codec.encode([x, x])[0])
    found = {one.probe: one.value for one in report.findings([wrong])}
    assert found["batch"] == 0.0
    assert found["bfloat16"] == 0.0
    assert found["chunks"] == 1.0


def test_a_clip_that_fails_is_told_and_the_rest_goes_on(data: Path) -> None:
    class Failing(Signs):
        calls = 0

        def encode(self, audio: Sequence[Waveform]) -> list[Codes]:
            Failing.calls += 1
            if Failing.calls == 1:
                raise RuntimeError("no more")
            return super().encode(audio)

    found = probed(Failing(), data)
    reasons = [clip.reason for clip in found.clips]
    assert "no more" in (reasons[0] or "")
    assert reasons.count(None) == len(reasons) - 1
    notes = report.to_grid(report.findings([found]), [found]).notes
    assert any("1 clips failed" in note for note in notes)


def test_distances_are_pooled_and_have_intervals() -> None:
    clips = tuple(
        ClipRobustness(
            utterance=str(n), found={"resampled": Edits(edits=n, length=10 * n, same=0)}, tokens=1,
            seconds=1.0, encode_s=1.0,
        )
        for n in (1, 2, 3)
    )  # fmt: skip
    probes = Probed(model="m", source="s", clips=clips, untried={"device": "no CUDA device here"})
    found = report.findings([probes])
    by_name = {one.probe: one for one in found}
    one = by_name["resampled"]
    assert (one.value, one.clips) == (0.1, 3)
    assert one.interval.low == pytest.approx(0.1)
    assert by_name["device"].value is None
    assert by_name["device"].reason == "no CUDA device here"
    rows = list(csv.DictReader(io.StringIO(report.to_csv(found))))
    assert next(row for row in rows if row["probe"] == "device")["value"] == ""
    assert json.loads(report.to_json(found))[0]["model"] == "m"
    assert any("no CUDA" in note for note in report.to_grid(found, [probes]).notes)


def test_the_command(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--codec", "mulaw-8", "--data", str(data), "--limit", "1", "--format", "csv"]
    assert main(["tokens", "--robustness", *arguments]) == 0
    rows = {row["probe"]: row for row in csv.DictReader(io.StringIO(capsys.readouterr().out))}
    assert float(rows["generation 5"]["value"]) == 0.0
    assert rows["bfloat16"]["reason"] == "has no network"
    assert main(["tokens", "--robustness", "--data", str(data)]) == 1


def test_bfloat16_reaches_a_codec_that_lets_it(data: Path) -> None:
    from sqbench.tokens.robustness import other_encoders

    class Network(Signs):
        def blueprint(self) -> object:  # type: ignore[override]
            return object()

        def encode(self, audio: Sequence[Waveform]) -> list[Codes]:
            import torch

            one = torch.ones(1, 1)
            low = (one @ one).dtype == torch.bfloat16
            return [np.full((1, len(x)), int(low), np.int64) for x in audio]

    encoders, untried = other_encoders(Network(), lambda device: Network())
    assert encoders["bfloat16"](np.zeros(3, np.float32)).tolist() == [[1, 1, 1]]
    assert set(encoders) | set(untried) == {"bfloat16", "device"}
