"""Does the bench's ranking of gradient estimators predict that of a real codec?

Trains a reduced SQCodec on real audio, first without quantizing (once for each kind of quantizer:
its own FSQ, and a residual VQ of DAC's kind in its place), then, from there, with each estimator
and several seeds; trains the same quantizers in the bench; and correlates the two rankings
(Spearman) of the medians over seeds. The common start matters: from nothing, some hundred steps
compare how soon a run leaves silence, not estimators. The codec's scores are of the hard quantizer
on held-out crops: SNR over all crops together, and spectral distance.

Run: ``python benchmarks/quantizer_validation.py [--base-steps 1000] [--steps 250] [--seeds 3]``.
Audio: the speech clips of ``SQBENCH_SHARED/data/train`` (default ``../shared`` beside the
repository), or any folder with ``--data``.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from sqbench.quantization.cell import Cell
from sqbench.quantization.draws import Draws
from sqbench.quantization.estimators import estimate
from sqbench.quantization.experiment import train
from sqbench.quantization.vector import ProjectedQuantizer
from sqcodec.config import SQCodecConfig
from sqcodec.model import SQCodecModel
from sqcodec.model.fsq import FSQ
from sqcodec.quantize.estimators import annealed
from sqcodec.train.data.corpus import Corpus
from sqcodec.train.data.crops import Loader
from sqcodec.train.data.sampler import Sampler
from sqcodec.train.distributed import World
from sqcodec.train.losses.stft import MultiScaleSTFT
from sqcodec.train.objective import Objective
from sqcodec.train.recipes.sections import Data, Losses

SHARED = Path(os.environ.get("SQBENCH_SHARED", Path(__file__).resolve().parents[2] / "shared"))
LEVELS = 5
STAGES, STAGE_BITS = 2, 5
CLIPS = 60
BATCH = 8
LEARNING_RATE = 1e-3
CLIP_NORM = 1e3
CROP_WINDOWS = 4
RESTART_EVERY = 25
CONFIG = SQCodecConfig(
    name="validation",
    sample_rate=16000,
    feature_dim=64,
    encoder_rates=(4, 4),
    encoder_dims=(8, 16, 24),
    encoder_depths=(1, 1, 1),
    decoder_rates=(4, 4),
    decoder_dims=(24, 16, 8),
    decoder_depths=(1, 1),
    transformer_depth=1,
    compress_depth=0,
    window=40,
    compress_rate=1,
    levels=(LEVELS,) * 4,
)
State: TypeAlias = dict[str, Tensor]
PLAIN = Data(alternate=False, mix_probability=0, speed_probability=0, band_probability=0)
FSQ_ESTIMATORS = ("ste", "mste", "uniform", "gaussian", "taae", "taae-mix", "soft")
CASCADE_ESTIMATORS = (
    "ste", "ste+cl0.25", "mste", "rotation", "gaussian", "diveq", "soft",
)  # fmt: skip


class Cascade(nn.Module):
    """The bench's DAC-style quantizer in the place of the codec's FSQ.

    Attributes:
        loss: of codebooks and commitment in the last training pass.
    """

    def __init__(self, cell: Cell, dim: int, seed: int) -> None:
        super().__init__()
        self.cell, self.mode, self.progress = cell, "bypass", 0.0
        made = cell.make_quantizer(1, Draws([seed], "networks"))
        assert isinstance(made, ProjectedQuantizer)
        # The cell's latent is narrower than the codec's features: other projections, same codes.
        stages: Any = list(made.stages)
        self.core = ProjectedQuantizer(Draws([seed], "networks"), dim, stages)
        self.noise, self.codebook = Draws([seed], "estimator"), Draws([seed], "codebook")
        self.loss = torch.zeros(())

    def forward(self, x: Tensor, noise: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Features ``[B, N, dim]`` to (quantized features, codes ``[B, N]``)."""
        flat = x.reshape(1, -1, x.shape[-1])
        if self.mode == "bypass":
            self.loss = torch.zeros(())
            return self._projected(x), torch.zeros(x.shape[:2], dtype=torch.int64)
        cell, function = self.cell, None
        if self.training:
            function = estimate(cell.estimator, self.noise, cell.annealing, self.progress)
        found = self.core(flat, function)
        self.loss = found.loss.sum()
        return found.value.reshape(x.shape), found.index.reshape(x.shape[:2])

    def _projected(self, x: Tensor) -> Tensor:
        """What the stages would give if their codes were exact."""
        left = x
        for down, up in zip(self.core.down, self.core.up, strict=True):
            left = left - (left @ down[0]) @ up[0]
        return x - left


