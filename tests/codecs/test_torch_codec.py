"""A PyTorch network of one's own: padding, lengths, weights, identity, counting."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from sqbench.counting import count
from sqbench.engine.systems.codec import inline
from sqbench_codecs import CodecSpec, InputError, TorchCodec, load_codec

HOP = 160
SPEC = CodecSpec(
    name="own", sample_rate=16000, frame_rate=100.0, codebook_sizes=(64, 64), bitrate_bps=1200.0
)
ONE = replace(SPEC, codebook_sizes=(64,), bitrate_bps=600.0)


class Net(nn.Module):
    """Two codes a frame: of its mean, and of its first sample; dropout tells the mode."""

    def __init__(self, hop: int = HOP) -> None:
        super().__init__()
        self.hop = hop
        self.encoder = nn.Conv1d(1, 2, hop, hop, bias=False)
        self.drop = nn.Dropout(0.5)
        self.decoder = nn.ConvTranspose1d(2, 1, hop, hop)
        self.register_buffer("steps", torch.tensor((1 << 24) + 1))

    def encode(self, audio: Tensor) -> Tensor:
        if audio.device.type != "meta":
            assert audio.shape[1:] == (1, audio.shape[-1])
            assert audio.shape[-1] % self.hop == 0
            assert not torch.is_grad_enabled()
        found: Tensor = self.drop(self.encoder(audio)) * 8 + 32
        return found.round().clamp(0, 63).long()

    def decode(self, codes: Tensor) -> Tensor:
        audio: Tensor = self.decoder((codes.float() - 32) / 8)
        return audio


class Own(TorchCodec):
    spec = SPEC
    hop = HOP

    def build(self) -> nn.Module:
        torch.manual_seed(0)
        return Net()


class Flat(Net):
    """One codebook without its dimension, audio without its channel."""

    def encode(self, audio: Tensor) -> Tensor:
        return super().encode(audio)[:, 0]

    def decode(self, codes: Tensor) -> Tensor:
        assert codes.ndim == 2
        return super().decode(torch.stack([codes, codes], 1))[:, 0]


def clip(samples: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(seed).standard_normal(samples).astype(np.float32)


LENGTHS = [1, HOP - 1, HOP, HOP + 1, 1600, 1601]


def test_any_length_is_padded_to_frames_and_cut_again() -> None:
    codec = Own()
    clips = [clip(n, n) for n in LENGTHS]
    codes = codec.encode(clips)
    decoded = codec.decode(codes, LENGTHS)
    assert [c.shape for c in codes] == [(2, -(-n // HOP)) for n in LENGTHS]
    assert all(c.dtype == np.int64 for c in codes)
    assert [x.shape for x in decoded] == [(n,) for n in LENGTHS]
    assert all(x.dtype == np.float32 for x in decoded)
    whole = np.zeros(1760, np.float32)
    whole[:1601] = clips[-1]
    with torch.no_grad():
        expected = codec.network.encode(torch.from_numpy(whole)[None, None])[0].numpy()
    np.testing.assert_array_equal(codes[-1], expected)


def test_clips_of_one_length_share_a_batch_off_the_cpu() -> None:
    codec = Own()
    clips = [clip(n, seed) for seed, n in enumerate([1600, 320, 1599, 1600])]
    alone = codec.encode(clips)
    batches: list[int] = []
    forward = codec.network.encode

    def seen(audio: Tensor) -> Tensor:
        batches.append(len(audio))
        found: Tensor = forward(audio)
        return found

    codec.network.encode = seen
    groups = codec._groups
    codec.device = "elsewhere"
    grouped = groups([10, 2, 10, 10])
    codec.device = "cpu"
    assert grouped == [[0, 2, 3], [1]]
    codec._groups = lambda frames: grouped  # type: ignore[method-assign]
    together = codec.encode(clips)
    assert batches == [3, 1]
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


def test_codes_of_one_codebook_may_come_without_its_dimension() -> None:
    codec = TorchCodec(ONE, network=Flat(), hop=HOP)
    (codes,) = codec.encode([clip(1000)])
    assert codes.shape == (1, 7)
    fresh = TorchCodec(ONE, network=codec.network, hop=HOP)  # decodes before it encodes anything
    assert fresh.decode([codes], [1000])[0].shape == (1000,)


def test_a_network_in_training_goes_on_training() -> None:
    network = Net()
    network.decoder.eval()
    codec = TorchCodec(SPEC, network=network, hop=HOP)
    first, second = (codec.encode([clip(1600)])[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)  # dropout would tell
    assert network.training
    assert network.drop.training
    assert not network.decoder.training
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_decoded_audio_of_another_rate() -> None:
    class Up(Net):
        def decode(self, codes: Tensor) -> Tensor:
            return super().decode(codes).repeat_interleave(2, -1)

    codec = TorchCodec(replace(SPEC, output_sample_rate=32000), network=Up(), hop=HOP)
    assert codec.decode(codec.encode([clip(333)]), [333])[0].shape == (666,)


SAVED: dict[str, Callable[[dict[str, Tensor], Path], Path]] = {}


def _saver(name: str, wrap: Callable[[dict[str, Tensor]], Any]) -> None:
    def save(state: dict[str, Tensor], folder: Path) -> Path:
        torch.save(wrap(state), folder / "w.pt")
        return folder / "w.pt"

    SAVED[name] = save


def _safetensors(state: dict[str, Tensor], folder: Path) -> Path:
    save_file(state, folder / "w.safetensors")
    return folder / "w.safetensors"


SAVED["safetensors"] = _safetensors
_saver("alone", lambda state: state)
_saver("lightning", lambda state: {"epoch": 3, "state_dict": state})
_saver("parallel", lambda state: {f"module.{key}": value for key, value in state.items()})
_saver(
    "compiled",
    lambda state: {"model": {f"_orig_mod.module.{key}": value for key, value in state.items()}},
)


@pytest.mark.parametrize("form", sorted(SAVED))
def test_weights_of_any_form_are_the_same_weights(form: str, tmp_path: Path) -> None:
    torch.manual_seed(7)
    state = Net().state_dict()
    path = SAVED[form](state, tmp_path)
    codec = Own(weights=str(path))
    for key, value in codec.network.state_dict().items():
        assert torch.equal(value, state[key]), key
    assert codec.weights.source == str(path)
    assert codec.weights.detail == str(path.resolve())
    assert codec.weights.sha256 == TorchCodec(SPEC, network=codec.network, hop=HOP).weights.sha256
    assert codec.weights.sha256 != Own().weights.sha256


class _Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("touched"),)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda s: s.pop("decoder.bias"), "tensor decoder.bias"),
        (lambda s: s.update(more=torch.zeros(1)), "tensor more"),
        (lambda s: s.update({"decoder.bias": torch.zeros(2)}), r"shape \(2,\)"),
        (lambda s: s.update(note="hello"), "note in it"),
        (lambda s: s.update(evil=_Evil()), "would run .*: refused"),
        (lambda s: s.clear(), "nothing in it"),
    ],
    ids=["missing", "left over", "shape", "text", "code", "empty"],
)
def test_weights_that_are_not_the_networks(
    spoil: Callable[[dict[str, Any]], Any],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    state: dict[str, Any] = dict(Net().state_dict())
    spoil(state)
    torch.save(state, "w.pt")
    with pytest.raises(InputError, match=words):
        Own(weights="w.pt")
    assert not Path("touched").exists()


def test_files_that_are_no_weights(tmp_path: Path) -> None:
    for name in ("cut.pt", "cut.safetensors"):
        (tmp_path / name).write_bytes(b"\x80\x02nothing of the kind")
        with pytest.raises(InputError, match=name):
            Own(weights=str(tmp_path / name))
    for choice, words in (("/no/such.pt", "no such file"), (str(tmp_path), "a folder"),
                          ("official", "no such choice")):  # fmt: skip
        with pytest.raises(InputError, match=words):
            Own(weights=choice)


class _Floats(Net):
    def encode(self, audio: Tensor) -> Tensor:
        return super().encode(audio).float()


class _Books(Net):
    def encode(self, audio: Tensor) -> Tensor:
        return super().encode(audio)[:, :1]


class _Long(Net):
    def encode(self, audio: Tensor) -> Tensor:
        if audio.shape[-1] < 4 * HOP:
            raise RuntimeError("too short")
        return super().encode(audio)


@pytest.mark.parametrize(
    ("network", "words"),
    [(_Floats, "float32"), (_Books, r"\[1, 2, frames\]"), (_Long, "least_frames")],
)
def test_what_encode_must_give_is_said_on_loading(network: type[Net], words: str) -> None:
    with pytest.raises(InputError, match=words):
        TorchCodec(SPEC, network=network(), hop=HOP)


def test_least_frames_cure_a_network_that_needs_more() -> None:
    class Longer(TorchCodec):
        spec, hop, least_frames = SPEC, HOP, 4

    codec = Longer(network=_Long())
    (codes,) = codec.encode([clip(10)])
    assert codes.shape == (2, 4)
    assert codec.decode([codes], [10])[0].shape == (10,)
    assert "at least 4" in codec.settings["padding"]


def test_a_decoder_that_is_short_by_a_frame_is_refused_and_by_less_is_filled() -> None:
    class Short(Net):
        less = 0

        def decode(self, codes: Tensor) -> Tensor:
            return super().decode(codes)[..., : -self.less]

    codec = TorchCodec(SPEC, network=Short(), hop=HOP)
    codes = codec.encode([clip(1600)])
    codec.network.less = HOP
    with pytest.raises(InputError, match="1600 samples"):
        codec.decode(codes, [1600])
    codec.network.less = 3
    (audio,) = codec.decode(codes, [1600])
    assert audio.shape == (1600,)
    assert not audio[-3:].any()


@pytest.mark.parametrize(
    ("spec", "hop", "words"),
    [(None, HOP, "CodecSpec"), (SPEC, 0, "hop"), (replace(SPEC, sample_rate=None), HOP, "rate")],
)
def test_what_a_class_must_state(spec: CodecSpec | None, hop: int, words: str) -> None:
    with pytest.raises(InputError, match=words):
        TorchCodec(spec, network=Net(), hop=hop)


def test_identity_follows_the_tensors_and_not_the_place(tmp_path: Path) -> None:
    state = Net().state_dict()
    paths = [tmp_path / "a.pt", tmp_path / "b.pt"]
    for path in paths:
        torch.save(state, path)
    here, there = (inline(Own(weights=str(path))) for path in paths)
    assert here.unknown == []
    assert here.identity == there.identity
    state["decoder.bias"] += 1e-3
    torch.save(state, paths[0])
    assert inline(Own(weights=str(paths[0]))).identity != here.identity


def test_identity_of_a_network_alone_follows_its_class_too() -> None:
    class Other(Net):
        pass

    network, other = Net(), Other()
    other.load_state_dict(network.state_dict())
    made = [inline(TorchCodec(SPEC, network=each, hop=HOP)) for each in (network, network, other)]
    assert made[0].unknown == []
    assert made[0].identity == made[1].identity != made[2].identity
    assert Path(__file__).name in made[0].description["settings"]["files"]
    before = made[0].identity
    TorchCodec(SPEC, network=network, hop=HOP).encode([clip(500)])
    assert inline(TorchCodec(SPEC, network=network, hop=HOP)).identity == before


def test_costs_are_counted_without_touching_the_network() -> None:
    codec = Own()
    before = {key: value.clone() for key, value in codec.network.state_dict().items()}
    costs = count(codec)
    parameters = sum(parameter.numel() for parameter in codec.network.parameters())
    assert costs["params_m"] == parameters / 1e6
    # 1000 frames in 10 s: two filters of HOP samples there, and the same back.
    assert costs["macs_g"] == pytest.approx(1000 * 2 * HOP * 2 / 1e9)
    blueprint = codec.blueprint()
    assert blueprint.parts == {"encoder": ("network.encoder",), "decoder": ("network.decoder",)}
    for key, value in codec.network.state_dict().items():
        assert torch.equal(value, before[key])


def test_a_checkpoint_lies_beside_the_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "codec"
    folder.mkdir()
    code = (
        "import torch\nfrom torch import nn\nfrom sqbench_codecs import CodecSpec, TorchCodec\n"
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__(); self.g = nn.Parameter(torch.ones(1))\n"
        "    def encode(self, x): return (x * 8 + 8).long().clamp(0, 15)\n"
        "    def decode(self, c): return self.g * (c.float() - 8) / 8\n"
        "class Beside(TorchCodec):\n"
        "    spec = CodecSpec(name='beside', sample_rate=8000, frame_rate=8000.0,\n"
        "                     codebook_sizes=(16,), bitrate_bps=32000.0)\n"
        "    hop, checkpoint = 1, 'w.pt'\n"
        "    def build(self): return Net()\n"
    )
    (folder / "beside.py").write_text(code)
    torch.save({"g": torch.full((1,), 0.5)}, folder / "w.pt")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    codec = load_codec("codec/beside.py:Beside")
    assert isinstance(codec, TorchCodec)
    assert codec.weights.source == "w.pt"
    assert codec.network.g.tolist() == [0.5]
    (folder / "w.pt").unlink()
    with pytest.raises(InputError, match="no such file"):
        load_codec("codec/beside.py:Beside")


def test_importing_the_package_imports_no_torch() -> None:
    script = "import sys, sqbench_codecs; sqbench_codecs.TorchCodec; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
