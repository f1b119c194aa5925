"""EnCodec (Défossez et al., arXiv 2210.13438), 24 kHz and 48 kHz, through transformers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqbench_codecs.base import CodecSpec
from sqbench_codecs.catalogue import CodecEntry
from sqbench_codecs.neural import LongAudio, NeuralCodec, rate_name, uniform_spec
from sqbench_codecs.pretrained import Published, load_transformers

if TYPE_CHECKING:
    from torch import Tensor, nn

HOP = 320
CODEBOOK_SIZE = 1024
CHUNK, STRIDE = 48000, 47520
"""The 48 kHz model's chunks of 1 s, every 0.99 s: part of the model."""
HEADER_BITS = 40


class EnCodec(NeuralCodec):
    """The causal 24 kHz model."""

    prefixes = True
    long = LongAudio(whole_s=120, chunk_s=60, context_s=5)

    @staticmethod
    def published(spec: CodecSpec) -> Published:
        return Published(repo=f"facebook/encodec_{_khz(spec)}khz")

    def load(self, files: Mapping[str, Path]) -> nn.Module:
        from transformers import EncodecModel

        expected = _config(self.spec) | {"codebook_size": CODEBOOK_SIZE, "hop_length": HOP}
        network: nn.Module = load_transformers(EncodecModel, files, expected)
        return network

    @staticmethod
    def skeleton(spec: CodecSpec) -> nn.Module:
        from transformers import EncodecConfig, EncodecModel

        from sqbench_codecs.whole import published_weight_norm, real_paddings

        network = EncodecModel(EncodecConfig(**_config(spec)))
        if network.config.norm_type == "weight_norm":
            published_weight_norm(network)
        return real_paddings(network)

    @staticmethod
    def parts(spec: CodecSpec) -> Mapping[str, Sequence[str]]:
        return {"encoder": ("encoder",), "quantizer": ("quantizer",), "decoder": ("decoder",)}

    @staticmethod
    def encode_batch(network: Any, audio: Tensor, spec: CodecSpec) -> Tensor:
        assert spec.bitrate_bps is not None
        codes: Tensor = network.encode(
            audio[:, None], bandwidth=least_bandwidth(network, spec.bitrate_bps)
        ).audio_codes[0]
        return codes[:, : spec.num_codebooks]

    @staticmethod
    def decode_batch(network: Any, codes: Tensor, spec: CodecSpec) -> Tensor:
        audio: Tensor = network.decode(codes[None], [None]).audio_values[:, 0]
        return audio


def least_bandwidth(network: Any, bitrate_bps: float) -> float:
    """The least of the bandwidths that the library offers, in kb/s, which holds so many bits.

    It offers some numbers of codebooks; any other is the first ones of more.
    """
    offered = network.config.target_bandwidths
    return float(min(b for b in offered if b >= bitrate_bps / 1000 - 1e-6))


class EnCodecStereo(EnCodec):
    """The 48 kHz model: two channels, in overlapping chunks of a second, each at its own level.

    Mono is sent as two equal channels, and what comes back is their mean. A chunk's level is a
    float that the published bitstream carries beside the codes; here it is counted too: each
    chunk begins with one or two frames that spell its level (32 bits) and its number of frames (8
    bits). With the overlap, that is 2 to 3 % above the nominal bitrate. Clips run one by one: the
    network's norm is over time.
    """

    shares_batches = False
    prefixes = False
    long = LongAudio(whole_s=float("inf"), chunk_s=1, context_s=0)

    @property
    def settings(self) -> Mapping[str, Any]:
        return {
            **super().settings,
            "long_audio": "chunks of 1 s every 0.99 s, which are the model's own",
            "channels": "mono as two equal channels, back as their mean",
            "level": "sent: 40 bits a chunk",
        }

    @staticmethod
    def encode_batch(network: Any, audio: Tensor, spec: CodecSpec) -> Tensor:
        import torch

        assert spec.bitrate_bps is not None
        chunks = []
        for start in range(0, audio.shape[-1], STRIDE):
            chunk = audio[:, None, start : start + CHUNK]
            level = chunk.square().mean(-1, keepdim=True).sqrt() + 1e-8
            hidden = network.encoder((chunk / level).expand(-1, 2, -1))
            codes = network.quantizer.encode(hidden, spec.bitrate_bps / 1000).transpose(0, 1)
            chunks += [_header(level, codes), codes]
        return torch.cat(chunks, dim=-1)

    @staticmethod
    def decode_batch(network: Any, codes: Tensor, spec: CodecSpec) -> Tensor:
        import torch

        chunks = []
        for level, body in _chunks(codes):
            hidden = network.quantizer.decode(body.transpose(0, 1))
            chunks.append(network.decoder(hidden).mean(1) * level)
        # Triangular weights over a whole chunk, as published.
        ramp = torch.linspace(0, 1, CHUNK + 2, device=codes.device)[1:-1]
        weight = 0.5 - (ramp - 0.5).abs()
        total = (len(chunks) - 1) * STRIDE + max(CHUNK, chunks[-1].shape[-1])
        out = torch.zeros(codes.shape[0], total, device=codes.device)
        weights = torch.zeros(total, device=codes.device)
        for i, chunk in enumerate(chunks):
            here = slice(i * STRIDE, i * STRIDE + chunk.shape[-1])
            out[:, here] += weight[: chunk.shape[-1]] * chunk
            weights[here] += weight[: chunk.shape[-1]]
        end = (len(chunks) - 1) * STRIDE + chunks[-1].shape[-1]
        return out[:, :end] / weights[:end]


