"""Codecs of every family with narrow random networks, saved as the official weights are.

Rates, strides and codebooks are the published ones; widths are not. Codebooks are drawn about as
large as what they quantise, so that codes differ with the audio.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from sqbench_codecs import CODECS, Codec

SIZES: dict[str, Any] = {"features": 32, "filters": 4, "width": 64, "hidden": 96, "layers": 2}
"""Of the narrow WavTokenizer, whose checkpoint says nothing of sizes."""


def load(name: str, folder: Path, **options: Any) -> Codec:
    """The codec ``name`` with weights made in ``folder``; skips without its package."""
    entry = CODECS.get(name)
    if entry.missing():
        pytest.skip(f"{name} needs {', '.join(entry.missing())}")
    return entry.load(weights=str(save(name, folder)), **options)


def save(name: str, folder: Path) -> Path:
    """Write the official files of a narrow network."""
    torch.manual_seed(0)
    SAVERS[name.split("-")[0]](name, folder)
    return folder


def enliven(encoder: nn.Module) -> None:
    """Let a random encoder hear: as drawn, its biases outweigh what the audio adds."""
    for key, parameter in encoder.named_parameters():
        if parameter.ndim == 1 and "bias" in key:
            nn.init.zeros_(parameter)
        if key.endswith(("weight_g", "original0")):
            parameter.data *= 2


def fill_codebooks(network: nn.Module, scale: float) -> None:
    """Random codes instead of the zeros of an untrained network."""
    for key, buffer in network.named_buffers():
        if key.endswith(("embed", "embed_avg", "embed_sum")):
            buffer.copy_(scale * torch.randn(buffer.shape))


def _encodec(name: str, folder: Path) -> None:
    from transformers import EncodecConfig, EncodecModel

    from sqbench_codecs.encodec import _config

    config = EncodecConfig(num_filters=4, hidden_size=16, **_config(CODECS.get(name).spec))
    network = EncodecModel(config)
    enliven(network.encoder)
    fill_codebooks(network, 0.3)
    network.save_pretrained(folder)


def _dac(name: str, folder: Path) -> None:
    from transformers import DacConfig, DacModel

    from sqbench_codecs.dac import BOOKS, RATES, STRIDES

    khz = int(name.split("-")[1][:-1])
    network = DacModel(
        DacConfig(
            encoder_hidden_size=4,
            decoder_hidden_size=32,
            downsampling_ratios=STRIDES[khz],
            n_codebooks=BOOKS[khz],
            sampling_rate=RATES[khz],
        )
    )
    network.save_pretrained(folder)


def _wavtokenizer(name: str, folder: Path) -> None:
    from sqbench_codecs.wavtokenizer import sizes
    from sqbench_codecs.wavtokenizer.codec import CHECKPOINTS
    from sqbench_codecs.wavtokenizer.network import Network

    hop = {"40": 600, "75": 320}[name.split("-")[1]]
    network = Network(sizes.SIZES[hop], with_unused=True)
    enliven(network.encoder)
    nn.init.normal_(network.quantizer.embed, std=0.3)
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(lightning_checkpoint(network), folder / CHECKPOINTS[hop][1])


def lightning_checkpoint(network: nn.Module) -> dict[str, Any]:
    """As published: the generator's 289 tensors among what training keeps."""
    names = {
        "encoder.": "feature_extractor.encodec.encoder.",
        "unused.": "feature_extractor.encodec.decoder.",
        "quantizer.": "feature_extractor.encodec.quantizer.vq.layers.0._codebook.",
    }
    state = {}
    for key, value in network.state_dict().items():
        for ours, theirs in names.items():
            key = theirs + key.removeprefix(ours) if key.startswith(ours) else key
        state[key] = value
    book = names["quantizer."]
    state[f"{book}inited"] = torch.ones(1)
    state[f"{book}cluster_size"] = torch.ones(4096)
    state[f"{book}embed_avg"] = state[f"{book}embed"].clone()
    state["multiperioddisc.discriminators.0.convs.0.bias"] = torch.zeros(3)
    return {"epoch": 1, "global_step": 2, "state_dict": state, "hyper_parameters": {"lr": 1e-4}}


def _mimi(name: str, folder: Path) -> None:
    from transformers import MimiConfig, MimiModel

    config = MimiConfig(
        hidden_size=32,
        num_filters=4,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        intermediate_size=32,
        codebook_dim=8,
        vector_quantization_hidden_dimension=8,
        upsample_groups=32,
        sliding_window=20,
    )
    network = MimiModel(config)
    fill_codebooks(network, 0.02)
    network.save_pretrained(folder)


def _xcodec(name: str, folder: Path) -> None:
    from transformers import HubertConfig, XcodecConfig, XcodecModel

    config = XcodecConfig(
        acoustic_model_config={
            "model_type": "dac",
            "encoder_hidden_size": 4,
            "decoder_hidden_size": 32,
            "downsampling_ratios": [8, 5, 4, 2],
        },
        semantic_model_config=HubertConfig(
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
            conv_dim=(8,) * 7,
            num_conv_pos_embeddings=4,
            num_conv_pos_embedding_groups=2,
        ).to_dict(),
    )
    network = XcodecModel(config)
    fill_codebooks(network, 0.02)
    network.save_pretrained(folder)


