"""From what a user names (``--data``) to a source."""

from __future__ import annotations

from pathlib import Path

from sqbench.errors import InputError

from .base import Source
from .folder import FolderSource
from .hub import PREFIX, HubSource
from .manifest import ManifestSource
from .mini import NAME, MiniSource
from .remote import RemoteSource, is_url
from .rows import SUFFIXES
from .slt import SLTSource, is_slt_root

EXPECTED = (
    "'mini' (embedded), a folder with 'samples/' (official layout), another folder (with a "
    "domain), a .csv or .jsonl manifest, hf:NAME[@REVISION][:SPLIT], hf:FOLDER[:SPLIT], or a URL "
    "of an object store (s3://, gs://, hf://)"
)


def open_source(text: str, *, domain: str | None = None, streaming: bool = False) -> Source:
    """The source that a user's text names.

    Args:
        text: ``mini`` for the embedded set (``./mini`` for a folder of that name), ``hf:...`` for
            Hugging Face `datasets`, the URL of a folder or manifest on an object store, or the path
            of one.
        domain: ``speech``, ``music`` or ``general`` for clips whose domain the source does not
            state itself; needed for a plain folder.
        streaming: read an ``hf:`` dataset without a local copy.

    Raises:
        InputError: nothing of that name, or streaming asked of anything else than ``hf:``.
    """
    if text.startswith(PREFIX) and not is_url(text):
        return HubSource(text.removeprefix(PREFIX), domain=domain, streaming=streaming)
    if is_url(text):
        return RemoteSource(text, domain=domain)
    if streaming:
        raise InputError("streaming", expected="a source that starts with hf:", found=repr(text))
    if text == NAME:
        return MiniSource()
    if not text.strip():  # what a shell makes of an unset variable is not the current folder
        raise InputError(repr(text), expected=EXPECTED, found="nothing")
    path = Path(text).expanduser()
    if path.is_dir():
        return (
            SLTSource(path, domain=domain)
            if is_slt_root(path)
            else FolderSource(path, domain=domain)
        )
    if path.is_file() and path.suffix.lower() in SUFFIXES:
        return ManifestSource(path, domain=domain)
    found = "a file of another kind" if path.exists() else "nothing of that name"
    raise InputError(repr(text), expected=EXPECTED, found=found)
