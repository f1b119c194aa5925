"""Reduced codecs for `quantizer_validation.py`: SQCodec (its FSQ, or a residual VQ), and DAC.

DAC is `transformers.DacModel`, small, with its own residual quantizer (factorised codes looked up
by angle); only the line with its straight-through gradient is replaced by an estimator of the
bench. All train alike: without quantizing first, then, from these weights, with an estimator. The
common start matters: from nothing, some hundred steps compare how soon a run leaves silence, not
estimators.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from transformers import DacConfig, DacModel
from transformers.models.dac.modeling_dac import DacVectorQuantize

from sqbench.quantization.build import make_quantizer
from sqbench.quantization.cell import Cell
from sqbench.quantization.draws import Draws
from sqbench.quantization.estimators import estimate
from sqbench.quantization.vector import ProjectedQuantizer, VectorQuantizer
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

LEVELS = 5
STAGES, STAGE_BITS = 2, 5
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
DAC_CONFIG = DacConfig(
    encoder_hidden_size=12, decoder_hidden_size=48, downsampling_ratios=[4, 4], n_codebooks=STAGES,
    codebook_size=2**STAGE_BITS, codebook_dim=4, quantizer_dropout=0.0, sampling_rate=16000,
)  # fmt: skip
KINDS = ("dac", "cascade", "fsq")
"""DAC with its residual VQ; SQCodec with one of that kind in place of its FSQ; SQCodec's FSQ."""


def cell_of(kind: str, method: str, source: str = "gaussian") -> Cell:
    """The bench's cell of a codec's quantizer and a method such as ``ste+cl0.25``."""
    name, _, weight = method.partition("+cl")
    if kind == "fsq":
        return Cell(source=source, quantizer="fsq", levels=LEVELS, estimator=name)
    return Cell(
        source=source,
        quantizer="dac",
        bits=STAGES * STAGE_BITS,
        stages=STAGES,
        estimator=name,
        commitment=float(weight or 0),
        restarts=kind != "dac",  # DAC has none
    )


class Cascade(nn.Module):
    """The bench's DAC-style quantizer in the place of the codec's FSQ.

    Attributes:
        loss: of codebooks and commitment in the last training pass.
    """

    def __init__(self, cell: Cell, dim: int, seed: int) -> None:
        super().__init__()
        self.cell, self.mode, self.progress = cell, "bypass", 0.0
        made = make_quantizer([cell], 1, Draws([seed], "networks"))
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


class Codes(VectorQuantizer):
    """The codebook of a DAC stage, as the bench's estimators know codebooks."""

    def __init__(self, embedding: nn.Embedding) -> None:
        size, width = embedding.weight.shape
        super().__init__(1, width, size, codebook="end-to-end", cosine=True)
        del self.table
        self.embedding = embedding

    def codes(self) -> Tensor:
        return self.embedding.weight[None]