def _snac(name: str, folder: Path) -> None:
    from snac import SNAC  # type: ignore[import-not-found, unused-ignore]

    from sqbench_codecs.snac import CONFIGS

    rate = {"24k": 24000, "32k": 32000, "44k": 44100}[name.split("-")[1]]
    config = {
        "sampling_rate": rate,
        **CONFIGS[rate],
        "encoder_dim": 8,
        "decoder_dim": 64,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    network = SNAC(**config)
    enliven(network.encoder)
    torch.save(network.state_dict(), folder / "pytorch_model.bin")


def _l3ac(name: str, folder: Path) -> None:
    from sqbench_codecs.l3ac import PARTS, _network

    network = _network(CODECS.get(name).spec)
    folder.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        torch.save(getattr(network, part).state_dict(), folder / f"{part}.pt")


SEMANTIC: dict[str, Any] = {
    "model_type": "wav2vec2-bert",
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "feature_projection_input_dim": 160,
}
"""A narrow Wav2Vec2-BERT."""


def _xcodec2(name: str, folder: Path) -> None:
    import transformers

    family = {"xcodec2": "Xcodec2", "neucodec": "NeuCodec"}[name]
    config = getattr(transformers, f"{family}Config")(
        hidden_size=64,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=32,
        encoder_hidden_size=4,
        quantization_dim=80,
        semantic_model_config=SEMANTIC,
    )
    network = getattr(transformers, f"{family}Model")(config)
    with torch.no_grad():
        network.quantizer.project_in.weight.mul_(8000)  # as drawn, all codes are one
    network.save_pretrained(folder)


def _higgs(name: str, folder: Path) -> None:
    from transformers import HiggsAudioV2TokenizerConfig, HiggsAudioV2TokenizerModel, HubertConfig

    from sqbench_codecs.higgs import STRIDES

    config = HiggsAudioV2TokenizerConfig(
        target_bandwidths=[0.5, 1, 1.5, 2],
        acoustic_model_config={
            "model_type": "dac",
            "encoder_hidden_size": 4,
            "decoder_hidden_size": 32,
            "downsampling_ratios": STRIDES,
            "upsampling_ratios": STRIDES,
        },
        semantic_model_config=HubertConfig(
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
            conv_dim=(8,) * 7,
            num_conv_pos_embeddings=4,
            num_conv_pos_embedding_groups=2,
        ).to_dict(),
    )
    network = HiggsAudioV2TokenizerModel(config)
    fill_codebooks(network, 0.02)
    network.save_pretrained(folder)


def _bigcodec(name: str, folder: Path) -> None:
    from sqbench_codecs.bigcodec import PARTS, BigCodec

    network: Any = BigCodec.skeleton(CODECS.get(name).spec)
    enliven(network["encoder"])
    state = {}
    for part, published in PARTS.items():
        tensors = network[part].state_dict()
        state[published] = {
            key.replace("parametrizations.weight.original0", "weight_g").replace(
                "parametrizations.weight.original1", "weight_v"
            ): value
            for key, value in tensors.items()
        }
    torch.save(state, folder / "bigcodec.pt")


def _speechtokenizer(name: str, folder: Path) -> None:
    from sqbench_codecs.speechtokenizer import CONFIG, FOLDER, _class

    config = {**CONFIG, "n_filters": 4, "dimension": 16, "semantic_dimension": 12}
    (folder / FOLDER).mkdir()
    (folder / FOLDER / "config.json").write_text(json.dumps(config))
    network = _class()(config)
    enliven(network.encoder)
    fill_codebooks(network, 0.3)
    torch.save(network.state_dict(), folder / FOLDER / "SpeechTokenizer.pt")


def nemo_state(network: nn.Module) -> dict[str, torch.Tensor]:
    """The package's tensors under NeMo's names, with its weight norm."""
    state = {}
    for key, value in network.state_dict().items():
        if key.startswith("vector_quantizer"):
            continue
        if ".up_sample_conv_layers." in key:
            key = key.replace(".weight", ".conv.weight").replace(".bias", ".conv.bias")
            value = value.transpose(1, 2) if value.ndim == 3 else value
        if key.endswith("alpha"):
            key = key.removesuffix("alpha") + "activation.snake_act.alpha"
        if key.endswith("weight"):
            norm = value.norm(dim=(1, 2), keepdim=True)
            base = key.removesuffix("weight") + "parametrizations.weight.original"
            state[f"{base}0"], state[f"{base}1"] = norm, 3 * value
        else:
            state[key] = value
    return state


def _nanocodec(name: str, folder: Path) -> None:
    import io
    import tarfile

    from sqbench_codecs.nanocodec import NAME, NanoCodec

    network: Any = NanoCodec.skeleton(CODECS.get(name).spec)
    enliven(network.audio_encoder)
    with torch.no_grad():
        for key, parameter in network.named_parameters():
            if "up_sample_conv_layers" in key:  # the package leaves these as memory was
                nn.init.normal_(parameter, std=0.1)
            if "audio_encoder.post_conv.conv.weight" in key:
                parameter.mul_(18000)  # as drawn, all codes are one
    state = nemo_state(network) | {"discriminator.layer.weight": torch.zeros(3)}
    data = io.BytesIO()
    torch.save(state, data)
    with tarfile.open(folder / f"{NAME}.nemo", "w") as archive:
        member = tarfile.TarInfo("./model_weights.ckpt")
        member.size = data.getbuffer().nbytes
        data.seek(0)
        archive.addfile(member, data)


SAVERS: dict[str, Callable[[str, Path], None]] = {
    "encodec": _encodec,
    "dac": _dac,
    "wavtokenizer": _wavtokenizer,
    "mimi": _mimi,
    "xcodec": _xcodec,
    "snac": _snac,
    "l3ac": _l3ac,
    "xcodec2": _xcodec2,
    "neucodec": _xcodec2,
    "higgs": _higgs,
    "bigcodec": _bigcodec,
    "speechtokenizer": _speechtokenizer,
    "nanocodec": _nanocodec,
}
