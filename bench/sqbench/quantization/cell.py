"""One cell of the experiment: a source, a quantizer, a rate, and how it is trained."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from sqbench.digest import digest
from sqbench.errors import InputError
from sqbench.quantization.custom import Custom
from sqbench.quantization.estimators import ESTIMATORS, EstimatorInfo

VERSION = 2
"""Of the experiment: a change that moves values raises it, and old results are not reused."""
SOURCES = ("alphabet", "gaussian", "uniform", "correlated", "student")
LEVELS = ("sq", "fsq", "ifsq", "rfsq")
"""Quantizers given by ``levels`` per channel; `BITS` are given by bits of a frame."""
BITS = ("vq", "vq-ema", "simvq", "rvq", "rvq-dropout", "dac", "lfq", "bsq")
SHARPNESS = {"scalar": (0.5, 20.0), "vector": (5.0, 50.0)}
DAC_WIDTH = 4
"""Channels of a code of the DAC-style stage; the latent has twice as many."""
_MAX_CODES = 1 << 13
"""Of one codebook, and of what is counted: more would need more frames than a cell has."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What is trained.

    Attributes:
        source: ``alphabet`` of ``2**source_bits`` points, or another of `SOURCES`.
        quantizer: one of `LEVELS` or `BITS`, or the name of a ``custom`` one, which has bits.
        bits: of a frame, for `BITS`; ``levels``: of each channel, for `LEVELS`.
        stages: of a residual quantizer, sharing the bits evenly.
        estimator: one of `ESTIMATORS`, or the name of a ``custom`` one.
        commitment: weight of the commitment loss of vector quantizers.
        sharpness: of soft-to-hard annealing, first and last (see `estimators.estimate`);
            `SHARPNESS` where not given.
        steps: of training.
        restarts: whether codes that nothing uses start again from latents.
        custom: a third party's estimator or quantizer.
        block: where it belongs in the matrix; not part of what it is.
    """

    source: str
    source_bits: int = 0
    quantizer: str
    bits: int = 0
    levels: int = 0
    stages: int = 1
    estimator: str
    commitment: float = 0.0
    sharpness: tuple[float, float] | None = None
    steps: int = 900
    restarts: bool = True
    custom: Custom | None = None
    block: str = ""

    def __post_init__(self) -> None:
        known("source", self.source, SOURCES)
        mine = [self.custom.name] if self.custom else []
        known("quantizer", self.quantizer, (*LEVELS, *BITS, *mine))
        known("estimator", self.estimator, (*ESTIMATORS, *mine))
        self._demand(not mine or mine[0] in (self.quantizer, self.estimator), "custom", mine,
                     "the name of its quantizer or estimator")  # fmt: skip
        scalar, info = self.scalar, self.info
        self._demand(info.scalar if scalar else info.vector, "estimator", self.estimator,
                     f"one for {'levels' if scalar else 'vectors'}")  # fmt: skip
        finite = self.source == "alphabet"
        self._demand(
            1 <= self.source_bits <= 12 if finite else self.source_bits == 0,
            "source_bits", self.source_bits, "1 to 12 of an alphabet, none of other sources",
        )  # fmt: skip
        if self.quantizer in LEVELS:
            self._demand(self.levels >= 2 and not self.bits, "levels", self.levels,
                         "at least 2, and no bits")  # fmt: skip
        else:
            self._demand(self.bits >= 1 and not self.levels, "bits", self.bits,
                         "at least 1, and no levels")  # fmt: skip
        cascade = self.quantizer in ("rvq", "rvq-dropout", "dac", "rfsq")
        self._demand(self.stages >= 1 and (cascade or self.stages == 1), "stages", self.stages,
                     "1, unless the quantizer is residual")  # fmt: skip
        self._demand(self.bits % self.stages == 0, "stages", self.stages, f"a part of {self.bits}")
        self._demand(2**self.rate_bits <= _MAX_CODES + 0.5, "rate", f"{self.rate_bits:g} bits",
                     f"at most {math.log2(_MAX_CODES):g} bits")  # fmt: skip
        self._demand(
            self.commitment == 0 if scalar else self.commitment >= 0,
            "commitment", self.commitment, "0 or more, and 0 for levels",
        )  # fmt: skip
        self._demand(
            self.sharpness is None or (len(self.sharpness) == 2 and min(self.sharpness) > 0),
            "sharpness", self.sharpness, "two numbers above 0",
        )  # fmt: skip
        self._demand(self.steps >= 100, "steps", self.steps, "at least 100")
        if self.quantizer.startswith(("rvq", "dac")):
            self._demand(self.estimator not in ("soft", "gumbel") or self.quantizer == "dac",
                         "estimator", self.estimator, "one that a cascade has")  # fmt: skip
        if self.quantizer == "simvq":
            self._demand(not info.end_to_end, "estimator", self.estimator,
                         "one that leaves the codebook to its loss")  # fmt: skip
        if self.quantizer == "vq-ema":
            self._demand(not info.end_to_end, "estimator", self.estimator,
                         "one that leaves the codebook to averages")  # fmt: skip
        if info.dithered or self.estimator == "soft":
            self._demand(self.quantizer not in ("lfq", "bsq", "rfsq"), "estimator", self.estimator,
                         "one that the quantizer has")  # fmt: skip

    def _demand(self, fits: bool, name: str, found: object, expected: str) -> None:
        if not fits:
            raise InputError(
                f"cell {self.quantizer} {self.estimator}, {name}",
                expected=expected,
                found=str(found),
            )

    @property
    def info(self) -> EstimatorInfo:
        """What its estimator works with."""
        shipped = ESTIMATORS.get(self.estimator)
        if shipped is not None:
            return shipped
        assert self.custom is not None
        return self.custom.info

    @property
    def own_quantizer(self) -> bool:
        """Whether the quantizer is the third party's."""
        return self.custom is not None and self.custom.name == self.quantizer

    @property
    def scalar(self) -> bool:
        """Whether each channel is quantized by itself."""
        if self.own_quantizer:
            assert self.custom is not None
            return bool(self.custom.target.scalar)
        return self.quantizer in (*LEVELS, "lfq", "bsq")

    @property
    def features(self) -> int:
        """Components of a frame."""
        return 8 if self.source == "alphabet" else 4

    @property
    def latent(self) -> int:
        """Channels between encoder and decoder."""
        if self.quantizer in ("lfq", "bsq"):
            return self.bits
        return 2 * DAC_WIDTH if self.quantizer == "dac" else 4

    @property
    def rate_bits(self) -> float:
        """Bits of a frame: log2 of the number of codes."""
        if self.quantizer in LEVELS:
            return self.latent * self.stages * math.log2(self.levels)
        return float(self.bits)

    @property
    def method(self) -> str:
        """The estimator with what belongs to it: ``ste+cl0.25``, ``soft to 400``."""
        name = self.estimator
        if self.commitment:
            name += f"+cl{self.commitment:g}"
        if self.sharpness:
            name += f" to {self.sharpness[1]:g}"
        return name

    @property
    def annealing(self) -> tuple[float, float]:
        """Sharpness of soft-to-hard annealing, first and last."""
        return self.sharpness or SHARPNESS["scalar" if self.scalar else "vector"]

    @property
    def source_name(self) -> str:
        return f"alphabet-{self.source_bits}" if self.source == "alphabet" else self.source

    @property
    def label(self) -> str:
        """``alphabet-6, vq 6 bits, ste+cl0.25``."""
        size = f"{self.levels} levels" if self.levels else f"{self.bits} bits"
        stages = f" in {self.stages}" if self.stages > 1 else ""
        longer = f", {self.steps} steps" if self.steps != Cell.steps else ""
        alone = "" if self.restarts else ", no restarts"
        what = f"{self.source_name}, {self.quantizer} {size}{stages}, {self.method}"
        return f"{what}{longer}{alone}"

    @property
    def identity(self) -> str:
        """Names the cell in the results: equal for equal training."""
        content = asdict(self)
        del content["block"]
        # Of a file its content, not where it lies.
        content["custom"] = self.custom and (self.custom.name, self.custom.sha256)
        return digest("quantize", VERSION, content)[:12]


def known(what: str, name: str, names: Iterable[str]) -> None:
    """Check that ``names`` has ``name``.

    Raises:
        InputError: it has not; names the nearest.
    """
    names = list(names)
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
        raise InputError(
            f"{what} {name!r}",
            expected=f"one of {', '.join(names)}",
            remedy=f"Did you mean {near[0]!r}?" if near else "",
        )
