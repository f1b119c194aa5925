"""The paper's networks, on the meta device, in the form in which they were counted.

SQCodec is ours. EnCodec, DAC and WavTokenizer are put together from the packages of the extra
``codecs``, with the older weight norm that their official code has; nothing here loads weights.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqbench.counting.macs import Operations, audio_for, operations
from sqbench.counting.paper import Seen, see
from sqbench.counting.parameters import Parts
from sqbench.errors import InputError
from sqbench.published.rows import Model, SignalRow
from sqbench_codecs import CodecSpec

if TYPE_CHECKING:
    from torch import Tensor, nn

_NEEDS = {"EnCodec": "encodec", "DAC": "transformers", "WavTokenizer": "vocos", "SQCodec": "torch"}


@dataclass(frozen=True, kw_only=True)
class Counted:
    """A row of the paper, counted by both conventions on one network.

    Attributes:
        row: the published row.
        seen: by the paper's convention.
        uniform: by ours.
    """

    row: SignalRow
    seen: Seen
    uniform: Operations


@dataclass(frozen=True)
class _Network:
    module: nn.Module
    parts: Parts
    more: Mapping[type[nn.Module], Callable[[Any, Tensor, Tensor], int]] = field(
        default_factory=dict
    )


def count(row: SignalRow) -> Counted:
    """Count the network of a published row.

    Raises:
        InputError: a package that has the network's layers is not installed.
    """
    import torch

    needed = _NEEDS[row.model]
    if importlib.util.find_spec(needed) is None:
        raise InputError(
            f"the network of {row.model}",
            expected=f"{needed} to be installed",
            found="not installed",
            remedy="pip install 'sqbench[codecs]'",
        )
    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # the older weight norm is meant
        network = _BUILD[row.model](row)
        network.module.eval()
    spec = CodecSpec(
        name=row.model,
        sample_rate=row.sample_rate,
        frame_rate=None,
        codebook_sizes=(),
        bitrate_bps=row.bitrate_bps,
    )
    return Counted(
        row=row,
        seen=see(network.module, audio_for(spec), network.more),
        uniform=operations(network.module, spec, network.parts),
    )


def _sqcodec(row: Model) -> _Network:
    from sqcodec.config import list_configs, load_config
    from sqcodec.model import SQCodecModel
    from sqcodec.model.decoder import _Upsample
    from sqcodec.model.tconv import TConv, TEConv
    from sqcodec.model.transformer import _UpTransformer

    (config,) = (
        config
        for config in map(load_config, list_configs())
        if config.sample_rate == row.sample_rate
        and abs(config.bitrate_bps - row.bitrate_bps) < 0.01 * row.bitrate_bps
    )

    def hidden(layer: Any, x: Tensor, y: Tensor) -> int:
        return x.numel() * int(layer.conv_1.out_channels)

    def merge(layer: Any, x: Tensor, y: Tensor) -> int:
        return y.numel() * int(layer.merge_layer[1].in_channels + 1)

    def output(layer: Any, x: Tensor, y: Tensor) -> int:
        return y.numel()

    # Modules of the published network whose work ours does inside another's forward: the GELU of
    # TConv, the merging convolution of TEConv, and the upsampling.
    more = {TConv: hidden, TEConv: merge, _Upsample: output, _UpTransformer: output}
    parts = {
        "encoder": ("encoder", "en_encoder"),
        "quantizer": ("quantizer",),
        "decoder": ("decoder", "en_decoder"),
    }
    return _Network(SQCodecModel(config), parts, more)


def _encodec(row: SignalRow) -> _Network:
    from encodec.model import EncodecModel

    model = EncodecModel.encodec_model_24khz(pretrained=False)
    model.set_target_bandwidth(row.bitrate_bps / 1000)
    parts = {part: (f"inner.{part}",) for part in ("encoder", "quantizer", "decoder")}
    return _Network(_channel_first(model), parts)


def _dac(row: SignalRow) -> _Network:
    from torch import nn
    from transformers import DacConfig, DacModel

    config = DacConfig(
        encoder_hidden_size=64,
        downsampling_ratios=[2, 4, 5, 8],
        decoder_hidden_size=1536,
        n_codebooks={16000: 12, 24000: 32}[row.sample_rate],
        codebook_size=1024,
        codebook_dim=8,
        sampling_rate=row.sample_rate,
    )
    model = DacModel(config)
    for module in model.modules():
        if type(module) in (nn.Conv1d, nn.ConvTranspose1d):
            nn.utils.weight_norm(module)
    parts = {part: (f"inner.{part}",) for part in ("encoder", "quantizer", "decoder")}
    return _Network(_channel_first(model, n_quantizers=row.num_codebooks), parts)


def _channel_first(model: nn.Module, **options: Any) -> nn.Module:
    """``model``, which takes ``[1, 1, T]``, as a network that takes ``[1, T]``."""
    from torch import nn

    class ChannelFirst(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = model

        def forward(self, audio: Tensor) -> Any:
            return self.inner(audio[:, None], **options)

    return ChannelFirst()


def _wavtokenizer(row: SignalRow) -> _Network:
    """The feature extractor carries an EnCodec decoder that never runs, of the same size in both
    models; the paper's parameters include it.
    """
    import torch
    from encodec.modules.seanet import SEANetDecoder, SEANetEncoder
    from torch import nn
    from vocos.heads import ISTFTHead
    from vocos.models import VocosBackbone

    hop = {480: 600, 900: 320}[int(row.bitrate_bps)]
    settings: dict[str, Any] = {
        "channels": 1,
        "dimension": 512,
        "n_filters": 32,
        "norm": "weight_norm",
        "causal": False,
        "lstm": 2,
    }

    class Quantizer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.codebook = nn.Buffer(torch.empty(4096, 512))

        def forward(self, frames: Tensor) -> Tensor:
            nearest = (frames[0].T @ self.codebook.T).argmax(1)
            return self.codebook[nearest].T[None]

    class WavTokenizer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            ratios = {600: [6, 5, 5, 4], 320: [8, 5, 4, 2]}[hop]
            self.encoder = SEANetEncoder(ratios=ratios, **settings)
            self.unused = SEANetDecoder(ratios=[8, 5, 4, 2], **settings)
            self.quantizer = Quantizer()
            self.backbone = VocosBackbone(512, 768, 2304, 12, adanorm_num_embeddings=4)
            self.backbone.embed = nn.Sequential(self.backbone.embed, _position_network(768))
            self.head = ISTFTHead(768, 4 * hop, hop, "same")
            # Not counted by either convention, and its check of the window needs real values.
            self.head.istft = nn.Identity()

        def forward(self, audio: Tensor) -> Any:
            features = self.quantizer(self.encoder(audio[:, None]))
            first = torch.zeros(1, dtype=torch.long)
            return self.head(self.backbone(features, bandwidth_id=first))

    parts = {
        "encoder": ("encoder",),
        "quantizer": ("quantizer",),
        "decoder": ("backbone", "head"),
        "unused": ("unused",),
    }
    return _Network(WavTokenizer(), parts)


def _position_network(channels: int) -> nn.Module:
    """What WavTokenizer puts behind the backbone's first layer: residual blocks and attention."""
    import torch
    from torch import nn

    def norm() -> nn.GroupNorm:
        return nn.GroupNorm(32, channels, eps=1e-6)

    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.norm2 = norm(), norm()
            self.conv1, self.conv2 = (nn.Conv1d(channels, channels, 3, padding=1) for _ in "12")

        def forward(self, x: Tensor) -> Tensor:
            h = self.norm1(x)
            h = self.norm2(self.conv1(h * torch.sigmoid(h)))
            out: Tensor = x + self.conv2(h * torch.sigmoid(h))
            return out

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = norm()
            self.q, self.k, self.v, self.proj_out = (
                nn.Conv1d(channels, channels, 1) for _ in "qkvo"
            )

        def forward(self, x: Tensor) -> Tensor:
            h = self.norm(x)
            scores = torch.bmm(self.q(h).transpose(1, 2), self.k(h)) * channels**-0.5
            weights = nn.functional.softmax(scores, dim=2)
            out: Tensor = x + self.proj_out(torch.bmm(self.v(h), weights.transpose(1, 2)))
            return out

    return nn.Sequential(Residual(), Residual(), Attention(), Residual(), Residual(), norm())


_BUILD: Mapping[str, Callable[[SignalRow], _Network]] = {
    "SQCodec": _sqcodec,
    "EnCodec": _encodec,
    "DAC": _dac,
    "WavTokenizer": _wavtokenizer,
}
