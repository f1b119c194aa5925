"""The protocol's evaluators and their alternatives, each on a tiny model in the true format."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sqbench.tasks.base import Clip, TaskData
from sqbench.tasks.embeddings import unpack
from sqbench.tasks.evaluators import clap_msclap, ecapa
from sqbench.tasks.evaluators.base import Evaluator, Setting, torchaudio_resample
from sqbench.tasks.evaluators.catalogue import EVALUATORS
from sqbench.tasks.evaluators.ecapa_network import EcapaTdnn
from sqbench.tasks.evaluators.emotion2vec import classified
from sqbench.tasks.evaluators.zero_shot import prompts, tiled
from sqcodec.errors import InputError

CLIPS = TaskData(
    clips={
        name: Clip(id=name, dataset="d", label=label)
        for name, label in (("a", "dog"), ("b", "church_bells"))
    }
)
RNG = np.random.default_rng(0)


def make(name: str, source: str | None) -> Evaluator:
    setting = Setting(source=source, device="cpu", data=CLIPS, hashes={"a": "0a", "b": "0b"})
    return EVALUATORS.get(name).build(setting)


def noise(seconds: float, rate: int) -> Any:
    return (0.1 * RNG.standard_normal(int(seconds * rate))).astype(np.float32)


def predict(evaluator: Evaluator, *waveforms: Any) -> list[dict[str, Any]]:
    clips = [CLIPS.clips["ab"[i % 2]] for i in range(len(waveforms))]
    return evaluator.predict(list(waveforms), clips)


def check(evaluator: Evaluator, seconds: float = 1.0) -> list[dict[str, Any]]:
    """Loads, listens, and hears the same in any company."""
    a, b = noise(seconds, evaluator.sample_rate), noise(1.3 * seconds, evaluator.sample_rate)
    before = evaluator.id
    evaluator.load(lambda name: a)
    together = predict(evaluator, a, b)
    alone = predict(evaluator, a) + evaluator.predict([b], [CLIPS.clips["b"]])
    assert json.loads(json.dumps(together)) == together
    for one, other in zip(together, alone, strict=True):
        assert one.keys() == other.keys()
        for key, value in one.items():
            if isinstance(value, dict) and "float32" in value:
                np.testing.assert_allclose(unpack(value), unpack(other[key]), atol=1e-5)
            elif key != "posterior":
                assert value == other[key]
    evaluator.close()
    assert evaluator.id == before
    return together


@pytest.fixture(scope="module")
def whisper_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("whisper", reason="openai-whisper is not installed")
    from whisper.model import ModelDimensions, Whisper

    torch.manual_seed(0)
    dims = ModelDimensions(128, 1500, 16, 2, 1, 51866, 448, 16, 2, 1)
    model = Whisper(dims)
    # Ends of text are likely, or a random model would talk to its limit.
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.02 * torch.randn_like(parameter))
    path = tmp_path_factory.mktemp("whisper") / "tiny.pt"
    torch.save({"dims": vars(dims), "model_state_dict": model.state_dict()}, path)
    return path


def test_whisper(whisper_file: Path) -> None:
    found = check(make("whisper-large-v3", str(whisper_file)))
    assert all(isinstance(one["hypothesis"], str) for one in found)


def test_whisper_cuts_at_30_s_and_the_other_does_not(
    whisper_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import whisper

    seen: list[float] = []

    def transcribe(model: Any, audio: Any, **options: Any) -> dict[str, str]:
        seen.append(len(audio) / 16000)
        return {"text": "to the end"}

    monkeypatch.setattr(whisper, "transcribe", transcribe)
    evaluator = make("whisper-large-v3-long", str(whisper_file))
    evaluator.load(lambda name: noise(1, 16000))
    found = predict(evaluator, noise(31, 16000), noise(1, 16000))
    assert seen == [31.0]
    assert found[0] == {"hypothesis": "to the end"}
    assert found[1]["hypothesis"] != "to the end"


def test_whisper_is_identified_by_its_weights(whisper_file: Path, tmp_path: Path) -> None:
    assert "sha256" in make("whisper-large-v3", str(whisper_file)).identity
    official = make("whisper-large-v3", None).identity
    assert official["sha256"].startswith("e5b1a55b")
    with pytest.raises(InputError, match="large-v3"):
        _ = make("whisper-large-v3", "larg-v3").identity
    (tmp_path / "bad.pt").write_bytes(b"no model")
    with pytest.raises(InputError, match="expected the model"):
        make("whisper-large-v3", str(tmp_path / "bad.pt")).load(lambda name: noise(1, 16000))


@pytest.fixture(scope="module")
def ecapa_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    network = EcapaTdnn(channels=16)
    state = {f"speaker_encoder.{k}": v for k, v in network.state_dict().items()}
    state["speaker_loss.weight"] = torch.zeros(3, 192)
    path = tmp_path_factory.mktemp("ecapa") / "pretrain.model"
    torch.save(state, path)
    return path


def test_ecapa(ecapa_file: Path) -> None:
    found = check(make("ecapa", str(ecapa_file)), seconds=2.0)
    assert unpack(found[0]["whole"]).shape == (192,)
    assert unpack(found[0]["crops"]).shape == (5, 192)
    assert np.linalg.norm(unpack(found[0]["crops"]), axis=1) == pytest.approx(1.0)


def test_ecapa_has_the_checkpoint_layout() -> None:
    names = set(EcapaTdnn(channels=16).state_dict())
    assert {
        "torchfbank.0.flipped_filter",
        "torchfbank.1.spectrogram.window",
        "torchfbank.1.mel_scale.fb",
        "conv1.weight",
        "bn1.running_mean",
        "layer1.conv1.weight",
        "layer2.convs.6.weight",
        "layer3.bns.0.num_batches_tracked",
        "layer1.se.se.3.bias",
        "layer3.bn3.weight",
        "layer4.weight",
        "attention.2.running_var",
        "attention.4.weight",
        "bn5.weight",
        "fc6.weight",
        "bn6.weight",
    } <= names
    parameters = sum(p.numel() for p in EcapaTdnn(channels=1024).parameters())
    assert round(parameters / 2**20, 2) == 14.73  # what the public code prints


def test_ecapa_block_written_out() -> None:
    """The block, group by group, against plain loops."""
    from sqbench.tasks.evaluators.ecapa_network import Block

    torch.manual_seed(1)
    block = Block(16, dilation=2).eval()
    x = torch.randn(2, 16, 30)
    inner = block.bn1(torch.relu(block.conv1(x)))
    groups = [inner[:, 2 * i : 2 * i + 2] for i in range(8)]
    done = []
    carried = groups[0]
    for i in range(7):
        carried = carried + groups[i] if i else groups[0]
        carried = block.bns[i](torch.relu(block.convs[i](carried)))
        done.append(carried)
    joined = torch.cat([*done, groups[7]], dim=1)
    expected = block.se(block.bn3(torch.relu(block.conv3(joined)))) + x
    torch.testing.assert_close(block(x), expected)


def test_crops_are_the_protocols() -> None:
    long = np.arange(100_000, dtype=np.float32)
    starts = [int(s) for s in np.linspace(0, 100_000 - 48_240, 5)]
    assert ecapa.crops(long)[:, 0].tolist() == starts
    short = np.arange(20_000, dtype=np.float32)
    wrapped = ecapa.crops(short)
    assert wrapped.shape == (5, 48_240)
    assert wrapped[0, 20_000:20_003].tolist() == [0, 1, 2]


def test_ecapa_without_its_checkpoint_says_where_it_is(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="TaoRuijie"):
        _ = make("ecapa", None).identity
    (tmp_path / "other").write_bytes(b"x")
    with pytest.raises(InputError, match="checkpoint"):
        make("ecapa", str(tmp_path / "other")).load(lambda name: noise(1, 16000))


_RECIPE = """\
n_mels: 80
compute_features: !new:speechbrain.lobes.features.Fbank
    n_mels: !ref <n_mels>
