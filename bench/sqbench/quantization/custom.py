"""A third party's gradient estimator or quantizer, from a Python file: the contract, and its check.

An estimator is a class without arguments whose objects are called in every training step:

    class MyEstimator:
        scalar = True       # may be used with levels (FSQ and its kin)
        vector = True       # may be used with codebooks (VQ and its kin)
        end_to_end = False  # True: codes learn through the output, and there is no codebook loss

        def __call__(self, z, q, stage, draws, progress):
            return z + (q - z).detach()

``z``: latents as they are quantized, ``[S, N, D]``: S seeds stacked, N frames, D channels.
``q``: what the quantizer made of them, with a gradient to the codes of codebooks.
``stage``: the quantizer: ``stage.step`` and ``stage.grid()`` if ``stage.scalar``, else
``stage.codes() [S, K, D]`` and ``stage.distances(z) [S, N, K]``.
``draws``: random numbers, one generator a seed: ``draws.normal(N, D)``, ``draws.uniform(N, D)``
give ``[S, N, D]``. ``progress``: of the training, 0 to 1.
Returns what the decoder gets in training, ``[S, N, D]``; its autograd derivative is the gradient.
Rows of ``S`` are separate trainings: nothing may pass between them.

A quantizer is a subclass of `sqbench.quantization.quantizer.Quantizer` made as
``MyQuantizer(seeds, width, bits, draws)``; ``forward(z, estimate, dither)`` returns a `Quantized`
whose ``value`` is ``estimate(z, q, self)`` in training, and ``q`` where ``estimate`` is ``None``.
It is trained with straight-through gradients, or with what ``estimators = ("ste", "mste")`` names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sqbench.errors import InputError
from sqbench.quantization.draws import Draws
from sqbench.quantization.estimators import ESTIMATORS, EstimatorInfo
from sqbench.quantization.quantizer import Estimate, Quantizer
from sqbench.quantization.scalar import ScalarQuantizer
from sqbench.quantization.vector import VectorQuantizer
from sqbench_codecs import local

Method = Callable[[Tensor, Tensor, Quantizer, Draws, float], Tensor]
"""An estimator's object."""
_FRAMES, _WIDTH, _BITS = 64, 4, 4
_SEEDS = [0, 1]
_ROUNDING = 1e-4
_LONGEST = 24
"""Longest name: it is a column of a table."""


@dataclass(frozen=True, kw_only=True)
class Custom:
    """A class in a file.

    Attributes:
        path: of the file, absolute; ``name``: of the class.
        sha256: of the file and its neighbours, as they were checked and are trained.
        quantizer: whether it is a quantizer; otherwise an estimator.
    """

    path: str
    name: str
    sha256: str
    quantizer: bool

    @property
    def target(self) -> Any:
        """The class.

        Raises:
            InputError: the file has changed since it was checked.
        """
        return _loaded(self.path, self.name, self.sha256)

    @property
    def info(self) -> EstimatorInfo:
        """What the estimator works with, as its class says."""
        return EstimatorInfo(
            summary=(self.target.__doc__ or "").strip().partition("\n")[0],
            **{name: getattr(self.target, name, default) for name, default in _FLAGS.items()},
        )

    @property
    def estimators(self) -> tuple[str, ...]:
        """Of shipped estimators, those that the quantizer is trained with."""
        return tuple(getattr(self.target, "estimators", ("ste",)))

    def make(self) -> Method:
        """An estimator of its own for one training."""
        made: Method = self.target()
        return made


_FLAGS = {"scalar": True, "vector": True, "end_to_end": False}


@cache
def _loaded(path: str, name: str, sha256: str) -> Any:
    module, found = local.load(Path(path))
    if found != sha256:
        raise InputError(
            path,
            expected="the file as it was checked",
            found="other content",
            remedy="Run the command again.",
        )
    return getattr(module, name)


def bound(method: Method, draws: Draws, progress: float) -> Estimate:
    """The estimator's training forward at this point of the training."""
    return lambda z, q, stage: method(z, q, stage, draws, progress)


def load(text: str) -> Custom:
    """The class that ``path/to/file.py:ClassName`` names, after `check`.

    Raises:
        InputError: no such file or class, or it breaks the contract; says where.
    """
    file, colon, name = text.rpartition(":")
    path = Path(file).expanduser().resolve()
    what = f"--method {text}"
    if not colon or path.suffix != ".py" or not path.is_file():
        raise InputError(what, expected="path/to/file.py:ClassName", found="no such file")
    if name in ESTIMATORS or len(name) > _LONGEST:
        raise InputError(what, expected=f"a name of at most {_LONGEST} letters that no shipped "
                         "estimator has", found=name)  # fmt: skip
    module, sha256 = local.load(path)
    target = getattr(module, name, None)
    if not isinstance(target, type):
        raise InputError(what, expected=f"a class {name!r} in {path}",
                         found="no such name" if target is None else repr(target))  # fmt: skip
    custom = Custom(
        path=str(path), name=name, sha256=sha256, quantizer=issubclass(target, Quantizer)
    )
    try:
        if custom.quantizer:
            _check_quantizer(custom, what)
        else:
            _check_estimator(custom, what)
    except InputError:
        raise
    except Exception as error:
        raise InputError(what, expected="the contract of sqbench.quantization.custom",
                         found=f"{type(error).__name__}: {error}") from error  # fmt: skip
    return custom


