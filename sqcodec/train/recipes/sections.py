"""The sections of a recipe: what is trained on, how, and with which weights between the losses."""

from __future__ import annotations

from dataclasses import dataclass, field

ESTIMATORS = (
    "ste", "taae", "taae-mix", "mste", "uniform", "gaussian", "nsvq", "diveq", "rotation", "soft",
)  # fmt: skip
"""Values of ``quantizer.estimator``; named here too, as reading a recipe must not import torch."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """Changes to the network (the paper's Table 3).

    Attributes:
        window: attention window in tokens; 0 keeps the config's.
        tconv, teconv: see `SQCodecConfig`.
    """

    window: int = 0
    tconv: bool = True
    teconv: bool = True


@dataclass(frozen=True, kw_only=True)
class Data:
    """What the crops are, and what is done to them.

    Attributes:
        domains: relative weight of each domain; equal weights where empty.
        alternate: every crop of a batch is of one domain, and batches take turns by weight (the
            paper); otherwise each crop draws its own.
        normalise: bring the loudest 0.1 % of a crop to 0.75 (successor's recipe).
        gain_db: lowest gain of the random gain, whose highest is 0 dB.
        mix_probability: share of crops that are the sum of two of their domain.
        speed_probability: share that is resampled to another speed (0.9 to 1.1).
        band_probability: share that loses its band above a random cutoff.
        silence_probability: share that is digital silence, so that silence decodes to silence.
        stream: shards that crops are drawn from at a time (`sqcodec.train.data.window`); 0 for all.
    """

    domains: dict[str, float] = field(default_factory=dict)
    alternate: bool = True
    normalise: bool = True
    gain_db: float = -6.0
    mix_probability: float = 0.1
    speed_probability: float = 0.1
    band_probability: float = 0.1
    silence_probability: float = 0.0
    stream: int = 0


@dataclass(frozen=True, kw_only=True)
class Quantizer:
    """How the quantizer is trained.

    Attributes:
        estimator: ``ste`` (straight-through), ``taae`` (each value replaced with probability
            one half by itself plus uniform noise of a level's width), or another mode of
            `sqcodec.model.fsq.FSQ`.
        sharpness: of ``soft``, per squared level, at the first and the last step.
        bypass_steps: steps at the start during which latents are bounded but not rounded.
    """

    estimator: str = "taae"
    sharpness: tuple[float, float] = (0.5, 20.0)
    bypass_steps: int = 0


@dataclass(frozen=True, kw_only=True)
class Perceptual:
    """The Whisper of the perceptual loss, and how much of it runs.

    Attributes:
        source: a model on the Hugging Face hub, a folder (transformers' or CTranslate2's),
            ``installed`` for the weights of a Python package, or ``none`` for no such loss. The key
            ``perceptual`` alone means this one.
        context: ``padded``: the encoder sees 30 s, as published; ``clip``: the crop alone, at a
            fraction of the cost.
        silence: seconds behind the crop with ``clip``.
        noise: RMS of white noise added to both signals, full scale at 1; 0, as published, for none.
    """

    source: str = "openai/whisper-tiny.en"
    context: str = "padded"
    silence: float = 1.0
    noise: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Losses:
    """Weights of the generator's terms, and the limits of Eq. 2.

    Attributes:
        l1, stft: factors of the element-wise and the multi-scale spectral term.
        mel: factor of the multi-scale mel term, which the paper does not have.
        stft_floor: magnitude floor of the logarithms. The published 1.19e-7 lets digital silence
            dominate a short run; 1e-4 does not.
        perceptual: factor of the perceptual term, before its limit.
        perceptual_limit, adversarial_limit: values at which these terms are clamped.
        feature: factor of feature matching inside the adversarial term.
    """

    l1: float = 100.0
    stft: float = 1.0
    mel: float = 0.0
    stft_floor: float = 1.19e-7
    perceptual: float = 1.0
    perceptual_limit: float = 5.0
    adversarial_limit: float = 10.0
    feature: float = 2.0


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """The optimiser and its schedule (see `sqcodec.train.recipes.schedule`).

    Attributes:
        kind: of the codec's: ``adamw``, or ``muon`` for matrices and AdamW for the rest.
        lr: peak learning rate.
        betas: with ``one-cycle`` the first cycles between 0.95 and 0.85 instead.
        schedule: ``one-cycle`` (three phases) or ``constant`` (linear warm-up, then constant, then
            a cosine over the last ``decay_share`` of the steps).
        lr_end: where ``constant`` ends; ``one-cycle`` ends at a hundredth of its peak.
        clip_norm: gradient-norm clip of the codec.
    """

    kind: str = "adamw"
    lr: float = 5e-4
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1.19e-7
    weight_decay: float = 0.0
    schedule: str = "one-cycle"
    lr_end: float = 5e-6
    warmup_steps: int = 30
    decay_share: float = 0.3
    clip_norm: float = 1e4


@dataclass(frozen=True, kw_only=True)
class Adversary:
    """The discriminator and its training.

    Attributes:
        enabled: whether there is one.
        every: generator steps to one discriminator step.
        start_step: first step with adversarial terms.
        lr, weight_decay: of its AdamW; its schedule has the codec's shape.
        clip_norm: gradient-norm clip of the discriminator.
        periods, windows, width: its sub-discriminators and their channels
            (`sqcodec.train.discriminator`).
    """

    enabled: bool = True
    every: int = 10
    start_step: int = 0
    lr: float = 5e-4
    weight_decay: float = 1e-5
    clip_norm: float = 10.0
    periods: tuple[int, ...] = (2, 3, 5, 7, 11)
    windows: tuple[int, ...] = (126, 542, 1418, 2296)
    width: float = 1.0
