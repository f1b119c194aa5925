"""WavTokenizer: each part against its source or a plain form, and the published checkpoint."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import audio_fixtures
import numpy as np
import pytest
import tiny_codecs
import torch
from torch import nn

from sqbench_codecs import CODECS, load_codec
from sqbench_codecs.wavtokenizer import sizes
from sqbench_codecs.wavtokenizer.codec import CHECKPOINTS
from sqcodec.errors import InputError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from sqbench_codecs.wavtokenizer import network as net

FILE = CHECKPOINTS[320][1]
Folder = Callable[[str], Path]


def test_the_head_is_vocos() -> None:
    from vocos.heads import ISTFTHead

    torch.manual_seed(0)
    theirs = ISTFTHead(64, 1280, 320, "same")
    ours = net.SpectralHead(64, 1280, 320)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    for frames in (1, 2, 40):
        x = torch.randn(2, frames, 64)
        torch.testing.assert_close(ours(x), theirs(x), rtol=0, atol=0)


def test_the_backbone_is_vocos_around_the_position_network() -> None:
    from vocos.models import VocosBackbone

    torch.manual_seed(0)
    ours = net.Backbone(sizes.Sizes(strides=(8, 5, 4, 2), **tiny_codecs.SIZES)).eval()
    theirs = VocosBackbone(32, 64, 96, 2, adanorm_num_embeddings=4).eval()
    missing = ours.load_state_dict(theirs.state_dict(), strict=False).missing_keys
    assert len(missing) == 44
    assert all(key.startswith("pos_net.") for key in missing)
    ours.pos_net = nn.Sequential()
    x = torch.randn(2, 32, 30)
    torch.testing.assert_close(ours(x), theirs(x, bandwidth_id=torch.zeros(1, dtype=torch.long)))


def test_the_codebook_is_encodecs() -> None:
    from encodec.quantization.core_vq import EuclideanCodebook

    theirs: Any = EuclideanCodebook(dim=32, codebook_size=4096, kmeans_init=False)
    ours = net.Codebook(4096, 32)
    ours.embed.copy_(theirs.embed)
    x = torch.randn(2, 32, 50) * theirs.embed.std()
    codes = ours.encode(x)
    assert torch.equal(codes, theirs.encode(x.transpose(1, 2)))
    torch.testing.assert_close(ours.decode(codes), theirs.decode(codes).transpose(1, 2))


def test_attention_is_softmax_over_all_frames() -> None:
    torch.manual_seed(0)
    attention = net.Attention(64)
    x = torch.randn(1, 64, 20)
    h = attention.norm(x)[0].double().detach()

    def at(conv: nn.Conv1d, frame: int) -> torch.Tensor:
        assert conv.bias is not None
        out: torch.Tensor = conv.weight[:, :, 0].double() @ h[:, frame] + conv.bias.double()
        return out

    expected = torch.zeros(64, 20, dtype=torch.float64)
    for t in range(20):
        scores = torch.stack([at(attention.q, t) @ at(attention.k, s) for s in range(20)])
        shares = (scores / 8.0).softmax(0)
        mixed = sum(shares[s] * at(attention.v, s) for s in range(20))
        assert attention.proj_out.bias is not None
        weight = attention.proj_out.weight[:, :, 0].double()
        expected[:, t] = weight @ mixed + attention.proj_out.bias.double()
    torch.testing.assert_close(attention(x)[0].double(), x[0] + expected, rtol=0, atol=1e-5)


def test_residual_by_its_formula() -> None:
    torch.manual_seed(0)
    block = net.Residual(64)
    x = torch.randn(1, 64, 9)

    def swish(y: torch.Tensor) -> torch.Tensor:
        return y * torch.sigmoid(y)

    expected = x + block.conv2(swish(block.norm2(block.conv1(swish(block.norm1(x))))))
    torch.testing.assert_close(block(x), expected)


@pytest.mark.parametrize(
    ("name", "params_m", "tensors"),
    [("wavtokenizer-40", 80.914, 289), ("wavtokenizer-75", 80.552, 289)],
)
def test_published_sizes(name: str, params_m: float, tensors: int) -> None:
    hop = {"wavtokenizer-40": 600, "wavtokenizer-75": 320}[name]
    with torch.device("meta"):
        network = net.Network(sizes.Sizes(strides=sizes.SIZES[hop].strides), with_unused=True)
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(params_m, abs=5e-4)
    state = tiny_codecs.lightning_checkpoint(network)["state_dict"]
    assert len([key for key in state if not key.startswith("multiperiod")]) == tensors


def test_names_that_the_checkpoint_is_known_by() -> None:
    with torch.device("meta"):
        network = net.Network(sizes.Sizes(strides=(8, 5, 4, 2)), with_unused=True)
    state = tiny_codecs.lightning_checkpoint(network)["state_dict"]
    assert {
        "feature_extractor.encodec.encoder.model.0.conv.conv.weight_g",
        "feature_extractor.encodec.encoder.model.13.lstm.weight_ih_l1",
        "feature_extractor.encodec.quantizer.vq.layers.0._codebook.embed",
        "backbone.embed.weight",
        "backbone.norm.scale.weight",
        "backbone.convnext.11.norm.shift.weight",
        "backbone.convnext.11.gamma",
        "backbone.pos_net.0.norm1.weight",
        "backbone.pos_net.2.proj_out.weight",
        "backbone.pos_net.5.bias",
        "backbone.final_layer_norm.weight",
        "head.out.weight",
        "head.istft.window",
    } <= state.keys()
    assert sum(key.startswith("feature_extractor.encodec.decoder.") for key in state) == 62
    assert sum(key.startswith("backbone.pos_net.") for key in state) == 44


def test_a_folder_or_the_file_itself(tiny_folder: Folder) -> None:
    folder = tiny_folder("wavtokenizer-75")
    first = load_codec("wavtokenizer-75", weights=str(folder))
    second = load_codec("wavtokenizer-large-320", weights=str(folder / FILE))
    assert first.weights.sha256 == second.weights.sha256
    x = audio_fixtures.babble(0.5, 24000).astype(np.float32)
    np.testing.assert_array_equal(first.encode([x])[0], second.encode([x])[0])


def test_tensors_are_taken_strictly(tiny_folder: Folder) -> None:
    path = tiny_folder("wavtokenizer-75") / FILE
    whole = torch.load(path, weights_only=True)
    for change, message in (
        ("backbone.pos_net.2.q.weight", "expected tensor backbone.pos_net.2.q.weight; found none"),
        ("+backbone.pos_net.6.weight", "found tensor backbone.pos_net.6.weight"),
        ("+feature_extractor.other", "found tensor feature_extractor.other"),
    ):
        state = dict(whole["state_dict"])
        if change.startswith("+"):
            state[change[1:]] = torch.zeros(1)
        else:
            del state[change]
        torch.save({"state_dict": state}, path)
        with pytest.raises(InputError, match=message):
            load_codec("wavtokenizer-75", weights=str(path))


def test_another_rate_is_refused(tiny_folder: Folder) -> None:
    with pytest.raises(InputError, match="of shape"):
        load_codec("wavtokenizer-40", weights=str(tiny_folder("wavtokenizer-75") / FILE))


class Evil:
    """Runs when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('ran code')",)


