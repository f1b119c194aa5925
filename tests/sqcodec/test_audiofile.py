"""Files are read whole, or found not to be: by header, pages and frames."""

from __future__ import annotations

import errno
import io
import logging
import os
import pickle
from contextlib import suppress
from pathlib import Path

import mutations
import numpy as np
import pytest
import soundfile
from audio_fixtures import babble

from sqcodec.audiofile import AudioError, is_audio, is_length_of, mpeg, read, remarks
from sqcodec.audiofile.ogg import checksum

KINDS = tuple(mutations.FORMATS)
CHECKED = ("flac", "ogg", "opus", "mp3")
"""Formats that can tell a hole."""

MORE = {
    "adpcm": ("WAV", "MS_ADPCM"),
    "rifx": ("WAVEX", "PCM_24"),
    "alac": ("CAF", "ALAC_16"),
    "aifc": ("AIFF", "ALAW"),
    "svx": ("SVX", "PCM_16"),
    "avr": ("AVR", "PCM_16"),
}


def whole(kind: str, seconds: float = 2.0, rate: int = 16000) -> bytes:
    if kind in mutations.FORMATS:
        return mutations.encoded(kind, seconds, rate)
    name, subtype = MORE[kind]
    buffer = io.BytesIO()
    samples = babble(seconds, rate)
    soundfile.write(buffer, samples, rate, format=name, subtype=subtype)
    return buffer.getvalue()


def kind_of(data: bytes) -> str:
    with pytest.raises(AudioError) as caught:
        read(data, name="clip")
    assert "clip" in str(caught.value)
    return caught.value.kind


