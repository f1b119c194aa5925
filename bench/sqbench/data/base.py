"""What a data source yields, and how utterances are identified."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from sqbench.errors import InputError

from .files import pair_key, printable

CATEGORIES = ("speech", "audio")
DOMAINS = ("speech", "music", "general")


def category_of(domain: str) -> str:
    """The table category of a domain: speech is speech; music and general are audio."""
    return "speech" if domain == "speech" else "audio"


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
    """One clip. Its audio is read late, by `sqbench.audio.read`.

    Attributes:
        id: stable and unique in its source: the relative path with ``/`` separators.
        dataset: the set it is averaged in (``librispeech``); means are taken per set first.
        category: ``speech`` or ``audio``.
        domain: ``speech``, ``music`` or ``general``.
        path: the file, or ``None`` if the bytes come from elsewhere.
        payload: the encoded bytes where there is no file, or a function that fetches them.
        labels: text, speaker, style, event: whatever the source knows.
    """

    id: str
    dataset: str
    category: str
    domain: str
    path: Path | None = None
    payload: bytes | Callable[[], bytes] | None = field(default=None, repr=False)
    labels: Mapping[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        """The encoded bytes of the clip (raises OSError where the file cannot be read)."""
        if self.payload is not None:
            return self.payload() if callable(self.payload) else self.payload
        assert self.path is not None, f"utterance {self.id} has neither path nor payload"
        return self.path.read_bytes()

    def sha256(self) -> str:
        """Hash of the encoded bytes; part of every record key."""
        return hashlib.sha256(self.content()).hexdigest()


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
