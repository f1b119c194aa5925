"""What a data source yields, and how utterances are identified."""

from __future__ import annotations

import errno
import hashlib
import stat
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from sqbench import audio
from sqbench.errors import InputError

from .files import pair_key, printable

ALL = "all"
"""Domain and category of clips that nothing says the domain of: a column of their own."""

CATEGORIES = ("speech", "audio", ALL)
DOMAINS = ("speech", "music", "general")
"""What a user may state."""


def category_of(domain: str) -> str:
    """The table category of a domain: speech is speech; music and general are audio."""
    return {"speech": "speech", ALL: ALL}.get(domain, "audio")


def known_domain(text: str, what: str) -> str:
    """A domain as a user wrote it, checked; ``what`` names the place in the error."""
    domain = text.strip().lower()
    if domain not in DOMAINS:
        raise InputError(
            what,
            expected=f"domain {', '.join(DOMAINS[:-1])} or {DOMAINS[-1]}",
            found=repr(text),
            remedy="The domain decides the metrics and the table's column; it is never guessed.",
        )
    return domain


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """One clip. Its audio is read late.

    Attributes:
        id: stable and unique in its source: the relative path with ``/`` separators.
        dataset: the set it is averaged in (``librispeech``); means are taken per set first.
        category: ``speech`` or ``audio``; ``all`` where nothing states it.
        domain: ``speech``, ``music`` or ``general``; ``all`` where nothing states it.
        path: the file, or ``None`` if the bytes come from elsewhere.
        payload: the encoded bytes where there is no file, or a function that fetches them; if it is
            there it counts, and ``path`` is a name.
        start: where the clip begins in its file, in seconds.
        duration: how long it is, in seconds; to the end of the file where it is ``None``.
        labels: text, speaker, style, event: whatever the source knows.
        problem: why the clip cannot be read, where its source knows already.
    """

    id: str
    dataset: str
    category: str
    domain: str
    path: Path | None = None
    payload: bytes | Callable[[], bytes] | None = field(default=None, repr=False)
    start: float = 0.0
    duration: float | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    problem: str | None = None

    def content(self) -> bytes:
        """The encoded bytes of the clip's file.

        Raises:
            OSError: the file cannot be read.
            InputError: its source knew that before.
        """
        if self.problem is not None:
            raise audio.AudioError(self.problem, kind="missing")
        if self.payload is not None:
            return self.payload() if callable(self.payload) else self.payload
        assert self.path is not None, f"utterance {self.id} has neither path nor payload"
        if not stat.S_ISREG(self.path.stat().st_mode):  # a pipe would be waited for
            raise OSError(errno.EINVAL, "not a file that can be read twice", str(self.path))
        return self.path.read_bytes()

    def read(self, sha256: str | None = None) -> tuple[NDArray[np.float64], int]:
        """Samples ``[T]`` or ``[T, C]`` and the rate in Hz, as `sqbench.audio.read`.

        Args:
            sha256: what the clip must still be, of `identity`.

        Raises:
            InputError: they cannot be read, or changed; names the file where there is one, as an id
                alone does not say which folder.
            OSError: a payload cannot be fetched.
        """
        name = str(self.path or self.id)
        local = self.path is not None and self.payload is None and self.problem is None
        if not self.is_whole and self.problem is None:
            if sha256 is not None and self.identity()[0] != sha256:
                raise _changed(name)
            source = self.path if local and self.path is not None else self.content()
            label = "" if local else name
            return audio.read(source, name=label, start=self.start, duration=self.duration)
        if sha256 is None and local and self.path is not None:
            return audio.read(self.path)
        content = self.content()
        # What is decoded is what was hashed, and not what lies there a moment later.
        if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
            raise _changed(name)
        return audio.read(content, name=name)

    def identity(self) -> tuple[str, int]:
        """SHA-256 of the clip, part of every record key, and how many encoded bytes it is of.

        Of a whole file it is the hash of its bytes; of a stretch, of that hash and where it lies.
        Of a stretch of known length the number of bytes is an estimate.

        Raises:
            OSError, InputError: as of `content`.
        """
        if self.is_whole:
            content = self.content()
            return hashlib.sha256(content).hexdigest(), len(content)
        if self.path is None or self.payload is not None or self.problem is not None:
            content = self.content()
            whole, size = hashlib.sha256(content).hexdigest(), len(content)
        else:
            about = self.path.stat()
            whole, size = _of_file(self, about.st_size, about.st_mtime_ns)
        text = f"{whole} from {self.start!r} s for {self.duration!r} s"
        if self.duration is not None:
            size = min(size, round(self.duration * _BYTES_A_SECOND))
        return hashlib.sha256(text.encode()).hexdigest(), size

    @property
    def is_whole(self) -> bool:
        """Whether the clip is all of its file."""
        if self.start != 0.0 or self.duration is None:
            return self.start == 0.0
        local = self.path if self.payload is None else None
        return local is not None and audio.is_length_of(local, self.duration)

    def sha256(self) -> str:
        """The hash of `identity`."""
        return self.identity()[0]


