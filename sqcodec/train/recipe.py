"""What a training run is: every number that shapes it, in frozen records read from TOML.

A recipe is built in layers: the defaults here, then named recipe files (`sqcodec/train/recipes`),
then ``--set key=value``. Later layers win. A run saves the result whole.
"""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from sqcodec.config import SQCodecConfig
from sqcodec.errors import InputError
from sqcodec.train.recipe_values import example, typed

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
    """

    domains: dict[str, float] = field(default_factory=dict)
    alternate: bool = True
    normalise: bool = True
    gain_db: float = -6.0
    mix_probability: float = 0.1
    speed_probability: float = 0.1
    band_probability: float = 0.1
    silence_probability: float = 0.0


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
class Losses:
    """Weights of the generator's terms, and the limits of Eq. 2.

    Attributes:
        l1, stft: factors of the element-wise and the multi-scale spectral term.
        mel: factor of the multi-scale mel term, which the paper does not have.
        stft_floor: magnitude floor of the logarithms. The published 1.19e-7 lets digital silence
            dominate a short run; 1e-4 does not.
        perceptual_limit, adversarial_limit: values at which these terms are clamped.
        feature: factor of feature matching inside the adversarial term.
    """

    l1: float = 100.0
    stft: float = 1.0
    mel: float = 0.0
    stft_floor: float = 1.19e-7
    perceptual_limit: float = 5.0
    adversarial_limit: float = 10.0
    feature: float = 2.0


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """AdamW and its schedule (see `sqcodec.train.schedule`).

    Attributes:
        lr: peak learning rate.
        betas: with ``one-cycle`` the first cycles between 0.95 and 0.85 instead.
        schedule: ``one-cycle`` (three phases) or ``constant`` (linear warm-up, then constant, then
            a cosine over the last ``decay_share`` of the steps).
        lr_end: where ``constant`` ends; ``one-cycle`` ends at a hundredth of its peak.
        clip_norm: gradient-norm clip of the codec.
    """

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


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Hyper-parameters of a run. The defaults are the published recipe, as far as it is known.

    Attributes:
        max_steps: optimiser steps in all.
        batch_size: crops of one pass through the network, over all processes.
        accumulate: passes to one optimiser step.
        windows: crop length in attention windows of the config; ``seconds`` wins where not 0.
        seconds: crop length, rounded to whole windows, at least one.
        perceptual: Whisper model of the perceptual loss (hub id or folder), or ``none``.
        precision: ``float32`` or ``bf16`` (autocast; quantizer and losses stay in float32).
        ema: decay of the average of weights that is evaluated and exported; 0 for none.
        select: what decides on the best step: ``snr_db``, or a metric of sqbench (``sdr``,
            ``mel``, ``stoi``, ``pesq``).
        max_skipped: non-finite steps in a row that end the run.
    """

    max_steps: int = 7000
    batch_size: int = 4
    accumulate: int = 6
    windows: int = 7
    seconds: float = 0.0
    perceptual: str = "openai/whisper-tiny.en"
    precision: str = "float32"
    ema: float = 0.0
    seed: int = 0
    select: str = "snr_db"
    max_skipped: int = 20
    model: Model = Model()
    data: Data = Data()
    quantizer: Quantizer = Quantizer()
    losses: Losses = Losses()
    optimizer: Optimizer = Optimizer()
    adversary: Adversary = Adversary()

    def __post_init__(self) -> None:
        for key, lowest in (
            ("max_steps", 1), ("batch_size", 1), ("accumulate", 1), ("windows", 1),
            ("max_skipped", 1), ("adversary.every", 1), ("quantizer.bypass_steps", 0),
            ("seconds", 0), ("model.window", 0), ("optimizer.warmup_steps", 0),
        ):  # fmt: skip
            if (value := self.get(key)) < lowest:
                raise InputError(f"recipe, {key}", expected=f"at least {lowest}", found=str(value))
        for key, choices in (
            ("precision", ("float32", "bf16")),
            ("quantizer.estimator", ESTIMATORS),
            ("optimizer.schedule", ("one-cycle", "constant")),
            ("select", ("snr_db", "sdr", "mel", "stoi", "pesq")),
        ):
            if (value := self.get(key)) not in choices:
                expected = f"one of {', '.join(choices)}"
                raise InputError(f"recipe, {key}", expected=expected, found=str(value))
        if min(self.quantizer.sharpness) <= 0:
            raise InputError(
                "recipe, quantizer.sharpness",
                expected="numbers above 0",
                found=f"{self.quantizer.sharpness}",
            )
        for key in ("ema", "optimizer.decay_share", "data.mix_probability",
                    "data.speed_probability", "data.band_probability",
                    "data.silence_probability"):  # fmt: skip
            if not 0 <= (value := self.get(key)) <= 1:
                raise InputError(f"recipe, {key}", expected="0 to 1", found=str(value))
        weights = self.data.domains.values()
        if weights and not (all(w >= 0 for w in weights) and any(w > 0 for w in weights)):
            raise InputError(
                "recipe, data.domains",
                expected="weights of 0 or more, one above",
                found=f"{self.data.domains}",
            )

    def get(self, key: str) -> Any:
        """The value of a dotted key."""
        value: Any = self
        for name in key.split("."):
            value = getattr(value, name)
        return value

    def apply(self, changes: Mapping[str, Any], origin: str) -> Recipe:
        """The recipe with ``changes`` (dotted keys) of their fields' types.

        Raises:
            InputError: an unknown key, or a value of the wrong type or out of range.
        """
        known = dict(keys(self))
        recipe = self
        # Together, so that a check never sees half of the changes.
        nested: dict[str, dict[str, Any]] = {}
        for key, value in changes.items():
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
                raise InputError(
                    f"{origin}, {key}",
                    expected="one of " + ", ".join(known),
                    found=key,
                    remedy=f"Did you mean {near[0]!r}?" if near else "",
                )
            try:
                parsed = typed(value, known[key])
            except (ValueError, TypeError, AttributeError):
                raise InputError(
                    f"{origin}, {key}",
                    expected=f"a {type(known[key]).__name__} such as {example(known[key])}",
                    found=str(value),
                ) from None
            section, _, name = key.rpartition(".")
            nested.setdefault(section, {})[name] = parsed
        top = nested.pop("", {})
        for section, values in nested.items():
            top[section] = dataclasses.replace(getattr(recipe, section), **values)
        return dataclasses.replace(recipe, **top)

    def override(self, settings: Sequence[str]) -> Recipe:
        """Apply ``key=value`` texts; a value may be quoted as in TOML or plain."""
        changes = {}
        for setting in settings:
            key, separator, text = setting.partition("=")
            if not separator:
                raise InputError(f"--set {setting}", expected="key=value", found=setting)
            changes[key.strip()] = text.strip()
        return self.apply(changes, "--set")

    def network(self, config: SQCodecConfig) -> SQCodecConfig:
        """The config with this recipe's changes, under a name that tells them."""
        changes: dict[str, Any] = {}
        marks = []
        if self.model.window and self.model.window != config.window:
            changes["window"] = self.model.window
            marks.append(f"window-{self.model.window}")
        for key in ("tconv", "teconv"):
            if not getattr(self.model, key):
                changes[key] = False
                marks.append(f"no-{key}")
        if not changes:
            return config
        return dataclasses.replace(config, name="+".join([config.name, *marks]), **changes)

    def crop_length(self, config: SQCodecConfig) -> int:
        """Samples a crop."""
        if self.seconds:
            return max(1, round(self.seconds * config.sample_rate / config.pad_multiple)) * (
                config.pad_multiple
            )
        return self.windows * config.pad_multiple