mean_var_norm: !new:speechbrain.processing.features.InputNormalization
    norm_type: sentence
    std_norm: False
embedding_model: !new:speechbrain.lobes.models.ECAPA_TDNN.ECAPA_TDNN
    input_size: !ref <n_mels>
    channels: [16, 16, 16, 16, 48]
    kernel_sizes: [5, 3, 3, 3, 1]
    dilations: [1, 2, 3, 4, 1]
    attention_channels: 16
    lin_neurons: 24
    res2net_scale: 4
    se_channels: 16
mean_var_norm_emb: !new:speechbrain.processing.features.InputNormalization
    norm_type: global
    std_norm: False
classifier: !new:speechbrain.lobes.models.ECAPA_TDNN.Classifier
    input_size: 24
    out_neurons: 4
modules:
    compute_features: !ref <compute_features>
    mean_var_norm: !ref <mean_var_norm>
    embedding_model: !ref <embedding_model>
    mean_var_norm_emb: !ref <mean_var_norm_emb>
    classifier: !ref <classifier>
label_encoder: !new:speechbrain.dataio.encoder.CategoricalEncoder
pretrained_path: speechbrain/spkrec-ecapa-voxceleb
pretrainer: !new:speechbrain.utils.parameter_transfer.Pretrainer
    loadables:
        embedding_model: !ref <embedding_model>
    paths:
        embedding_model: !ref <pretrained_path>/embedding_model.ckpt
