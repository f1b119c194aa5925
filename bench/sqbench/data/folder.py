"""Any folder of audio files."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from sqbench.audio import EXTENSIONS
from sqbench.data.base import (
    ALL,
    DOMAINS,
    Source,
    Utterance,
    category_of,
    checked_id,
    known_domain,
)
from sqbench.data.files import Survey, printable, survey
from sqbench.errors import InputError


class FolderSource(Source):
    """Every audio file below a folder; a first-level sub-folder is a set of its own.

    First-level folders named ``speech``, ``music`` or ``general`` say what their files are, unless
    ``domain`` does. Files that nothing describes are of the domain ``all``.

    Args:
        root: the folder.
        domain: ``speech``, ``music`` or ``general``, for all files.
    """

    def __init__(self, root: Path, *, domain: str | None = None) -> None:
        if not root.is_dir():
            raise InputError(str(root), expected="a folder of audio files", found="no such folder")
        self.root = root
        self.domain = None if domain is None else known_domain(domain, "domain")
        self.name = printable(root.resolve().name)
        self.location = str(root)

    def utterances(self) -> Iterator[Utterance]:
        """The files by sorted relative path, which is their id."""
        if not self._survey.audio:
            other = len(self._survey.other)
            raise InputError(
                str(self.root),
                expected=f"audio files ({', '.join(EXTENSIONS)})",
                found="none, at any depth" + (f"; {other} other files" if other else ""),
            )
        return iter([self._utterance(name) for name in self._survey.audio])

    def unread(self) -> tuple[str, ...]:
        return self._survey.other

    @cached_property
    def _survey(self) -> Survey:
        return survey(self.root)

    def _utterance(self, name: str) -> Utterance:
        first = name.split("/")[0] if "/" in name else None
        domain = self.domain
        if domain is None:
            domain = first.lower() if first is not None and first.lower() in DOMAINS else ALL
        problem = None
        try:
            clip = checked_id(name, str(self.root))
        except InputError as error:  # a name that is not UTF-8: one clip's trouble
            clip, problem = printable(name), str(error)
        return Utterance(
            id=clip,
            dataset=printable(first) if first is not None else self.name,
            category=category_of(domain),
            domain=domain,
            path=self.root / name,
            problem=problem,
        )