def _header(level: Tensor, codes: Tensor) -> Tensor:
    """``[1, num_codebooks, h]``: 40 bits, most significant first, ten to a code."""
    import torch

    books, frames = codes.shape[1:]
    size = -(-HEADER_BITS // (10 * books))
    header = torch.zeros(size * books, dtype=torch.int64, device=codes.device)
    if level.is_meta:
        return header.view(1, size, books).transpose(1, 2)
    word = (int(level.float().reshape(1).cpu().view(torch.int32)) & 0xFFFFFFFF) << 8 | frames
    header[:4] = torch.tensor([word >> shift & 1023 for shift in (30, 20, 10, 0)])
    return header.view(1, size, books).transpose(1, 2)


def _chunks(codes: Tensor) -> Iterator[tuple[float, Tensor]]:
    """Level and codes of each chunk."""
    import torch

    size = -(-HEADER_BITS // (10 * codes.shape[1]))
    start = 0
    while start < codes.shape[-1]:
        if codes.is_meta:  # nothing to read: count whole chunks
            level, frames = 1.0, CHUNK // HOP
        else:
            digits = codes[0, :, start : start + size].T.reshape(-1)[:4].tolist()
            word = sum(digit << shift for digit, shift in zip(digits, (30, 20, 10, 0), strict=True))
            frames = word & 255
            signed = (word >> 8) - (1 << 32 if word >> 39 else 0)
            level = float(torch.tensor(signed, dtype=torch.int32).view(torch.float32))
        yield level, codes[:, :, start + size : start + size + frames]
        start += size + max(frames, 1)


def _khz(spec: CodecSpec) -> int:
    assert spec.sample_rate is not None
    return spec.sample_rate // 1000


def _config(spec: CodecSpec) -> dict[str, Any]:
    if _khz(spec) == 24:
        return {
            "sampling_rate": 24000,
            "audio_channels": 1,
            "normalize": False,
            "chunk_length_s": None,
            "norm_type": "weight_norm",
            "use_causal_conv": True,
            "target_bandwidths": [1.5, 3.0, 6.0, 12.0, 24.0],
        }
    return {
        "sampling_rate": 48000,
        "audio_channels": 2,
        "normalize": True,
        "chunk_length_s": 1.0,
        "overlap": 0.01,
        "norm_type": "time_group_norm",
        "use_causal_conv": False,
        "target_bandwidths": [3.0, 6.0, 12.0, 24.0],
    }


def entries() -> list[CodecEntry]:
    """``encodec-24k-1k5`` to ``-24k``, ``encodec-48k-3k`` to ``-24k``."""
    found = []
    for khz, book, cls in ((24, 750, EnCodec), (48, 1500, EnCodecStereo)):
        for books in (2, 4, 8, 16) if khz == 48 else (2, 4, 8, 16, 32):
            name = f"encodec-{khz}k-{rate_name(book * books)}"
            found.append(
                cls.entry(
                    uniform_spec(name, khz * 1000, HOP, CODEBOOK_SIZE, books),
                    summary="EnCodec, arXiv 2210.13438"
                    + ("; stereo model, mono doubled" if khz == 48 else ""),
                )
            )
    return found