"""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_speechbrain_ecapa(tmp_path: Path) -> None:
    pytest.importorskip("speechbrain")
    from speechbrain.lobes.models.ECAPA_TDNN import ECAPA_TDNN

    torch.manual_seed(0)
    network = ECAPA_TDNN(
        80,
        lin_neurons=24,
        channels=[16, 16, 16, 16, 48],
        kernel_sizes=[5, 3, 3, 3, 1],
        dilations=[1, 2, 3, 4, 1],
        attention_channels=16,
        res2net_scale=4,
        se_channels=16,
    )
    torch.save(network.state_dict(), tmp_path / "embedding_model.ckpt")
    (tmp_path / "hyperparams.yaml").write_text(_RECIPE)
    found = check(make("ecapa-speechbrain", str(tmp_path)))
    assert unpack(found[0]["whole"]).shape == (24,)


@pytest.mark.slow
def test_clap_of_transformers(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.ClapConfig(
        text_config={
            "hidden_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "intermediate_size": 32,
            "vocab_size": 300,
            "max_position_embeddings": 64,
        },
        audio_config={
            "depths": [1, 1, 1, 1],
            "num_attention_heads": [1, 1, 2, 2],
            "patch_embeds_hidden_size": 16,
            "hidden_size": 128,
        },
        projection_dim=24,
    )
    transformers.ClapModel(config).save_pretrained(tmp_path)
    transformers.ClapFeatureExtractor(truncation="rand_trunc").save_pretrained(tmp_path)
    _tokenizer(transformers, tmp_path)
    found = check(make("clap-laion", str(tmp_path)))
    assert {one["label"] for one in found} <= {"dog", "church_bells"}
    assert unpack(found[0]["embedding"]).shape == (24,)


def _tokenizer(transformers: Any, folder: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = ["<s>", "<pad>", "</s>", "<unk>", *prompts(["dog", "church_bells"])[1].split(), "dog"]
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>"
    ).save_pretrained(folder)


_FAKE_MSCLAP = """
import types, torch
print("chatter that must not get between the lines")
class CLAP:
    def __init__(self, model_fp, version, use_cuda):
        assert version == "2023"
        self.clap = torch.nn.Linear(1, 1)
        self.args = types.SimpleNamespace(sampling_rate=44100, duration=7)
    def get_text_embeddings(self, prompts):
        print("texts", prompts)
        assert prompts == ["this is the sound of church bells", "this is the sound of dog"]
        return torch.eye(2)
    def _get_audio_embeddings(self, audio):
        assert audio.shape == (1, 1, 7 * 44100)
        return torch.stack([audio.mean(), audio.std()])[None]
    def compute_similarity(self, a, t):
        return (a / a.norm()) @ t.T
"""


_SAVE_MSCLAP = """
import json, torch
from transformers import GPT2Config, GPT2Model, GPT2TokenizerFast
from transformers.models.gpt2.tokenization_gpt2 import bytes_to_unicode

torch.manual_seed(0)
letters = list(bytes_to_unicode().values())
json.dump({c: i for i, c in enumerate(letters)}, open("vocab.json", "w"))
open("merges.txt", "w").write("#version: 0.2\\n")
GPT2TokenizerFast("vocab.json", "merges.txt", unk_token="!", bos_token="!", eos_token="!"
    ).save_pretrained("gpt2")
GPT2Model(GPT2Config(vocab_size=256, n_layer=1)).save_pretrained("gpt2")

import yaml
import msclap
from pathlib import Path
from msclap.models.clap import CLAP