def _changed(name: str) -> InputError:
    return InputError(
        name,
        expected="the audio that this run began with",
        found="a file that changed during the run",
        remedy="Run the same command again.",
    )


_BYTES_A_SECOND = 192_000
"""Of 16-bit stereo at 48 kHz."""


@lru_cache(4096)
def _file_sha256(path: Path, size: int, modified_ns: int) -> str:
    """Once a file, however many clips lie in it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _of_file(clip: Utterance, size: int, modified_ns: int) -> tuple[str, int]:
    assert clip.path is not None
    if not stat.S_ISREG(clip.path.stat().st_mode):
        clip.content()  # raises
    return _file_sha256(clip.path, size, modified_ns), size


class Source(ABC):
    """Utterances in a stable order.

    Attributes:
        name: short name for tables and run records (``mini``, or the folder's name).
        location: where it is, as the user would name it again.
    """

    name: str
    location: str

    @abstractmethod
    def utterances(self) -> Iterator[Utterance]:
        """Every utterance of the signal suite, in a stable order with stable ids."""

    def unread(self) -> tuple[str, ...]:
        """Files that lie beside the clips and are not read, by relative path."""
        return ()

    def describe(self) -> dict[str, str]:
        """What a run record keeps of the source; a versioned source adds its revision."""
        return {"name": self.name, "location": self.location}


def checked_id(text: str, what: str) -> str:
    """An id that can also serve as a relative path: no root, no ``..``, valid Unicode."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise InputError(
            f"{what}: {printable(text)}",
            expected="a name in UTF-8",
            found="bytes that are not",
            remedy="Rename it.",
        ) from None
    path = PurePosixPath(text)
    if not path.name or path.is_absolute() or ".." in path.parts or "\0" in text:
        raise InputError(
            what,
            expected="an id that is a relative path without '..'",
            found=repr(text),
            remedy="Change the id.",
        )
    return path.as_posix()


def refuse_equal_stems(ids: Iterable[str], where: str) -> None:
    """Refuse two clips that differ in their extension, or in the Unicode form of the name, only.

    A reconstruction is paired with its reference by relative path, extensions aside, so
    ``a.wav`` beside ``a.flac`` has no unambiguous pair.
    """
    seen: dict[str, str] = {}
    for name in ids:
        stem = pair_key(name)
        if stem in seen:
            raise InputError(
                where,
                expected="one file a name, extensions and Unicode form aside",
                found=f"both {seen[stem]} and {name}",
                remedy="Remove or rename one of them.",
            )
        seen[stem] = name


def refuse_mixed_categories(utterances: Iterable[Utterance], where: str) -> Iterator[Utterance]:
    """Pass utterances on; refuse a set that is half speech, half audio (its mean has no column)."""
    first: dict[str, Utterance] = {}
    for utterance in utterances:
        other = first.setdefault(utterance.dataset, utterance)
        if other.category != utterance.category:
            raise InputError(
                where,
                expected=f"one category in set {utterance.dataset!r}",
                found=f"{other.id} ({other.domain}) and {utterance.id} ({utterance.domain})",
                remedy="Correct the domains, or give the two kinds different set names.",
            )
        yield utterance
