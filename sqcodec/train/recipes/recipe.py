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
from sqcodec.train.recipes.sections import (
    ESTIMATORS,
    Adversary,
    Data,
    Losses,
    Model,
    Optimizer,
    Perceptual,
    Quantizer,
)
from sqcodec.train.recipes.values import example, typed
from sqcodec.typed import read_toml

SHORT = {"perceptual": "perceptual.source"}
"""Sections that can be set as if they were their most important key."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Hyper-parameters of a run. The defaults are the published recipe, as far as it is known.

    Attributes:
        max_steps: optimiser steps in all.
        batch_size: crops of one pass through the network, over all processes.
        accumulate: passes to one optimiser step.
        windows: crop length in attention windows of the config; ``seconds`` wins where not 0.
        seconds: crop length, rounded to whole windows, at least one.
        precision: ``float32``, ``bf16`` (autocast; quantizer and losses stay in float32), or
            ``auto``: bf16 where the processor has units for it (`sqcodec.train.precision`).
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
    precision: str = "float32"
    ema: float = 0.0
    seed: int = 0
    select: str = "snr_db"
    max_skipped: int = 20
    model: Model = field(default_factory=Model)
    data: Data = field(default_factory=Data)
    quantizer: Quantizer = field(default_factory=Quantizer)
    perceptual: Perceptual = field(default_factory=Perceptual)
    losses: Losses = field(default_factory=Losses)
    optimizer: Optimizer = field(default_factory=Optimizer)
    adversary: Adversary = field(default_factory=Adversary)

    def __post_init__(self) -> None:
        for key, lowest in (
            ("max_steps", 1), ("batch_size", 1), ("accumulate", 1), ("windows", 1),
            ("max_skipped", 1), ("adversary.every", 1), ("quantizer.bypass_steps", 0),
            ("seconds", 0), ("model.window", 0), ("optimizer.warmup_steps", 0),
            ("losses.perceptual", 0), ("perceptual.silence", 0), ("perceptual.noise", 0),
        ):  # fmt: skip
            if (value := self.get(key)) < lowest:
                raise InputError(f"recipe, {key}", expected=f"at least {lowest}", found=str(value))
        for key, choices in (
            ("precision", ("auto", "float32", "bf16")),
            ("perceptual.context", ("padded", "clip")),
            ("quantizer.estimator", ESTIMATORS),
            ("optimizer.kind", ("adamw", "muon")),
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
        for name, value in changes.items():
            key = SHORT.get(name, name)
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
            except ValueError:
                raise InputError(
                    f"{origin}, {key}",
                    expected=f"a {type(known[key]).__name__} such as {example(known[key])}",
                    found=str(value),
                ) from None
            section, _, entry = key.rpartition(".")
            nested.setdefault(section, {})[entry] = parsed
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
    return read_toml(path), str(path)


def _flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, dict) and f"{prefix}{key}" != "data.domains":
            out |= _flat(value, f"{prefix}{key}.")
        else:
            out[f"{prefix}{key}"] = value
    return out