c = yaml.safe_load((Path(msclap.__file__).parent / "configs/config_2023.yml").read_text())
weights = CLAP(audioenc_name=c["audioenc_name"], sample_rate=c["sampling_rate"],
    window_size=c["window_size"], hop_size=c["hop_size"], mel_bins=c["mel_bins"], fmin=c["fmin"],
    fmax=c["fmax"], classes_num=c["num_classes"], out_emb=c["out_emb"],
    text_model=c["text_model"], transformer_embed_dim=c["transformer_embed_dim"],
    d_proj=c["d_proj"]).state_dict()
torch.save({"model": weights}, "weights.pth")
torch.save({"model": dict(list(weights.items())[:5])}, "part.pth")
"""


@pytest.fixture
def msclap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment whose msclap is a few lines: what is tested is our side, and the line."""
    site = tmp_path / "site"
    (site / "msclap").mkdir(parents=True)
    (site / "msclap" / "__init__.py").write_text(_FAKE_MSCLAP)
    (site / "msclap-1.3.4.dist-info").mkdir()
    (site / "msclap-1.3.4.dist-info" / "METADATA").write_text("Name: msclap\nVersion: 1.3.4\n")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={site} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    monkeypatch.setenv(clap_msclap.VARIABLE, str(python))
    torch.save({"model": torch.nn.Linear(1, 1).state_dict()}, tmp_path / "weights.pth")
    return tmp_path / "weights.pth"


def test_msclap_process(msclap: Path) -> None:
    evaluator = make("clap-2023", str(msclap))
    assert evaluator.identity["msclap"] == "1.3.4"
    assert clap_msclap.readiness().startswith("ready")
    found = check(evaluator)
    assert found[0]["label"] == "dog"  # the second of the sorted classes


def test_msclap_that_breaks_says_how(msclap: Path) -> None:
    with pytest.raises(InputError, match="FileNotFoundError"):
        _ = make("clap-2023", str(msclap.with_name("none.pth"))).identity


def test_msclap_without_environment_says_how_to_make_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(clap_msclap.VARIABLE, "/no/such/python")
    assert "/no/such/python" in clap_msclap.readiness()
    with pytest.raises(InputError, match="pip install msclap"):
        _ = make("clap-2023", None).identity


@pytest.fixture(scope="module")
def random_msclap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with random weights of CLAP 2023, and a GPT-2 of one layer where it looks first."""
    folder = tmp_path_factory.mktemp("msclap")
    subprocess.run(
        [clap_msclap.interpreter(), "-c", _SAVE_MSCLAP], check=True, cwd=folder, timeout=300
    )
    return folder


@pytest.mark.slow
@pytest.mark.skipif(
    not clap_msclap.interpreter().is_file(), reason="msclap's environment is not set up"
)
def test_msclap_itself(random_msclap: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(random_msclap)
    found = check(make("clap-2023", "weights.pth"))
    assert found[0]["label"] in ("dog", "church_bells")
    assert unpack(found[0]["embedding"]).shape == (1024,)
    with pytest.raises(InputError, match=r"lacks \d+ parameters of CLAP 2023"):
        make("clap-2023", "part.pth").load(lambda name: noise(1.0, 44_100))


def test_prompts_and_tiling() -> None:
    assert prompts(["church_bells"]) == ["this is the sound of church bells"]
    clip = np.arange(5, dtype=np.float32)
    assert tiled(clip, 12).tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1]
    assert tiled(clip, 3).tolist() == [1, 2, 3]


def test_emotions_go_by_name() -> None:
    heard = classified(["生气/angry", "开心/happy", "<unk>"], [0.1, 0.7, 0.2])
    assert heard["label"] == "happy"
    assert heard["posterior"]["unknown"] == 0.2
    with pytest.raises(ValueError, match="cross"):
        classified(["cross"], [1.0])


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("funasr") is None, reason="funasr is not installed (extra er)"
)
def test_emotion2vec(tmp_path: Path) -> None:
    from emotion2vec_model import save

    save(tmp_path)
    found = check(make("emotion2vec", str(tmp_path)))
    assert found[0]["label"]


def test_torchaudio_resampling_is_the_transforms() -> None:
    from torchaudio.transforms import Resample

    x = noise(0.5, 22050)
    expected = Resample(22050, 16000)(torch.from_numpy(x)).numpy()
    np.testing.assert_array_equal(torchaudio_resample(x, 22050, 16000), expected)
