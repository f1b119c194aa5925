"""Any folder of audio files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sqbench.errors import InputError

from ..audio import EXTENSIONS
from .base import Source, Utterance, category_of, checked_id, known_domain, refuse_equal_stems
from .files import audio_files


class FolderSource(Source):
    """Every audio file below a folder; a first-level sub-folder is a set of its own.

    Args:
        root: the folder.
        domain: ``speech``, ``music`` or ``general``, for all files.
    """

    def __init__(self, root: Path, *, domain: str | None = None) -> None:
        if not root.is_dir():
            raise InputError(str(root), expected="a folder of audio files", found="no such folder")
        if domain is None:
            raise InputError(
                str(root),
                expected="to be told what the files are",
                found="a plain folder without a domain",
                remedy="Give --domain speech, music or general, or list the files with their "
                "domains in a CSV manifest (columns path, domain, dataset).",
            )
        self.root = root
        self.domain = known_domain(domain, "domain")
        self.name = root.resolve().name
        self.location = str(root)

    def utterances(self) -> Iterator[Utterance]:
        """The files by sorted relative path, which is their id."""
        ids = [checked_id(name, str(self.root)) for name in audio_files(self.root)]
        if not ids:
            raise InputError(
                str(self.root),
                expected=f"audio files ({', '.join(EXTENSIONS)})",
                found="none, at any depth",
            )
        refuse_equal_stems(ids, str(self.root))
        return iter([self._utterance(name) for name in ids])

    def _utterance(self, name: str) -> Utterance:
        return Utterance(
            id=name,
            dataset=name.split("/")[0] if "/" in name else self.name,
            category=category_of(self.domain),
            domain=self.domain,
            path=self.root / name,
        )