def cell_of(kind: str, method: str) -> Cell:
    """The bench's cell of a codec's quantizer and a method such as ``ste+cl0.25``."""
    name, _, weight = method.partition("+cl")
    if kind == "fsq":
        return Cell(source="gaussian", quantizer="fsq", levels=LEVELS, estimator=name)
    return Cell(
        source="gaussian",
        quantizer="dac",
        bits=STAGES * STAGE_BITS,
        stages=STAGES,
        estimator=name,
        commitment=float(weight or 0),
    )


class Codec:
    """A reduced SQCodec in training.

    Args:
        kind: ``fsq`` or ``cascade``.
        method: the estimator, see `cell_of`.
        seed: of weights, codebooks, noise and the order of crops.
        base: weights to start from.
    """

    def __init__(
        self, kind: str, method: str, seed: int, corpus: Corpus, base: State | None = None
    ) -> None:
        torch.manual_seed(seed)
        self.method, self.cell = method, cell_of(kind, method)
        self.model = SQCodecModel(CONFIG)
        if kind == "cascade":
            cascade = Cascade(self.cell, CONFIG.feature_dim, seed)
            self.model.quantizer = cascade  # type: ignore[assignment]
        if base is not None:
            self.model.load_state_dict(base)
        clips, _ = corpus.split()
        length = CROP_WINDOWS * CONFIG.pad_multiple
        self.sampler = Sampler(clips, length=length, recipe=PLAIN, seed=seed)
        self.loader = Loader(corpus, length, torch.device("cpu"), normalise=True)
        self.objective = Objective(
            Losses(l1=40.0, stft_floor=1e-4), None, World(), sample_rate=CONFIG.sample_rate
        )

    def train(self, steps: int, *, quantized: bool) -> bool:
        """Whether the loss stayed finite."""
        quantizer: Any = self.model.quantizer
        parameters = [p for p in self.model.parameters() if p.numel()]
        optimizer = torch.optim.AdamW(parameters, lr=LEARNING_RATE, betas=(0.9, 0.99))
        for step in range(steps):
            self.model.train()
            audio = self.loader.load(self.sampler.batch(step, BATCH))
            self._mode(step, steps, audio, quantized=quantized)
            for group in optimizer.param_groups:
                group["lr"] = LEARNING_RATE * min(1.0, 2 * (1 - step / steps))
            optimizer.zero_grad(set_to_none=True)
            loss, _ = self.objective(self.model(audio), audio, None)
            if isinstance(quantizer, Cascade):
                loss = loss + quantizer.loss
            if not bool(torch.isfinite(loss)):
                return False
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, CLIP_NORM)
            optimizer.step()
            if isinstance(quantizer, Cascade) and quantized:
                quantizer.core.after_step()
                if (step + 1) % RESTART_EVERY == 0 and quantizer.progress <= 0.7:
                    quantizer.core.restart(quantizer.codebook)
        return True

    def _mode(self, step: int, steps: int, audio: Tensor, *, quantized: bool) -> None:
        quantizer: Any = self.model.quantizer
        progress = step / max(1, steps - 1)
        if isinstance(quantizer, FSQ):
            mode: Any = "fsq" if self.method == "ste" else self.method
            sharpness = annealed(self.cell.annealing, progress)
            quantizer.set_mode(mode if quantized else "bypass", sharpness)
            return
        if quantized and step == 0:
            with torch.no_grad():
                start = self.model.en_encoder(self.model.encoder(audio))
            quantizer.core.initialise(start.reshape(1, -1, start.shape[-1]), quantizer.codebook)
        quantizer.mode = "on" if quantized else "bypass"
        quantizer.progress = progress

    @torch.no_grad()
    def measure(self, crops: Tensor, *, quantized: bool = True) -> dict[str, float]:
        """``snr_db`` and ``stft`` (lower is better), the quantizer hard or not there."""
        self.model.eval()
        self.model.quantizer.train(not quantized)  # not quantizing is a mode of training
        found = self.model(crops)
        error, power = (found - crops).square().sum(), crops.square().sum()
        return {
            "snr_db": float(-10 * torch.log10(error / power)),
            "stft": float(MultiScaleSTFT(eps=1e-4)(found, crops)),
        }


def pretrained(kind: str, steps: int, corpus: Corpus, crops: Tensor) -> State:
    """Weights trained without quantizing."""
    codec = Codec(kind, "ste", 0, corpus)
    codec.train(steps, quantized=False)
    found = codec.measure(crops, quantized=False)
    print(
        f"{kind:8} without quantizing {found['snr_db']:.2f} dB, "
        f"spectral distance {found['stft']:.4f}",
        flush=True,
    )
    return codec.model.state_dict()