@pytest.mark.parametrize("case", ["code", "truncated", "empty", "no state", "tensor"])
def test_files_that_are_no_checkpoint(case: str, tmp_path: Path, tiny_folder: Folder) -> None:
    path = tmp_path / "x.ckpt"
    if case == "code":
        torch.save({"state_dict": {}, "hyper_parameters": Evil()}, path)
    elif case == "truncated":
        whole = (tiny_folder("wavtokenizer-75") / FILE).read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
    elif case == "empty":
        path.touch()
    else:
        torch.save(torch.zeros(3) if case == "tensor" else {"epoch": 1}, path)
    with pytest.raises(InputError, match=r"x.ckpt"):
        load_codec("wavtokenizer-75", weights=str(path))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["wavtokenizer-40", "wavtokenizer-75"])
def test_at_full_size(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for hop, size in sizes.SIZES.items():
        monkeypatch.setitem(sizes.SIZES, hop, sizes.Sizes(strides=size.strides))
    codec = tiny_codecs.load(name, tmp_path)
    x = audio_fixtures.babble(3.0, 24000).astype(np.float32)
    codes = codec.encode([x])
    y = codec.decode(codes, [len(x)])[0]
    assert codes[0].shape == (1, 3 * round(CODECS.get(name).spec.frame_rate or 0))
    assert y.shape == x.shape
    assert np.isfinite(y).all()
