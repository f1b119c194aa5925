"""What a codec or metric of a third party is made of: its files and what it holds, hashed.

Names lie: the file that defines a class stays while a module beside it, a checkpoint that it opens
or a constructor's argument changes. So an identity covers the defining file and all modules of its
folder that it imports (also those imported only within functions), and every tensor, array and
plain value that the object holds.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import logging
import random
import sys
import sysconfig
import types
from pathlib import Path
from typing import Any

import numpy as np

_DEPTH = 64  # of containers and objects within objects


def of_files(file: Path) -> dict[str, str]:
    """SHA-256 of a Python file and of its neighbours that it imports, by relative path.

    Neighbours are what lies in its folder, or in its package. Imports are found in the source, so
    what a function imports later counts too.
    """
    file = file.resolve()
    folder = file.parent
    while (folder / "__init__.py").is_file():
        folder = folder.parent
    # An installed package has all other packages beside it; these are told by their versions.
    only = file.relative_to(folder).parts[0] if folder.name in _INSTALLED else ""
    found: dict[str, str] = {}
    todo = [file]
    while todo:
        path = todo.pop()
        name = path.relative_to(folder).as_posix()
        if name in found or not name.startswith(only):
            continue
        content = path.read_bytes()
        found[name] = hashlib.sha256(content).hexdigest()
        try:
            tree = ast.parse(content)
        except (SyntaxError, ValueError):
            continue  # not to be imported either
        for module in _imported(tree, path, folder):
            todo += [place for place in _places(folder, module) if place.is_file()]
    return dict(sorted(found.items()))


_INSTALLED = ("site-packages", "dist-packages")


def _imported(tree: ast.AST, path: Path, folder: Path) -> list[str]:
    """Dotted names that a module may import, relative ones as from the folder."""
    package = path.parent.relative_to(folder).parts
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            names.append(base)
            names += [f"{base}.{alias.name}".strip(".") for alias in node.names]
    return [name for name in names if name]


def _places(folder: Path, module: str) -> list[Path]:
    """Files that importing ``module`` from ``folder`` would run."""
    places, place = [], folder
    for part in module.split("."):
        place = place / part
        places += [place.with_suffix(".py"), place / "__init__.py"]
    return places


def of_object(thing: Any, leave_out: tuple[str, ...] = ("device",)) -> tuple[str, list[str]]:
    """Hash of what an object holds, and the names of what could not be hashed.

    Args:
        leave_out: attributes that do not change what comes out.
    """
    sha = hashlib.sha256()
    unknown: list[str] = []
    sha.update(f"{type(thing).__module__}.{type(thing).__qualname__}".encode())
    for key, value in sorted(vars(thing).items()):
        if key not in leave_out:
            _add(sha, value, key, unknown, [id(thing)], 0)
    return sha.hexdigest(), unknown


def source_file(kind: type) -> Path | None:
    """The file that defines a class; ``None`` for one typed into a session, or built in.

    Of a class made by calling ``type`` it is the file of the nearest class that it derives from.
    """
    for one in kind.__mro__:
        try:
            found = inspect.getsourcefile(one)
        except (TypeError, OSError):
            continue
        if found is not None and Path(found).is_file() and not _standard(Path(found)):
            return Path(found)
    return None


def _standard(path: Path) -> bool:
    """Whether a file is of the standard library (which holds the installed packages too)."""
    library = Path(sysconfig.get_path("stdlib")).resolve()
    inside = path.resolve().is_relative_to(library)
    return inside and not any(part in _INSTALLED for part in path.resolve().parts)


def _add(
    sha: Any, value: Any, name: str, unknown: list[str], inside: list[int], depth: int
) -> None:
    """Feed a value; kinds and lengths go in too, so that no two values look alike."""
    torch = sys.modules.get("torch")
    sha.update(f"\0{name}\0{type(value).__name__}\0".encode())
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes)):
        sha.update(repr(value).encode("utf-8", "surrogatepass"))
    elif isinstance(value, np.ndarray) and value.dtype != object:
        sha.update(f"{value.dtype.str}{value.shape}".encode())
        sha.update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, (np.generic, np.dtype, Path, range, slice)):
        sha.update(repr(value).encode())
    elif isinstance(value, types.ModuleType):
        sha.update(f"{value.__name__} {getattr(value, '__version__', '')}".encode())
    elif isinstance(value, logging.Logger):
        sha.update(value.name.encode())
    elif isinstance(value, random.Random):
        sha.update(repr(value.getstate()).encode())
    elif isinstance(value, np.random.Generator):
        sha.update(repr(value.bit_generator.state).encode())
    elif torch is not None and isinstance(value, torch.Generator):
        sha.update(value.get_state().cpu().numpy().tobytes())
    elif torch is not None and isinstance(value, torch.Tensor):
        flat = value.detach().cpu().contiguous()
        sha.update(f"{flat.dtype}{tuple(flat.shape)}".encode())
        sha.update(flat.reshape(-1).view(torch.uint8).numpy().tobytes())
    elif torch is not None and isinstance(value, (torch.dtype, torch.device, torch.Size)):
        sha.update(str(value).encode())
    elif isinstance(value, (type, *_FUNCTIONS)):
        _add_code(sha, value, name, unknown)
    elif depth > _DEPTH or id(value) in inside:
        if depth > _DEPTH:
            unknown.append(name)
    else:
        _add_parts(sha, value, name, unknown, [*inside, id(value)], depth + 1)


def _add_parts(
    sha: Any, value: Any, name: str, unknown: list[str], inside: list[int], depth: int
) -> None:
    if isinstance(value, (list, tuple)):
        sha.update(str(len(value)).encode())
        for index, item in enumerate(value):
            _add(sha, item, f"{name}[{index}]", unknown, inside, depth)
    elif isinstance(value, (set, frozenset)):
        for item in sorted(value, key=repr):
            _add(sha, item, f"{name}{{}}", unknown, inside, depth)
    elif hasattr(value, "items") and hasattr(value, "keys"):
        for key in sorted(value.keys(), key=repr):
            _add(sha, value[key], f"{name}[{key!r}]", unknown, inside, depth)
    elif hasattr(value, "__dict__") or hasattr(type(value), "__slots__"):
        held = dict(getattr(value, "__dict__", {}))
        for kind in type(value).__mro__:
            for slot in getattr(kind, "__slots__", ()):
                if slot not in ("__dict__", "__weakref__") and hasattr(value, slot):
                    held[slot] = getattr(value, slot)
        sha.update(f"{type(value).__module__}.{type(value).__qualname__}".encode())
        if not held and source_file(type(value)) is None and type(value).__module__ != "__main__":
            unknown.append(name)  # nothing that Python can see: a handle of compiled code, say
        for key in sorted(held):
            _add(sha, held[key], f"{name}.{key}", unknown, inside, depth)
    else:
        unknown.append(name)


_FUNCTIONS = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodDescriptorType,
    staticmethod,
    classmethod,
    property,
)


def _add_code(sha: Any, value: Any, name: str, unknown: list[str]) -> None:
    """A class or function: by name where it is installed, by its code where it is somebody's."""
    where = f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', '')}"
    sha.update(where.encode())
    code = getattr(value, "__code__", None)
    if code is None:
        return
    _add_instructions(sha, code)
    for cell in getattr(value, "__closure__", None) or ():
        content = cell.cell_contents
        if content is None or isinstance(content, (bool, int, float, str)):
            sha.update(repr(content).encode())
        else:
            unknown.append(f"{name} (closure)")


def _add_instructions(sha: Any, code: types.CodeType) -> None:
    sha.update(code.co_code + repr(code.co_names).encode())
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            _add_instructions(sha, constant)
        else:
            sha.update(repr(constant).encode())
