"""Audio files through ``.sqb`` and back; what is refused; the commands."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import audio_fixtures
import numpy as np
import pytest
from numpy.typing import NDArray

from sqbench import audio
from sqbench.bitstream import Header, Writer
from sqbench.bitstream.files import decode_file, encode_file
from sqbench.bitstream.header import header_of, layout_of
from sqbench.bitstream.stream import frames_per_block
from sqbench.cli import main
from sqbench_codecs import (
    CODECS,
    NO_WEIGHTS,
    Codec,
    CodecSpec,
    Codes,
    Waveform,
    Weights,
    load_codec,
)
from sqcodec.errors import InputError


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    path = tmp_path / "in.wav"
    audio.write(path, audio_fixtures.babble(2.0, seed=0).astype(np.float32), 16000)
    return path


class Sold(Codec):
    """Sixteen-bit PCM with weights, to be refused with others; knows codes that it cannot play."""

    spec = CodecSpec(
        name="sold",
        sample_rate=8000,
        frame_rate=8000.0,
        codebook_sizes=(2**16,),
        bitrate_bps=128e3,
    )
    weights = Weights(source="official", sha256="ab" * 32)

    def encode(self, audio: Sequence[Waveform]) -> list[Codes]:
        return [(x * 32767 + 32768).astype(np.int64)[None] for x in audio]

    def decode(self, codes: Sequence[Codes], lengths: Sequence[int]) -> list[Waveform]:
        if any((c == 0).any() for c in codes):
            raise RuntimeError("no such token")
        return [
            ((c[0, :n] - 32768) / 32767).astype(np.float32)
            for c, n in zip(codes, lengths, strict=True)
        ]


def _file(path: Path, codec: Codec, codes: Codes, length: int, rate: int = 8000) -> Path:
    with open(path, "wb") as stream:
        header = header_of(codec.spec, codec.weights, rate, length)
        writer = Writer(stream, header, codec.spec.codebook_sizes)
        writer.write(codes)
        writer.close()
    return path


@pytest.mark.parametrize("name", ["mulaw-8", "identity", "resample-8k", "opus-6k"])
def test_a_file_decodes_to_what_the_codec_makes_of_it(
    name: str, speech: Path, tmp_path: Path
) -> None:
    codec = load_codec(name)
    done = encode_file(speech, tmp_path / "a.sqb", codec)
    assert decode_file(tmp_path / "a.sqb", tmp_path / "out.wav") == 2.0
    samples, rate = audio.read(speech)
    at_rate = audio.resample(samples, rate, codec.spec.sample_rate or rate)
    codes = codec.encode([at_rate.astype(np.float32)])
    (expected,) = codec.decode(codes, [len(at_rate)])
    back = audio.resample(expected.astype(np.float64), codec.spec.sample_rate or rate, rate)
    found, found_rate = audio.read(tmp_path / "out.wav")
    assert found_rate == rate
    np.testing.assert_array_equal(found, back.astype(np.float32))
    assert done.bits <= 8 * done.payload_bytes <= 1.01 * done.bits
    assert done.file_bytes == (tmp_path / "a.sqb").stat().st_size < 1.02 * done.payload_bytes + 100


POINTS = [entry for entry in CODECS if entry.spec.frame_rate and entry.spec.bitrate_bps]


@pytest.mark.parametrize("entry", POINTS, ids=lambda entry: entry.name)
def test_sixty_seconds_take_the_bitrate_and_no_more(entry: object) -> None:
    spec = entry.spec  # type: ignore[attr-defined]
    frames = round(60 * spec.frame_rate)
    rng = np.random.default_rng(0)
    codes = np.stack([rng.integers(0, size, frames) for size in spec.codebook_sizes])
    stream = io.BytesIO()
    writer = Writer(stream, header_of(spec, NO_WEIGHTS, 16000, 960000), spec.codebook_sizes)
    writer.write(codes)
    writer.close()
    assert writer.payload_bytes * 8 / 60 == pytest.approx(spec.bitrate_bps, rel=0.001)
    blocks = -(-frames // frames_per_block(spec.codebook_sizes))
    assert len(stream.getvalue()) <= 64 + writer.payload_bytes + 6 * blocks + 14


def test_other_weights_are_refused(tmp_path: Path) -> None:
    codec = Sold()
    path = _file(tmp_path / "a.sqb", codec, np.full((1, 800), 9), 800)
    codec.weights = Weights(source="bundled", sha256="cd" * 32)
    with pytest.raises(InputError, match=r"cdcdcdcdcdcdcdcd.*abababababababab.*--weights"):
        decode_file(path, tmp_path / "out.wav", codec=codec)
    assert not (tmp_path / "out.wav").exists()


def test_a_codec_that_cannot_play_codes_is_one_error(tmp_path: Path) -> None:
    path = _file(tmp_path / "a.sqb", Sold(), np.zeros((1, 800), np.int64), 800)
    with pytest.raises(InputError, match="no such token"):
        decode_file(path, tmp_path / "out.wav", codec=Sold())


@pytest.mark.parametrize(
    ("length", "rate"), [(10**15, 8000), (0, 8000), (800, 0), (800, 2**32 - 1)]
)
def test_lengths_and_rates_are_not_believed(length: int, rate: int, tmp_path: Path) -> None:
    path = _file(tmp_path / "a.sqb", Sold(), np.full((1, 800), 9), length, rate)
    with pytest.raises(InputError, match=r"a\.sqb"):
        decode_file(path, tmp_path / "out.wav", codec=Sold())


def test_a_name_in_a_file_runs_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "e.py").write_text("open('ran', 'w')\n")
    spec = replace(load_codec("mulaw-8").spec, name="e.py:Codec")
    with open("a.sqb", "wb") as stream:
        writer = Writer(stream, header_of(spec, NO_WEIGHTS, 8000, 10), (256,))
        writer.write(np.zeros((1, 10), np.int64))
        writer.close()
    with pytest.raises(InputError, match=r"e\.py:Codec.*none of this name"):
        decode_file(Path("a.sqb"), Path("out.wav"))
    assert not Path("ran").exists()


def test_nothing_is_left_of_a_file_that_failed(speech: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="without any"):
        encode_file(speech, tmp_path / "a.sqb", load_codec("silence"))
    (tmp_path / "full").mkdir()
    with pytest.raises(InputError, match="full"):
        encode_file(speech, tmp_path / "full", load_codec("mulaw-8"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full", "in.wav"]


@pytest.mark.parametrize("name", ["mulaw-8", "opus-6k"])
def test_damaged_files_never_do_more_than_fail(name: str, speech: Path, tmp_path: Path) -> None:
    encode_file(speech, tmp_path / "a.sqb", load_codec(name))
    intact = (tmp_path / "a.sqb").read_bytes()
    header, _ = Header.read(io.BytesIO(intact), "")
    rng = np.random.default_rng(0)
    for _ in range(40):
        damaged = bytearray(intact)
        for at in rng.integers(0, len(damaged), 2):
            damaged[at] ^= int(rng.integers(1, 256))
        (tmp_path / "b.sqb").write_bytes(damaged)
        with pytest.raises(InputError):
            decode_file(tmp_path / "b.sqb", tmp_path / "out.wav")
        # Any codes at all, in an intact file: noise comes out, or one error.
        codes: NDArray[np.int64] = rng.integers(0, 256, (1, int(rng.integers(1, 1500))))
        with open(tmp_path / "b.sqb", "wb") as stream:
            writer = Writer(stream, replace(header, layout=layout_of((256,))), (256,))
            writer.write(codes)
            writer.close()
        with suppress(InputError):
            decode_file(tmp_path / "b.sqb", tmp_path / "out.wav")


def test_the_commands(speech: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packed, out = str(tmp_path / "a.sqb"), str(tmp_path / "out.wav")
    assert main(["encode", str(speech), "-o", packed, "--codec", "opus-6k"]) == 0
    assert "6" in capsys.readouterr().out
    assert main(["decode", packed, "-o", out]) == 0
    assert len(audio.read(Path(out))[0]) == 32000
    assert main(["decode", packed, "-o", out, "--codec", "opus-8k"]) == 1
    assert "codes of opus-8k; found opus-6k" in capsys.readouterr().err
    assert main(["decode", str(speech), "-o", out]) == 1
    assert "expected a .sqb file" in capsys.readouterr().err
    assert main(["decode", str(tmp_path / "none.sqb"), "-o", out]) == 1
    assert "none.sqb" in capsys.readouterr().err


@pytest.mark.slow
def test_a_minute_through_a_network(tmp_path: Path) -> None:
    samples = audio_fixtures.babble(60.0, seed=0).astype(np.float32)
    audio.write(tmp_path / "in.wav", samples, 16000)
    done = encode_file(
        tmp_path / "in.wav", tmp_path / "a.sqb", load_codec("sqcodec-6k", weights="bundled")
    )
    assert 8 * done.payload_bytes == pytest.approx(done.bits, rel=1e-3)
    assert decode_file(tmp_path / "a.sqb", tmp_path / "out.wav", weights="bundled") == 60.0


@pytest.mark.parametrize("rate", [500, 2_000_000])
def test_what_would_not_be_decoded_is_not_encoded(rate: int, tmp_path: Path) -> None:
    path = audio_fixtures.write_wav(tmp_path / "in.wav", audio_fixtures.babble(0.1), rate)
    with pytest.raises(InputError, match=r"in\.wav.*1000 to 768000 Hz"):
        encode_file(path, tmp_path / "out.sqb", load_codec("mulaw-8"))
    assert not (tmp_path / "out.sqb").exists()


@pytest.mark.parametrize("extension", ["flac", "ogg", "mp3", "aiff"])
def test_decoded_audio_has_the_format_that_its_name_says(
    extension: str, speech: Path, tmp_path: Path
) -> None:
    import soundfile

    assert main(["encode", str(speech), "-o", str(tmp_path / "x.sqb"), "--codec", "mulaw-8"]) == 0
    out = tmp_path / f"x.{extension}"
    assert main(["decode", str(tmp_path / "x.sqb"), "-o", str(out)]) == 0
    assert soundfile.info(str(out)).format == extension.upper()


def test_a_format_that_is_none_is_refused_before_any_work(
    speech: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["decode", str(tmp_path / "missing.sqb"), "-o", str(tmp_path / "x.m4a")]) == 1
    assert "ends in .wav, .flac" in capsys.readouterr().err