def train_codec(
    kind: str, method: str, seed: int, steps: int, corpus: Corpus, crops: Tensor, base: State
) -> dict[str, float]:
    """One training with a quantizer; held-out ``snr_db`` and ``stft``."""
    codec = Codec(kind, method, seed, corpus, base)
    if not codec.train(steps, quantized=True):
        return {"snr_db": math.nan, "stft": math.nan}
    return codec.measure(crops)


def held_out(corpus: Corpus) -> Tensor:
    """Crops of clips that are not trained on ``[48, T]``."""
    _, clips = corpus.split()
    length = CROP_WINDOWS * CONFIG.pad_multiple
    sampler = Sampler(clips, length=length, recipe=PLAIN, seed=0)
    return Loader(corpus, length, torch.device("cpu"), normalise=True).load(sampler.batch(0, 48))


def median(numbers: Sequence[float | None]) -> float:
    """Median with what is not a number as the worst."""
    return statistics.median(
        -math.inf if n is None or math.isnan(n) else n for n in numbers
    )  # fmt: skip


def compare(
    kind: str, methods: Sequence[str], seeds: range, steps: tuple[int, int], corpus: Corpus
) -> dict[str, Any]:
    """Both rankings of one kind of quantizer, printed and returned."""
    crops = held_out(corpus)
    base = pretrained(kind, steps[0], corpus, crops)
    rows: dict[str, dict[str, Any]] = {}
    for method in methods:
        trials = train(cell_of(kind, method), seeds)
        bench = [trial.values["snr_db"] for trial in trials]
        codec = [train_codec(kind, method, seed, steps[1], corpus, crops, base) for seed in seeds]
        rows[method] = {"bench_snr_db": bench, "codec": codec}
        snr = [run["snr_db"] for run in codec]
        stft = [-run["stft"] for run in codec]
        print(
            f"{kind:8} {method:11} bench {median(bench):6.2f} dB   codec {median(snr):6.2f} dB "
            f"[{min(snr):.2f}, {max(snr):.2f}]   spectral distance {-median(stft):.4f}",
            flush=True,
        )
    bench = [median(row["bench_snr_db"]) for row in rows.values()]
    snr = [median([run["snr_db"] for run in row["codec"]]) for row in rows.values()]
    stft = [median([-run["stft"] for run in row["codec"]]) for row in rows.values()]
    result: dict[str, Any] = {"rows": rows}
    for name, scores in (("snr", snr), ("spectral distance", stft)):
        found = spearmanr(bench, scores)
        result[f"spearman of {name}"] = float(found.statistic)
        print(
            f"{kind:8} rank correlation of bench SNR and codec {name}: "
            f"{found.statistic:+.2f} (p {found.pvalue:.2f}, n {len(rows)})"
        )
    return result


def main() -> int:
    """Run; 0 even if the rankings disagree: that is a finding."""
    parse = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parse.add_argument("--data", type=Path, default=SHARED / "data/train/speech")
    parse.add_argument("--base-steps", type=int, default=1000, help="without quantizing")
    parse.add_argument("--steps", type=int, default=250, help="with each estimator")
    parse.add_argument("--seeds", type=int, default=3)
    parse.add_argument("--kind", choices=("fsq", "cascade", "both"), default="both")
    parse.add_argument("--out", type=Path, help="write all numbers into this JSON file")
    options = parse.parse_args()
    if not options.data.is_dir():
        print(f"no audio at {options.data}: set SQBENCH_SHARED or --data; skipped")
        return 0
    torch.set_num_threads(1)
    started = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        files = sorted(options.data.rglob("*.opus")) or sorted(options.data.rglob("*.flac"))
        manifest = Path(folder) / "clips.csv"
        chosen = files[:: max(1, len(files) // CLIPS)][:CLIPS]
        lines = [f"{path},speech,{path.name}" for path in chosen]
        manifest.write_text("path,domain,group\n" + "\n".join(lines) + "\n")
        corpus = Corpus([manifest], CONFIG.sample_rate, Path(folder) / "cache")
        seeds, steps = range(options.seeds), (options.base_steps, options.steps)
        results: dict[str, Any] = {"steps": steps, "config": asdict(CONFIG)}
        for kind, methods in (("fsq", FSQ_ESTIMATORS), ("cascade", CASCADE_ESTIMATORS)):
            if options.kind in (kind, "both"):
                results[kind] = compare(kind, methods, seeds, steps, corpus)
    print(f"{time.process_time() - started:.0f} s of processor time")
    if options.out is not None:
        options.out.write_text(json.dumps(results, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
