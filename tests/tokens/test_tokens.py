"""Token statistics: against known sources, and over codecs whose stability is known."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from pathlib import Path

import audio_fixtures
import numpy as np
import pytest

from sqbench.cli import main
from sqbench.data.resolve import open_source
from sqbench.engine.jobs import select
from sqbench.engine.systems.codec import inline
from sqbench.tokens import report
from sqbench.tokens.records import load
from sqbench.tokens.run import tokenize
from sqbench.tokens.statistics import ClipTokens, book, pooled, same
from sqbench_codecs import Codec, CodecSpec, Codes, Waveform, load_codec
from sqcodec.errors import InputError


class Blocks(Codec):
    """The level of every ten samples at 1 kHz in sixteen steps: survives decoding, and a frame."""

    spec = CodecSpec(
        name="blocks", sample_rate=1000, frame_rate=100.0, codebook_sizes=(16, 4), bitrate_bps=600.0
    )

    def encode(self, audio: Sequence[Waveform]) -> list[Codes]:
        out = []
        for x in audio:
            level = np.abs(np.pad(x, (0, -len(x) % 10))).reshape(-1, 10).max(1)
            fine = np.minimum((level * 16).astype(np.int64), 15)
            out.append(np.stack([fine, fine // 4]))
        return out

    def decode(self, codes: Sequence[Codes], lengths: Sequence[int]) -> list[Waveform]:
        return [
            np.repeat((c[0] + 0.5) / 16, 10)[:n].astype(np.float32)
            for c, n in zip(codes, lengths, strict=True)
        ]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return audio_fixtures.slt_folder(tmp_path / "data")


def test_entropy_of_a_known_source() -> None:
    rng = np.random.default_rng(0)
    shares = np.array([0.5, 0.25, 0.125, 0.125, 0.0])
    found = book(rng.choice(5, 20_000, p=shares), 5)
    assert found.entropy == pytest.approx(1.75, abs=0.02)
    assert found.perplexity == pytest.approx(2**1.75, abs=0.05)
    assert (found.used, found.coverage) == (4, 1.0)


def test_the_correction_takes_most_of_the_bias_away() -> None:
    rng = np.random.default_rng(0)
    plain, corrected = [], []
    for _ in range(50):
        codes = rng.integers(0, 64, 400)
        shares = np.bincount(codes) / 400
        plain.append(-sum(p * math.log2(p) for p in shares if p))
        corrected.append(book(codes, 1024).entropy)
    assert 6 - np.mean(plain) > 0.1
    assert abs(6 - np.mean(corrected)) < 0.01


def test_coverage_tells_when_there_is_too_little() -> None:
    rng = np.random.default_rng(0)
    found = book(rng.integers(0, 117649, 2000), 117649)
    assert found.coverage < 0.05
    assert found.entropy < math.log2(117649)
    assert book(np.empty(0, np.int64), 4).used == 0


def test_agreement_counts_codes_that_lie_over_each_other() -> None:
    codes = np.arange(10)[None]
    assert same(codes, codes, frames=8) == (8, 8)
    assert same(codes, codes[:, 1:], offset=1, frames=10) == (9, 9)
    assert same(codes, codes[:, 1:], frames=10) == (0, 9)
    assert same(codes, codes, frames=0) == (0, 0)


def test_pooling_adds_clips_up() -> None:
    clips = [
        ClipTokens(codes=np.array([[0, 1]]), seconds=0.5, probes={"re-encode": (1, 2)}),
        ClipTokens(codes=np.array([[2, 3, 3, 3]]), seconds=1.5, probes={"re-encode": (4, 4)}),
    ]
    found = pooled(clips, (8,))
    assert (found.clips, found.frames, found.seconds) == (2, 6, 2.0)
    assert found.measured_bps == 6 * 3 / 2
    assert found.agreement == {"re-encode": 5 / 6}
    assert found.entropy_bps == pytest.approx(3 * found.books[0].entropy)


def test_a_codec_over_data_once(data: Path, tmp_path: Path) -> None:
    selection = select(open_source(str(data)), ())
    first = list(tokenize(inline(Blocks()), selection, tmp_path))
    assert len(first) == len(selection.items)
    assert list(tokenize(inline(Blocks()), selection, tmp_path)) == []
    stored = load(tmp_path)
    assert not stored.problems
    for record in first:
        kept = stored.records[record.key].clip
        assert kept is not None
        assert record.clip is not None
        np.testing.assert_array_equal(kept.codes, record.clip.codes)
        assert kept.probes == record.clip.probes
    (row,) = report.rows(stored)
    assert row.tokens is not None
    assert row.tokens.agreement["re-encode"] == 1.0
    assert row.tokens.agreement["1 frame"] == 1.0
    assert row.tokens.agreement["1 ms"] < 1.0
    assert row.tokens.measured_bps == pytest.approx(600, rel=0.02)


def test_failures_are_reasons_and_are_tried_again(data: Path, tmp_path: Path) -> None:
    class Broken(Blocks):
        broken = True

        def decode(self, codes: Sequence[Codes], lengths: Sequence[int]) -> list[Waveform]:
            if self.broken:
                raise RuntimeError("no")
            return super().decode(codes, lengths)

    selection = select(open_source(str(data)), ())
    failed = list(tokenize(inline(Broken()), selection, tmp_path))
    assert {record.reason for record in failed} == {"codec blocks: RuntimeError: no"}
    (row,) = report.rows(load(tmp_path))
    assert (row.tokens, row.failed) == (None, len(failed))
    Broken.broken = False
    assert len(list(tokenize(inline(Broken()), selection, tmp_path))) == len(failed)
    (row,) = report.rows(load(tmp_path))
    assert (row.failed, row.tokens is not None) == (0, True)


def test_damaged_lines_cost_themselves(data: Path, tmp_path: Path) -> None:
    selection = select(open_source(str(data)), ())
    count = len(list(tokenize(inline(Blocks()), selection, tmp_path)))
    (path,) = (tmp_path / "tokens").glob("*.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]) + b"[]\n" + lines[-1][:100])
    found = load(tmp_path)
    assert (len(found.records), len(found.problems)) == (count - 1, 2)
    assert len(list(tokenize(inline(Blocks()), selection, tmp_path))) == 1
    assert len(load(tmp_path).records) == count


@pytest.mark.parametrize("name", ["identity", "silence"])
def test_what_has_no_tokens_is_refused(name: str, data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="codebooks of up to"):
        list(tokenize(inline(load_codec(name)), select(open_source(str(data)), ()), tmp_path))


def test_the_command(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "out")
    assert main(["tokens", "--out", out]) == 1
    assert "none. Name codecs with --codec" in capsys.readouterr().err
    run = ["tokens", "--codec", "opus-6k", "--data", str(data), "--limit", "1", "--out", out]
    assert main([*run, "--format", "csv"]) == 0
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert tuple(row) == report.CSV_HEADER
    assert float(row["entropy_bps"]) <= float(row["measured_bps"])
    assert main(["tokens", "--out", out, "--format", "json"]) == 0
    (codec,) = json.loads(capsys.readouterr().out)
    assert codec["books"][0]["size"] == 256
    assert main(["tokens", "--out", out, "--codec", "silence", "--data", str(data)]) == 2
    assert "Re-encoded" in capsys.readouterr().out


def test_clips_that_left_the_data_do_not_count(data: Path, tmp_path: Path) -> None:
    def encode(limit: int | None = None) -> set[str]:
        selection = select(open_source(str(data)), (), limit)
        for _ in tokenize(inline(Blocks()), selection, tmp_path):
            pass
        return {record.utterance for record in load(tmp_path).records.values()}

    clips = encode()
    assert encode(limit=1) == clips
    gone = sorted(data.rglob("*.wav"))[0]
    gone.unlink()
    left = encode()
    assert len(left) == len(clips) - 1
    assert left < clips


def test_a_selection_that_cannot_be_read_is_named(data: Path, tmp_path: Path) -> None:
    list(tokenize(inline(Blocks()), select(open_source(str(data)), ()), tmp_path))
    (tmp_path / "tokens" / "selections.json").write_text('{"slt": {"a": 3}}')
    with pytest.raises(InputError, match=r"selections\.json.*slt\.a 3, expected a text"):
        load(tmp_path)