def _check_estimator(custom: Custom, what: str) -> None:
    info = custom.info
    for name in _FLAGS:
        _demand(isinstance(getattr(info, name), bool), what, f"{name} True or False",
                repr(getattr(info, name)))  # fmt: skip
    _demand(info.scalar or info.vector, what, "scalar or vector", "neither")
    _demand(callable(custom.make()), what, "__call__(z, q, stage, draws, progress)", "none")
    if info.scalar:
        _check_pass(custom, ScalarQuantizer(_WIDTH, 3, "tanh"), what)
    if info.vector:
        codes = VectorQuantizer(len(_SEEDS), _WIDTH, 2**_BITS, codebook="loss")
        codes.initialise(_latents(), Draws(_SEEDS, "codebook"))
        _check_pass(custom, codes, what)
        if info.end_to_end:
            reached = codes.table.grad is not None and bool(codes.table.grad.any())
            _demand(reached, what, "a gradient at the codes, as it is end_to_end", "none")


def _check_pass(custom: Custom, quantizer: Quantizer, what: str) -> None:
    z = _latents().requires_grad_()
    value = quantizer(z, bound(custom.make(), Draws(_SEEDS, "estimator"), 0.5)).value
    _demand(isinstance(value, Tensor) and value.shape == z.shape and value.dtype == z.dtype, what,
            f"a tensor {list(z.shape)} of {z.dtype}",
            f"{list(value.shape)} of {value.dtype}" if isinstance(value, Tensor)
            else type(value).__name__)  # fmt: skip
    _demand(bool(torch.isfinite(value).all()), what, "finite values", "NaN or infinity")
    _demand(value.requires_grad, what, "a value with a gradient", "one without")
    torch.autograd.backward(value.square().sum())
    gradient = z.grad
    _demand(gradient is not None and bool(torch.isfinite(gradient).all()), what,
            "a finite gradient at the latents", "none, NaN or infinity")  # fmt: skip
    _demand(gradient is not None and bool(gradient.any()), what,
            "a gradient at the latents that is not all zero", "zeros")  # fmt: skip
    alone = bound(custom.make(), Draws(_SEEDS, "estimator").part(slice(0, 1)), 0.5)
    with torch.no_grad():
        found = quantizer(z)
        first = alone(found.z[:1], found.q[:1], quantizer.part(slice(0, 1)))
    error = float((first - value[:1]).detach().abs().max())
    _demand(error <= _ROUNDING, what, "seeds that do not depend on each other",
            f"a difference of {error:.2g} when one is computed alone")  # fmt: skip


def _check_quantizer(custom: Custom, what: str) -> None:
    for name in custom.estimators:
        _demand(name in ESTIMATORS, what, f"estimators among {', '.join(ESTIMATORS)}", name)
    made = custom.target(len(_SEEDS), _WIDTH, _BITS, Draws(_SEEDS, "networks"))
    z = _latents().requires_grad_()
    made.initialise(z.detach(), Draws(_SEEDS, "codebook"))
    hard = made(z)
    _demand(made.size == 2**_BITS, what, f"size {2**_BITS} of {_BITS} bits", str(made.size))
    _demand(hard.index.shape == z.shape[:2] and hard.index.dtype == torch.int64, what,
            f"index {list(z.shape[:2])} of int64",
            f"{list(hard.index.shape)} of {hard.index.dtype}")  # fmt: skip
    low, high = int(hard.index.min()), int(hard.index.max())
    _demand(low >= 0 and high < made.size, what, f"codes from 0 to {made.size - 1}",
            f"{low} to {high}")  # fmt: skip
    _demand(hard.loss.shape == (len(_SEEDS),), what, f"a loss [{len(_SEEDS)}], one a seed",
            str(list(hard.loss.shape)))  # fmt: skip
    _demand(torch.equal(hard.value, hard.q), what, "value q where estimate is None", "others")
    used = []

    def through(z: Tensor, q: Tensor, stage: Quantizer) -> Tensor:
        used.append(stage)
        return z + (q - z).detach()

    trained = made(z, through)
    _demand(bool(used), what, "estimate(z, q, self) to be called in training", "no call")
    torch.autograd.backward((trained.value.square().mean((1, 2)) + trained.loss).sum())
    _demand(z.grad is not None and bool(torch.isfinite(z.grad).all()) and bool(z.grad.any()), what,
            "a finite gradient at the latents that is not all zero", "another")  # fmt: skip
    made.after_step()
    made.restart(Draws(_SEEDS, "codebook"))


def _latents() -> Tensor:
    return Draws(_SEEDS, "diagnostics").normal(_FRAMES, _WIDTH)


def _demand(fits: bool, what: str, expected: str, found: str) -> None:
    if not fits:
        raise InputError(what, expected=expected, found=found,
                         remedy="The contract: python -c 'import sqbench.quantization.custom as c; "
                         "print(c.__doc__)'.")  # fmt: skip
