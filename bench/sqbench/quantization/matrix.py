"""Which cells are run: the default matrix, the extended one, or a TOML file's."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_type_hints

from sqbench.errors import InputError
from sqbench.quantization.cell import BITS, LEVELS, Cell, known
from sqbench.quantization.custom import Custom
from sqbench.quantization.estimators import ESTIMATORS
from sqcodec.typed import FieldError, convert, read_toml

COMMITMENT = 0.25
_STE_CL: dict[str, Any] = {"estimator": "ste", "commitment": COMMITMENT}
OWN = "own"
"""The block of third parties' methods."""
_ALPHABETS = ((4, 2), (4, 4), (4, 6), (6, 4), (6, 6), (6, 8))
"""(bits of the source, bits of the code): below, at and above what the source needs."""


def load(name: str) -> list[Cell]:
    """The matrix ``default``, ``extended`` (which holds the default), or of a TOML file.

    Raises:
        InputError: no such matrix, or a cell that cannot be.
    """
    if name == "default":
        return default()
    if name == "extended":
        return [*default(), *_extension()]
    return _read(Path(name))


def default() -> list[Cell]:
    """56 cells in the blocks A, A2, A3, A4, B, B2, C and D."""
    cells: list[Cell] = []

    def add(block: str, **content: Any) -> None:
        cells.append(Cell(block=block, **content))

    for source_bits, bits in _ALPHABETS:
        alphabet = {"source": "alphabet", "source_bits": source_bits, "bits": bits}
        for how in (_STE_CL, *_each("mste", "diveq", "soft")):
            add("A", quantizer="vq", **alphabet, **how)
    for source_bits in (4, 6):
        add("A2", source="alphabet", source_bits=source_bits, quantizer="vq", bits=6,
            estimator="ste")  # fmt: skip
    for name in ("ste", "mste"):
        add("A4", source="alphabet", source_bits=6, quantizer="vq", bits=6, estimator=name,
            restarts=False)  # fmt: skip
    for name in ("ste", "mste"):
        add("A3", source="alphabet", source_bits=6, quantizer="vq-ema", bits=6, estimator=name)
    for levels in (2, 4, 8):
        for name in ("ste", "uniform", "taae-mix", "soft"):
            add("B", source="gaussian", quantizer="fsq", levels=levels, estimator=name)
    for levels in (4, 8):
        add("B2", source="gaussian", quantizer="ifsq", levels=levels, estimator="ste")
    for bits in (4, 8):
        for how in (_STE_CL, *_each("ste", "mste", "diveq")):
            add("C", source="gaussian", quantizer="vq", bits=bits, **how)
    for levels in (2, 4):
        for name in ("ste", "uniform"):
            add("D", source="uniform", quantizer="fsq", levels=levels, estimator=name)
    return cells


def _each(*names: str) -> list[dict[str, Any]]:
    return [{"estimator": name} for name in names]


def _extension() -> list[Cell]:
    """More methods, more quantizers, and longer training."""
    six: dict[str, Any] = {"source": "alphabet", "source_bits": 6, "bits": 6}
    cells = [
        Cell(block="E", quantizer="vq", estimator=name, **six)
        for name in ("identity", "mste-global", "rotation", "nsvq", "gaussian", "gumbel")
    ]
    cells += [
        Cell(block="E", quantizer="vq", estimator="ste", commitment=weight, **six)
        for weight in (0.05, 1.0, 4.0)
    ]
    cells += [
        Cell(block="E", quantizer="vq", estimator=name, commitment=COMMITMENT, **six)
        for name in ("mste", "rotation")
    ]
    cells += [
        Cell(block="E2", quantizer=quantizer, estimator=name, stages=stages,
             commitment=0.0 if name == "mste" else commitment, **six)
        for quantizer, stages, commitment in (
            ("rvq", 2, COMMITMENT), ("rvq-dropout", 2, COMMITMENT), ("dac", 2, COMMITMENT),
            ("simvq", 1, COMMITMENT), ("lfq", 1, 0.0), ("bsq", 1, 0.0),
        )
        for name in ("ste", "mste")
    ]  # fmt: skip
    cells += [
        Cell(block="E3", source="gaussian", quantizer="fsq", levels=levels, estimator=name)
        for levels in (2, 4, 8)
        for name in ("mste", "gaussian", "universal", "taae")
    ]
    cells += [
        Cell(block="E3", source="gaussian", quantizer="fsq", levels=levels, estimator="soft",
             sharpness=(0.5, 400.0))
        for levels in (4, 8)
    ]  # fmt: skip
    cells += [
        Cell(block="E4", source="gaussian", quantizer="sq", levels=levels, estimator="ste")
        for levels in (2, 4, 8)
    ]
    cells += [
        Cell(block="E4", source="gaussian", quantizer="rfsq", levels=3, stages=2, estimator=name)
        for name in ("ste", "uniform")
    ]
    cells += [
        Cell(block="E5", quantizer="vq", steps=5000, **how, **six)
        for how in (_STE_CL, *_each("ste", "mste", "diveq", "soft"))
    ]
    cells += [
        Cell(block="F", source=source, quantizer="vq", bits=bits, **how)
        for source in ("correlated", "student")
        for bits in (4, 8)
        for how in (_STE_CL, *_each("ste", "mste", "diveq", "soft", "rotation", "gaussian"))
    ]
    return cells


