"""The public class, and exchange of weight files with the published package."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from sqcodec_reference import reference, test_audio

import sqcodec
from sqcodec import InputError, SQCodec, weights
from sqcodec.config import load_config
from sqcodec.model import SQCodecModel


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("run") / "model.safetensors"
    return weights.save_checkpoint(SQCodecModel(load_config("6kbps")), path)


def test_published_package_reads_our_export(tmp_path: Path) -> None:
    weights.export_official(SQCodecModel(load_config("6kbps")), tmp_path)
    ref = reference("6kbps", test_audio(0.1, 16000))
    for part, module in ref.network.trainable_modules.items():
        state = torch.load(tmp_path / "6kbps.v0" / f"{part}.pt", weights_only=True)
        module.load_state_dict(state, strict=True)


def test_saved_published_files_load_strictly(tmp_path: Path) -> None:
    audio = test_audio(0.6, 16000)
    ref = reference("6kbps", audio)
    codec = SQCodec.from_pretrained("6k", ref.save(tmp_path))
    want = ref.run(audio)
    codes = codec.encode(audio)
    assert (codes == want["codes"]).float().mean() > 0.99
    got = codec.decode(want["codes"], length=audio.shape[1])
    assert (got - want["audio"][:, : audio.shape[1]]).abs().max() < 2e-5


def test_public_class(checkpoint: Path) -> None:
    codec = sqcodec.SQCodec.from_pretrained(str(checkpoint))
    assert (codec.sample_rate, codec.codebook_size, codec.config.name) == (16000, 117649, "6kbps")
    assert codec.frame_rate == pytest.approx(355.56, abs=0.01)
    audio = test_audio(0.3, 16000)
    codes = codec.encode(audio)
    assert codes.shape == (1, 300)
    assert codes.dtype == torch.int64
    assert torch.equal(codec.encode(audio[0]), codes[0])
    assert codec.decode(codes).shape == (1, 13500)
    out = codec.decode(codes, length=4800)
    assert out.shape == (1, 4800)
    assert torch.equal(codec.decode(codes[0], length=4800), out[0])


def test_batch_is_bitwise_single(checkpoint: Path) -> None:
    codec = SQCodec.from_pretrained(str(checkpoint))
    audio = torch.cat([test_audio(0.3, 16000), torch.randn(1, 4800)])
    codes = codec.encode(audio)
    assert torch.equal(codes, torch.stack([codec.encode(x) for x in audio]))
    assert torch.equal(codec.decode(codes), torch.stack([codec.decode(c) for c in codes]))


def test_bad_input_to_the_codec(checkpoint: Path) -> None:
    codec = SQCodec.from_pretrained(str(checkpoint))
    codes = torch.zeros(1, 300, dtype=torch.long)
    for audio in (
        torch.zeros(1, 1, 100),
        torch.zeros(1, 100, dtype=torch.int16),
        torch.full((1, 100), torch.nan),
    ):
        with pytest.raises(InputError):
            codec.encode(audio)
    for bad in (codes.float(), codes - 1, codes + codec.codebook_size, codes[None]):
        with pytest.raises(InputError):
            codec.decode(bad)
    with pytest.raises(InputError, match="0 to 13500 samples"):
        codec.decode(codes, length=13501)
