"""Somebody's own Python file: imported with its neighbours, known by what all of them contain."""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any, NoReturn

from sqbench_codecs.host import fingerprint
from sqcodec.errors import InputError

_lock = threading.RLock()
_neighbours: dict[str, str] = {}
"""Modules that somebody's files imported from their folders, with the hash of each."""


def split(name: str) -> tuple[str, str] | None:
    """``path/to/file.py:Name`` apart; ``None`` for anything else."""
    file, _, attribute = name.rpartition(":")
    return (file, attribute) if file.endswith(".py") else None


def existing(kind: str, name: str, file: str) -> Path:
    """The file of ``file.py:Name``.

    Raises:
        InputError: there is none.
    """
    path = Path(file).expanduser()
    if not path.is_file():
        raise InputError(
            f"{kind} {name!r}",
            expected=f"a Python file at {path}",
            found="no such file",
            remedy="Give it as path/to/file.py:ClassName.",
        )
    return path


def no_class(kind: str, name: str) -> NoReturn:
    """Say which classes a file has, to somebody who named the file alone."""
    path = existing(kind, name, name)
    try:
        tree = ast.parse(path.read_bytes())
        classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    except (SyntaxError, ValueError, OSError):
        classes = []
    raise InputError(
        f"{kind} {name!r}",
        expected=f"{name}:ClassName",
        found=f"a file with {', '.join(classes)}" if classes else "a file without a class",
    )


def load(path: Path) -> tuple[Any, str]:
    """Import a Python file as ``python file.py`` has it, its folder on the path.

    Once for each state of the file and of the neighbours that it imports.

    Returns:
        The module, and the hash of these files.

    Raises:
        InputError: it cannot be imported.
    """
    files = fingerprint.of_files(path)
    sha256 = (
        next(iter(files.values()))
        if len(files) == 1
        else hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
    )
    name = f"_sqbench_local_{path.stem}_{sha256[:12]}"
    with _lock:
        if name in sys.modules:
            return sys.modules[name], sha256
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise InputError(str(path), expected="a Python file", found="something else")
        module = importlib.util.module_from_spec(spec)
        folder = str(path.resolve().parent)
        _forget_others(folder)
        if folder not in sys.path:
            sys.path.insert(0, folder)
        before = set(sys.modules)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except (Exception, SystemExit) as error:
            del sys.modules[name]
            raise InputError(
                str(path),
                expected="a Python file that imports",
                found=f"{type(error).__name__}: {error}",
            ) from error
        finally:
            _remember(set(sys.modules) - before, folder)
        return module, sha256


def load_module(name: str) -> Any:
    """Import a module that is installed or lies in the working folder."""
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.insert(0, os.getcwd())
    return importlib.import_module(name)


def _remember(names: set[str], folder: str) -> None:
    for name in names:
        file = getattr(sys.modules.get(name), "__file__", None)
        if file and Path(file).is_relative_to(folder) and not name.startswith("_sqbench_local_"):
            _neighbours[name] = _hash(file)


def _forget_others(folder: str) -> None:
    """Neighbours of other files, and those that changed since, must not stand for this one's."""
    for name, sha256 in list(_neighbours.items()):
        file = getattr(sys.modules.get(name), "__file__", None)
        if not file or not Path(file).is_relative_to(folder) or _hash(file) != sha256:
            sys.modules.pop(name, None)
            del _neighbours[name]
    if folder in sys.path:
        sys.path.remove(folder)
        sys.path.insert(0, folder)
    importlib.invalidate_caches()


def _hash(file: str) -> str:
    try:
        return hashlib.sha256(Path(file).read_bytes()).hexdigest()
    except OSError:
        return ""