def keys(recipe: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys of a recipe with their values."""
    for entry in dataclasses.fields(recipe):
        value = getattr(recipe, entry.name)
        if is_dataclass(value):
            yield from keys(value, f"{prefix}{entry.name}.")
        else:
            yield f"{prefix}{entry.name}", value


def load_recipe(names: Sequence[str], config: str) -> Recipe:
    """The recipe of named files (shipped names or paths of TOML files), one over the other.

    A file's table ``[config.NAME]`` holds for the config of that name only.

    Raises:
        InputError: no such recipe, no TOML, an unknown key, or a value that does not fit.
    """
    recipe = Recipe()
    for name in names:
        content, origin = _read(name)
        special = content.pop("config", {}).get(config, {})
        recipe = recipe.apply(_flat(content), origin).apply(_flat(special), origin)
    return recipe


def shipped_changes(name: str) -> dict[str, Any]:
    """What a shipped recipe changes: dotted keys with their values."""
    return _flat(_read(name)[0])


def shipped_recipes() -> list[str]:
    """Names that `load_recipe` knows."""
    folder = resources.files("sqcodec.train").joinpath("recipes")
    return sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith("toml"))


def _read(name: str) -> tuple[dict[str, Any], str]:
    if name in shipped_recipes():
        text = resources.files("sqcodec.train").joinpath("recipes", f"{name}.toml").read_text()
        return tomllib.loads(text), f"recipe {name}"
    path = Path(name)
    if not path.is_file():
        raise InputError(
            f"recipe {name!r}",
            expected=f"one of {', '.join(shipped_recipes())}, or a TOML file",
            found="no such file",
        )
    try:
        return tomllib.loads(path.read_text("utf-8")), str(path)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(str(path), expected="TOML in UTF-8", found=str(error)) from None


def _flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, dict) and f"{prefix}{key}" != "data.domains":
            out |= _flat(value, f"{prefix}{key}.")
        else:
            out[f"{prefix}{key}"] = value
    return out
