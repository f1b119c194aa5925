"""Streams of SQCodec against whole clips: codes, audio, latency, cost. One thread.

    python benchmarks/streaming.py DATA [--clips 20] [--seconds 4] [--settings 6k,1k5]

Settings without bundled weights have random ones, whose latents are spread over all levels: what a
stream does to codes shows on them too, what it does to quality does not.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sqbench import audio
from sqbench.data import open_source
from sqcodec import InputError, SQCodec, load_config
from sqcodec.inference.norms import NormStatistics
from sqcodec.inference.streamed_coders import encoder_chain
from sqcodec.model import SQCodecModel
from sqcodec.weights import WeightsInfo

CHUNKS_MS = (20, 80, 320)


@dataclass
class Deviation:
    """Of one chunk length, clip after clip."""

    codes: int = 0
    equal: int = 0
    exact: float = 0.0
    running_db: list[float] | None = None
    rtf: list[float] | None = None


def codec_for(setting: str, clips: list[Tensor]) -> SQCodec:
    """With bundled weights, or with random ones that make use of the codebook."""
    try:
        return SQCodec.from_pretrained(setting, "bundled")
    except InputError:
        config = load_config(setting)
    torch.manual_seed(0)
    model = SQCodecModel(config).eval()
    with torch.no_grad():
        for key, value in model.named_parameters():
            if "grn" in key or key.endswith(("bias", "alpha", "norm.weight")):
                value.add_(0.2 * torch.randn_like(value))
        inside = model.quantizer.project_in
        latents = inside(model.en_encoder(model.encoder(model.pad(clips[0][None]))))[0]
        inside.weight.div_(latents.std(0)[:, None])
        inside.bias.sub_(latents.mean(0)).div_(latents.std(0))
    return SQCodec(model, WeightsInfo(source="random", sha256="", detail="", config=config.name))


def through(
    codec: SQCodec, clip: Tensor, chunk: int, statistics_: NormStatistics | None, seconds: float
) -> tuple[Tensor, Tensor, list[float]]:
    """Codes, samples, and seconds of computing a second of each whole chunk (processor time)."""
    stream = codec.stream(statistics_, norm_seconds=seconds)
    codes, samples, spent = [], [], []
    for part in torch.split(clip, chunk):
        start = time.process_time()
        codes.append(stream.encoder.push(part))
        samples.append(stream.decoder.push(codes[-1]))
        if len(part) == chunk:
            spent.append((time.process_time() - start) * codec.sample_rate / chunk)
    codes.append(stream.encoder.flush(whole_windows=True))
    samples += [stream.decoder.push(codes[-1]), stream.decoder.flush()]
    return torch.cat(codes), torch.cat(samples), spent


def compare(codec: SQCodec, clips: list[Tensor], chunk_ms: int) -> Deviation:
    """A chunk length on all clips: with the clip's own statistics, and with running ones."""
    found = Deviation(running_db=[], rtf=[])
    assert found.running_db is not None
    assert found.rtf is not None
    chunk = chunk_ms * codec.sample_rate // 1000
    for clip in clips:
        offline = codec.encode(clip)
        whole, own = codec.decode(offline), codec.norm_statistics(offline)
        codes, samples, _ = through(codec, clip, chunk, own, math.inf)
        found.codes += len(offline)
        found.equal += int((codes == offline).sum())
        if torch.equal(codes, offline):
            found.exact = max(found.exact, float((samples - whole).abs().max()))
        _, samples, spent = through(codec, clip, chunk, None, 1.0)
        difference = (samples - whole)[: len(clip)].square().mean()
        found.running_db.append(
            float(10 * torch.log10(whole[: len(clip)].square().mean() / difference))
        )
        found.rtf += spent
    return found


def measured_ahead(codec: SQCodec, clip: Tensor) -> tuple[int, int]:
    """How far encoder and decoder look ahead, in samples, by impulses at many places.

    Of the encoder: how far after a code's last sample an impulse may lie that changes what the
    quantizer is given. Of the decoder: how far before its samples a code changes audio.
    """
    hop, engine = codec.config.hop, codec._engine
    own = codec.norm_statistics(codec.encode(clip))
    step, middle = max(1, hop // 24), len(clip) // 2

    def features(samples: Tensor) -> Tensor:
        with torch.no_grad():
            return encoder_chain(engine).push(samples[None])[0]

    def decoded(codes: Tensor) -> Tensor:
        stream = codec.stream(own, norm_seconds=math.inf).decoder
        return torch.cat([stream.push(codes), stream.flush()])

    before, encoder = features(clip), 0
    for at in range(middle, middle + hop, step):
        hit = clip.clone()
        hit[at] += 0.9
        first = int(torch.nonzero((features(hit) != before).any(1))[0])
        encoder = max(encoder, at - ((first + 1) * hop - 1))
    codes = codec.encode(clip)
    audio_before, decoder = decoded(codes), 0
    for index in range(len(codes) // 2, len(codes) // 2 + 8):
        other = codes.clone()
        other[index] = (other[index] + codec.codebook_size // 2) % codec.codebook_size
        first = int(torch.nonzero(decoded(other) != audio_before)[0])
        decoder = max(decoder, index * hop - first)
    return encoder, decoder


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__)
    parse.add_argument("data")
    parse.add_argument("--clips", type=int, default=20)
    parse.add_argument("--seconds", type=float, default=4.0)
    parse.add_argument("--settings", default="6k,1k5")
    options = parse.parse_args()
    torch.set_num_threads(1)
    chosen = list(open_source(options.data, domain="speech").utterances())[: options.clips]
    for setting in options.settings.split(","):
        rate = load_config(setting).sample_rate
        clips = []
        for clip in chosen:
            samples, own = audio.read(clip.path or clip.content(), name=clip.id)
            samples = audio.first_channel(samples)[: round(options.seconds * own)]
            clips.append(torch.from_numpy(audio.resample(samples, own, rate).astype(np.float32)))
        codec = codec_for(setting, clips)
        late = codec.stream().latency
        encoder, decoder = measured_ahead(codec, clips[0])
        print(
            f"{codec.config.name} ({codec.weights.source} weights), {len(clips)} clips: latency "
            f"{late.total} samples, {1000 * late.seconds:.1f} ms (code {late.frame}, encoder "
            f"{late.encoder}, decoder {late.decoder}; first sample {late.first}); by impulses "
            f"encoder {encoder}, decoder {decoder}"
        )
        for chunk_ms in CHUNKS_MS:
            one = compare(codec, clips, chunk_ms)
            assert one.running_db
            assert one.rtf
            print(
                f"  {chunk_ms:4d} ms: {one.codes - one.equal} of {one.codes} codes differ; with the"
                f" clip's statistics {one.exact:.1e} at most; running ones "
                f"{statistics.fmean(one.running_db):.1f} dB below the audio (least "
                f"{min(one.running_db):.1f}); {statistics.median(one.rtf):.3f} s/s a chunk, "
                f"95 % {np.quantile(one.rtf, 0.95):.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
