"""Files of an object store, by fsspec: fetched when they are read, kept on this machine by hash."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqbench.atomic import write_bytes
from sqbench.digest import digest
from sqbench.errors import InputError

PACKAGES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs"}
"""What fsspec needs for a scheme beside itself."""


def cache_folder() -> Path:
    """``SQBENCH_CACHE``, or a folder in the user's cache."""
    default = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "sqbench"
    return Path(os.environ.get("SQBENCH_CACHE") or default).expanduser()


def file_system(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it.

    Raises:
        InputError: fsspec does not know the scheme, or lacks a package for it.
    """
    import fsspec

    scheme = url.partition("://")[0]
    try:
        system, path = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        package = PACKAGES.get(scheme)
        raise InputError(
            f"data {url}",
            expected="a place that fsspec can read",
            found=str(error),
            remedy=f"pip install {package}" if package else "",
        ) from error
    return system, str(path)


@dataclass(frozen=True)
class StoredFile:
    """Fetches a file's bytes; pickles, so that a node of a cluster fetches for itself.

    Attributes:
        url: of the file.
        version: what the store says of its content (an etag, size and time); of another version
            nothing that is kept is taken.
    """

    url: str
    version: str

    @property
    def anywhere(self) -> bool:
        """Whether other processes find the same at the URL."""
        return not self.url.startswith(("memory://", "file://"))

    def __call__(self) -> bytes:
        """The bytes, of the cache if they are there and are what they were.

        Raises:
            OSError: they cannot be fetched.
        """
        root = cache_folder() / "objects"
        known = root / "versions" / digest(self.url, self.version)
        try:
            sha256 = known.read_text(encoding="ascii").strip()
            content = (root / sha256[:2] / sha256).read_bytes()
            if hashlib.sha256(content).hexdigest() == sha256:
                return content
        except (OSError, ValueError):
            pass  # not kept yet, or damaged: it is fetched
        content = self._fetched()
        sha256 = hashlib.sha256(content).hexdigest()
        write_bytes(root / sha256[:2] / sha256, content)
        write_bytes(known, sha256.encode())
        return content

    def _fetched(self) -> bytes:
        system, path = file_system(self.url)
        try:
            content: bytes = system.cat_file(path)
        except OSError:
            raise
        except Exception as error:  # of a client library: anything
            raise OSError(f"{self.url}: {type(error).__name__}: {error}") from error
        return content


def version_of(about: dict[str, Any]) -> str:
    """What a listing says of a file's content."""
    for name in ("ETag", "etag", "md5Hash", "checksum", "blob_id", "sha256"):
        if about.get(name):
            return str(about[name])
    when = about.get("mtime") or about.get("LastModified") or about.get("created")
    return f"{about.get('size')} {when}"