class Stage(DacVectorQuantize):
    """A stage of DAC's quantizer whose gradient is an estimator's.

    Attributes:
        mode: ``bypass`` while nothing is quantized; progress: of the training.
        loss: of codebook and commitment in the last pass, weighted.
    """

    def __init__(self, config: DacConfig, cell: Cell, seed: int) -> None:
        super().__init__(config)
        self.cell, self.mode, self.progress = cell, "bypass", 0.0
        self.noise = Draws([seed], "estimator")
        self.loss = torch.zeros(())

    def forward(self, hidden_state: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """``[B, hidden, T]``; returns what `DacVectorQuantize` does."""
        z = self.in_proj(hidden_state)
        zero = torch.zeros(())
        self.loss = zero
        if self.mode == "bypass":
            nothing = torch.zeros(z.shape[0], z.shape[2], dtype=torch.int64)
            return self.out_proj(z), zero, zero, nothing, z
        q, index = self.decode_latents(z)
        value = q
        if self.training:
            commitment = (z - q.detach()).square().mean()
            codebook = (q - z.detach()).square().mean()
            if not self.cell.info.end_to_end:
                self.loss = codebook
            self.loss = self.loss + self.cell.commitment * commitment
            function = estimate(self.cell.estimator, self.noise, self.cell.annealing, self.progress)
            batch, width, frames = z.shape
            flat = [x.transpose(1, 2).reshape(1, batch * frames, width) for x in (z, q)]
            value = function(flat[0], flat[1], Codes(self.codebook))
            value = value.reshape(batch, frames, width).transpose(1, 2)
        return self.out_proj(value), zero, zero, index, z


class ReducedDac(nn.Module):
    """Audio ``[B, T]`` to audio through a small DAC."""

    def __init__(self, cell: Cell, seed: int) -> None:
        super().__init__()
        self.model = DacModel(DAC_CONFIG)
        self.stages = [Stage(DAC_CONFIG, cell, seed + i) for i in range(STAGES)]
        self.model.quantizer.quantizers = nn.ModuleList(self.stages)

    def forward(self, audio: Tensor) -> Tensor:
        z = self.model.encoder(audio[:, None])
        quantized = self.model.quantizer(z)[0]
        out: Tensor = self.model.decoder(quantized)[:, 0]
        return out

    @torch.no_grad()
    def start(self, audio: Tensor, seed: int) -> None:
        """Codes start from latents of this audio, each stage's from what the ones before left."""
        generator = torch.Generator().manual_seed(seed)
        left = self.model.encoder(audio[:, None])
        for stage in self.stages:
            z = stage.in_proj(left)
            flat = z.transpose(1, 2).reshape(-1, z.shape[1])
            pick = torch.randint(len(flat), (stage.codebook.num_embeddings,), generator=generator)
            stage.codebook.weight.copy_(flat[pick])
            left = left - stage.out_proj(stage.decode_latents(z)[0])


class Codec:
    """A reduced codec in training.

    Args:
        kind: one of `KINDS`.
        method: the estimator, see `cell_of`.
        seed: of weights, codebooks, noise and the order of crops.
        base: weights to start from.
    """

    def __init__(
        self, kind: str, method: str, seed: int, corpus: Corpus, base: State | None = None
    ) -> None:
        torch.manual_seed(seed)
        self.method, self.cell, self.seed = method, cell_of(kind, method), seed
        self.model: nn.Module
        if kind == "dac":
            self.model = ReducedDac(self.cell, seed)
        else:
            sqcodec = SQCodecModel(CONFIG)
            if kind == "cascade":
                sqcodec.quantizer = Cascade(self.cell, CONFIG.feature_dim, seed)  # type: ignore[assignment]
            self.model = sqcodec
        if base is not None:
            self.model.load_state_dict(base)
        clips, _ = corpus.split()
        length = CROP_WINDOWS * CONFIG.pad_multiple
        self.sampler = Sampler(clips, length=length, recipe=PLAIN, seed=seed)
        self.loader = Loader(corpus, length, torch.device("cpu"), normalise=True)
        self.objective = Objective(
            Losses(l1=40.0, stft_floor=1e-4), None, World(), sample_rate=CONFIG.sample_rate
        )

    @property
    def parts(self) -> list[Any]:
        """What quantizes: stages of DAC, or SQCodec's quantizer."""
        if isinstance(self.model, ReducedDac):
            return list(self.model.stages)
        return [self.model.quantizer]

    def train(self, steps: int, *, quantized: bool) -> bool:
        """Whether the loss stayed finite."""
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
            for part in self.parts:
                if not isinstance(part, FSQ):
                    loss = loss + part.loss
            if not bool(torch.isfinite(loss)):
                return False
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, CLIP_NORM)
            optimizer.step()
            for part in self.parts:
                if isinstance(part, Cascade) and quantized:
                    part.core.after_step()
                    if (step + 1) % RESTART_EVERY == 0 and part.progress <= 0.7:
                        part.core.restart(part.codebook)
        return True

    def _mode(self, step: int, steps: int, audio: Tensor, *, quantized: bool) -> None:
        progress = step / max(1, steps - 1)
        if isinstance(self.model, ReducedDac):
            if quantized and step == 0:
                self.model.start(audio, self.seed)
            for stage in self.model.stages:
                stage.mode, stage.progress = "on" if quantized else "bypass", progress
            return
        (quantizer,) = self.parts
        if isinstance(quantizer, FSQ):
            mode: Any = "fsq" if self.method == "ste" else self.method
            sharpness = annealed(self.cell.annealing, progress)
            quantizer.set_mode(mode if quantized else "bypass", sharpness)
            return
        if quantized and step == 0:
            assert isinstance(self.model, SQCodecModel)
            with torch.no_grad():
                start = self.model.en_encoder(self.model.encoder(audio))
            quantizer.core.initialise(start.reshape(1, -1, start.shape[-1]), quantizer.codebook)
        quantizer.mode = "on" if quantized else "bypass"
        quantizer.progress = progress

    @torch.no_grad()
    def measure(self, crops: Tensor, *, quantized: bool = True) -> dict[str, float]:
        """``snr_db`` and ``stft`` (lower is better), the quantizer hard or not there."""
        self.model.eval()
        for part in self.parts:
            part.train(not quantized)  # SQCodec's FSQ: not quantizing is a mode of training
        found = self.model(crops)
        error, power = (found - crops).square().sum(), crops.square().sum()
        return {
            "snr_db": float(-10 * torch.log10(error / power)),
            "stft": float(MultiScaleSTFT(eps=1e-4)(found, crops)),
        }


def held_out(corpus: Corpus) -> Tensor:
    """Crops of clips that are not trained on ``[48, T]``."""
    _, clips = corpus.split()
    length = CROP_WINDOWS * CONFIG.pad_multiple
    sampler = Sampler(clips, length=length, recipe=PLAIN, seed=0)
    return Loader(corpus, length, torch.device("cpu"), normalise=True).load(sampler.batch(0, 48))