def choose(
    cells: Sequence[Cell],
    *,
    estimators: Collection[str] = (),
    quantizers: Collection[str] = (),
    bits: Collection[float] = (),
) -> list[Cell]:
    """The cells of these estimators, quantizers and bits a frame; all where none are named.

    Raises:
        InputError: a name is unknown, or the matrix has no such cell.
    """
    for name in estimators:
        known("estimator", name, ESTIMATORS)
    for name in quantizers:
        known("quantizer", name, (*LEVELS, *BITS))
    chosen = [
        cell
        for cell in cells
        if (not estimators or cell.estimator in estimators)
        and (not quantizers or cell.quantizer in quantizers)
        and (not bits or any(abs(cell.rate_bits - b) < 0.05 for b in bits))
    ]
    if not chosen:
        rates = sorted({round(cell.rate_bits, 1) for cell in cells})
        raise InputError(
            "matrix",
            expected="cells of the estimators, quantizers and bits that were asked for",
            found=f"estimators {', '.join(sorted({c.estimator for c in cells}))}; quantizers "
            f"{', '.join(sorted({c.quantizer for c in cells}))}; bits "
            f"{', '.join(f'{rate:g}' for rate in rates)}, and no cell with all of it",
            remedy="Try --matrix extended, or a TOML file with cells of your own.",
        )
    return chosen


def with_methods(cells: Sequence[Cell], methods: Sequence[Custom]) -> list[Cell]:
    """The cells, and beside those of each source and quantizer the third party's.

    A third party's quantizer comes beside ``vq``, with the estimators that it names.

    Raises:
        InputError: there is no cell that a method could be beside.
    """
    out = list(cells)
    for method in methods:
        beside: dict[str, Cell] = {}
        for cell in cells:
            for content in _own(cell, method):
                with suppress(InputError):
                    own = replace(
                        cell, commitment=0.0, sharpness=None, custom=method, block=OWN, **content
                    )
                    beside.setdefault(own.identity, own)
        if not beside:
            raise InputError(
                f"--method {method.path}:{method.name}",
                expected="a cell in the matrix that it could be beside",
                found="vector and scalar of the class fit none of them",
            )
        out += beside.values()
    return out


def _own(cell: Cell, method: Custom) -> list[dict[str, Any]]:
    if not method.quantizer:
        return [{"estimator": method.name}]
    if cell.quantizer != "vq":
        return []
    return [{"quantizer": method.name, "estimator": name} for name in method.estimators]


def _read(path: Path) -> list[Cell]:
    """Tables ``[[cell]]`` of `Cell`'s fields; a list of values stands for a cell each."""
    expected = "default, extended, or a TOML file with tables [[cell]]"
    content = read_toml(path, what=f"--matrix {path}", expected=expected)
    tables = content.get("cell")
    if not (isinstance(tables, list) and tables and all(isinstance(t, dict) for t in tables)):
        raise InputError(f"--matrix {path}", expected=expected, found="no [[cell]]")
    cells: list[Cell] = []
    for number, table in enumerate(tables, start=1):
        cells += _expanded(table, f"{path}, cell {number}")
    if len({cell.identity for cell in cells}) < len(cells):
        raise InputError(str(path), expected="cells that differ", found="one of them twice")
    return cells


_HINTS = get_type_hints(Cell)


def _expanded(table: dict[str, Any], where: str) -> list[Cell]:
    names = {f.name: f for f in fields(Cell) if f.name != "custom"}
    for name in table:
        known(f"{where}, field", name, names)
    missing = {"source", "quantizer", "estimator"} - table.keys()
    if missing:
        raise InputError(where, expected=f"the fields {', '.join(sorted(missing))}")
    choices: list[list[Any]] = []
    for name, value in table.items():
        if name == "sharpness":
            many = [tuple(value) if isinstance(value, list) else value]
        else:
            many = value if isinstance(value, list) else [value]
        choices.append([_typed(each, name, where) for each in many])
    return [Cell(**dict(zip(table, values, strict=True))) for values in itertools.product(*choices)]


def _typed(value: Any, name: str, where: str) -> Any:
    try:
        return convert(value, _HINTS[name])
    except FieldError as error:
        raise InputError(f"{where}, {name}", expected=error.expected, found=error.found) from None