@pytest.mark.parametrize("kind", [*KINDS, *MORE])
def test_whole_files_are_read_and_broken_off_ones_are_found(kind: str, tmp_path: Path) -> None:
    data = whole(kind)
    path = tmp_path / f"clip.{kind}"
    path.write_bytes(data)
    samples, rate = read(path)
    assert rate == 16000
    assert 0 <= len(samples) - 32000 < 2000  # ADPCM fills its last block
    assert np.array_equal(samples, read(data)[0])
    for size in (len(data) // 2, len(data) * 9 // 10, len(data) - 100):
        path.write_bytes(data[:size])
        with pytest.raises(AudioError, match="cut off") as caught:
            read(path)
        assert caught.value.kind == "cut off"
        assert str(path) in str(caught.value)


@pytest.mark.parametrize("kind", CHECKED)
@pytest.mark.parametrize("fill", ["zeros", "noise", "nothing"])
def test_holes_are_found_where_the_container_tells(kind: str, fill: str) -> None:
    data, size = whole(kind), 1500
    filling = {"zeros": bytes(size), "noise": np.random.default_rng(0).bytes(size), "nothing": b""}
    start = len(data) // 2
    assert kind_of(data[:start] + filling[fill] + data[start + size :]) in ("damaged", "cut off")


def patched(data: bytes, at: int, value: bytes) -> bytes:
    return data[:at] + value + data[at + len(value) :]


def unknown_lengths() -> dict[str, bytes]:
    """Files as encoders leave them that write to a pipe."""
    wav, rf64, flac, au, caf, aiff, w64 = (
        whole(kind) for kind in ("wav", "rf64", "flac", "au", "caf", "aiff", "w64")
    )
    assert wav[36:40] == b"data"
    found = {
        f"wav {size:#x}": patched(patched(wav, 40, n), 4, n)
        for size in (0, 0xFFFFFFFF, 0xFFFFFFDB, 0x7FFFFFFF)
        if (n := size.to_bytes(4, "little"))
    }
    for size in (0, 0xFFFFFFFF):
        n = size.to_bytes(4, "big")
        found[f"au {size:#x}"] = patched(au, 8, n)
        found[f"aiff {size:#x}"] = patched(patched(aiff, aiff.index(b"SSND") + 4, n), 4, n)
    found["caf"] = patched(caf, caf.index(b"data") + 4, b"\xff" * 8)
    found["w64"] = patched(w64, w64.index(b"data") + 16, b"\xff" * 8)
    found["rf64"] = patched(rf64, rf64.index(b"ds64") + 16, b"\xff" * 8)
    length = bytes([flac[21] & 0xF0, 0, 0, 0, 0])
    found["flac"] = patched(flac, 21, length)
    return found


@pytest.mark.parametrize("name", list(unknown_lengths()))
def test_headers_that_do_not_know_the_length_are_read(name: str, tmp_path: Path) -> None:
    data = unknown_lengths()[name]
    (tmp_path / "clip").write_bytes(data)
    for source in (data, tmp_path / "clip"):
        samples, rate = read(source)
        assert (len(samples), rate) == (32000, 16000)
    assert np.array_equal(read(data, start=0.5, duration=0.25)[0], samples[8000:12000])
    if name == "flac":
        assert kind_of(data[: len(data) // 2]) == "cut off"


def test_an_empty_data_chunk_before_others_is_empty() -> None:
    header = bytearray(whole("wav")[:44])
    header[40:44] = bytes(4)
    assert kind_of(bytes(header) + b"LIST\x04\0\0\0INFO") == "empty"


def test_a_header_counted_as_audio_is_no_cut() -> None:
    wav = whole("wav")
    long = patched(wav, 40, (len(wav)).to_bytes(4, "little"))
    assert len(read(long)[0]) == 32000
    assert kind_of(patched(wav, 40, (2 * len(wav)).to_bytes(4, "little"))) == "cut off"


def test_an_mp3_without_a_count_is_cut_where_its_last_frame_is() -> None:
    data = whole("mp3")
    first = mpeg._frame(data, 0)
    assert first is not None
    assert b"Xing" in data[: first.size]
    bare = data[first.size :]
    assert len(read(bare)[0]) >= 32000
    assert len(read(bare + b"TAG" + bytes(125))[0]) >= 32000
    assert kind_of(bare[: len(bare) // 2 + 7]) == "cut off"


def test_files_put_behind_each_other_lose_nothing_unsaid() -> None:
    assert len(read(whole("mp3") * 2)[0]) >= 64000
    assert kind_of(whole("ogg") + mutations.encoded("opus")) == "damaged"


def test_samples_at_the_scale_of_integers_are_refused() -> None:
    buffer = io.BytesIO()
    loud = np.array([0.5, -20000.0])
    soundfile.write(buffer, loud, 16000, format="WAV", subtype="FLOAT")
    assert kind_of(buffer.getvalue()) == "scale"
    buffer = io.BytesIO()
    soundfile.write(buffer, np.array([0.5, -4.0]), 16000, format="WAV", subtype="FLOAT")
    assert read(buffer.getvalue())[0].tolist() == [0.5, -4.0]


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3", "aiff"])
def test_a_stretch_is_that_part_of_the_whole(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"long.{kind}"
    path.write_bytes(whole(kind, 12.0))
    samples, rate = read(path)
    for start, duration in ((0.0, 1.5), (0.25, 0.5), (7.125, 2.0), (11.5, 0.5)):
        first, count = round(start * rate), round(duration * rate)
        found, _ = read(path, start=start, duration=duration)
        # libmpg123 computes in single precision, and rounds by where it began.
        np.testing.assert_allclose(found, samples[first : first + count], atol=1e-6)
    assert len(read(path, start=10.0)[0]) == len(samples) - 10 * rate
    for start, duration in ((13.0, 1.0), (10.0, 5.0), (0.0, 30.0)):
        with pytest.raises(AudioError, match="seconds"):
            read(path, start=start, duration=duration)


def test_a_rounded_duration_means_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.full(16000 + 39, 0.1), 16000)  # 1.0024375 s
    for duration, length in ((1.0, 16039), (1.002, 16039), (1.00244, 16039), (0.9, 14400)):
        assert len(read(path, duration=duration)[0]) == length
        assert is_length_of(path, duration) is (length == 16039)
    assert len(read(path, duration=1.05)[0]) == 16039  # a manifest may round up


def test_libmpg123_is_quoted_with_the_file_and_writes_nothing_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    data = whole("mp3")
    path = tmp_path / "noisy.mp3"
    rng = np.random.default_rng(3)
    said = 0
    for _ in range(40):  # the sort of damage that leaves all frames in place
        changed = bytearray(data)
        for at in rng.integers(len(data) // 4, len(data), 60):
            frame_header = data[at : at + 1] == b"\xff" or b"\xff" in data[max(0, at - 3) : at]
            changed[at] ^= 0 if frame_header else int(rng.integers(1, 256))
        path.write_bytes(changed)
        with caplog.at_level(logging.DEBUG, "sqcodec.audiofile"), suppress(AudioError):
            read(path)
        said += sum(str(path) in record.getMessage() for record in caplog.records)
        caplog.clear()
    assert said, "no damage that libmpg123 speaks of"
    assert "mpg123" not in capfd.readouterr().err


def test_files_that_cannot_be_opened_say_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone.wav").symlink_to("nothing.wav")
    (tmp_path / "loop.wav").symlink_to("loop.wav")
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "empty.wav").touch()
    os.mkfifo(tmp_path / "pipe.wav")
    for name, text in {
        "none.wav": "no such file",
        "gone.wav": r"a link to nothing\.wav, which is not there",
        "loop.wav": "leads back to itself",
        "folder.wav": "a folder",
        "empty.wav": "0 bytes",
        "pipe.wav": "a pipe",
        "x" * 300 + ".wav": "longer than the file system allows",
    }.items():
        with pytest.raises(AudioError, match=text):
            read(tmp_path / name)

    def denied(*_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(AudioError, match="permission denied") as caught:
        read(tmp_path / "empty.wav")
    assert caught.value.kind == "missing"


def test_errors_keep_their_kind_between_processes() -> None:
    error = AudioError("a.wav", kind="cut off", expected="all", found="half", remedy="Again.")
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.kind) == (str(error), "cut off")


def test_a_hole_of_zeros_in_a_wav_is_remarked_and_faded_silence_is_not() -> None:
    rate = 16000
    sound = np.sin(np.arange(3 * rate) * 0.1 + 0.5)
    holed = sound.copy()
    holed[rate : rate + 4000] = 0
    (text,) = remarks(holed, rate)
    assert "0.25 s of exact zeros from 1.00 s" in text
    assert remarks(sound, rate) == ()
    fade = np.clip(np.abs(np.arange(3 * rate) - 1.5 * rate) / rate - 0.2, 0, 1)
    assert remarks(sound * fade, rate) == ()
    assert remarks(np.zeros(rate), rate) == ()


def test_the_checksum_of_an_ogg_page_is_the_published_one() -> None:
    def plain(data: bytes) -> int:
        crc = 0
        for byte in data:
            crc ^= byte << 24
            for _ in range(8):
                crc = (crc << 1 ^ (0x04C11DB7 if crc & 0x80000000 else 0)) & 0xFFFFFFFF
        return crc

    data = np.random.default_rng(0).bytes(300)
    assert checksum(data) == plain(data)


def test_shared_extensions_are_audio_if_they_open(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "sound.mat", np.zeros(100), 8000, format="MAT5", subtype="PCM_16")
    (tmp_path / "table.mat").write_bytes(b"MATLAB 5.0 MAT-file, of numbers")
    assert is_audio(tmp_path / "sound.mat")
    assert not is_audio(tmp_path / "table.mat")
    assert is_audio("A.AIFF")
    assert not is_audio("a.m4a")
