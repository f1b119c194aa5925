"""Results as the one JSON block of a page; docs/report.md has its schema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sqbench import __version__
from sqbench.pages import provenance
from sqbench.pages import section as of_section
from sqbench.pages.section import PageSettings
from sqbench.pages.sound import Saved, address, saved
from sqbench.report import table
from sqbench.store.reader import Store
from sqbench.tokens import records as token_records
from sqbench.tokens import report as token_report

SCHEMA = 1

Content = dict[str, Any]


def build(
    store: Store,
    folders: Sequence[Path],
    *,
    title: str,
    command: str = "",
    source: str | None = None,
    protocol: str | None = None,
    codecs: Sequence[str] = (),
    all_versions: bool = False,
    settings: PageSettings | None = None,
) -> Content:
    """Everything that a page shows, without audio.

    Args:
        store: loaded results.
        folders: where they lie, for token statistics beside them.
        title: of the page.
        command: what makes it again, if it is to be shown.
        source: keep this source only; ``protocol``, ``codecs``, ``all_versions`` likewise, as in
            `sqbench.report.table.build`.

    Raises:
        InputError: no results, or none of what was asked for.
    """
    settings = settings or PageSettings()
    built = table.build(
        store,
        ci=True,
        paper=True,
        source=source,
        protocol=protocol,
        codecs=codecs,
        all_versions=all_versions,
        n_boot=settings.n_boot,
        seed=settings.seed,
    )
    tokens, problems = _tokens(folders)
    return {
        "schema": SCHEMA,
        "title": title,
        "sqbench": __version__,
        "command": command,
        "focus": None,
        "bd_method": settings.method,
        "n_boot": settings.n_boot,
        "seed": settings.seed,
        "notes": [*built.notes, *problems],
        "sections": [of_section.build(each, store, settings) for each in built.sections],
        "tokens": tokens,
        "runs": provenance.runs(store.runs),
    }


def points(
    store: Store,
    *,
    ci: bool = False,
    source: str | None = None,
    protocol: str | None = None,
    codecs: Sequence[str] = (),
    all_versions: bool = False,
) -> Content:
    """The rows alone, for figures: ``sections`` with their columns and rows, as `build` has them.

    Args:
        ci: with intervals.

    Raises:
        InputError: no results, or none of what was asked for.
    """
    built = table.build(
        store,
        ci=ci,
        paper=True,
        source=source,
        protocol=protocol,
        codecs=codecs,
        all_versions=all_versions,
    )
    return {"sections": [of_section.points(each, store, PageSettings()) for each in built.sections]}


def add_audio(
    content: Content, store: Store, folders: Sequence[Path], page: Path, *, embed: bool = False
) -> int:
    """Add the addresses of the worst clips' audio, decoded and original, where it is on the disk.

    Args:
        page: the file that the addresses are for.
        embed: put the audio inside the addresses instead of linking to it.

    Returns:
        How many decoded clips have an address.
    """
    where = saved(folders, store.runs)
    return sum(_add_audio(section, where, page, embed) for section in content["sections"])


def _add_audio(section: Content, where: Saved, page: Path, embed: bool) -> int:
    clips, source = section["clips"], section["source"]
    decoded: dict[str, dict[str, str]] = {}
    originals: dict[str, str] = {}
    for row in section["rows"]:
        of_row = clips["worst"].get(row["label"], {})
        for clip in sorted({clip for of_key in of_row.values() for clip in of_key}):
            utterance = clips["ids"][clip]
            found = address(where.decoded(source, row["codec_id"], utterance), page, embed)
            if found is None:
                continue
            decoded.setdefault(row["label"], {})[str(clip)] = found
            if str(clip) not in originals:
                original = address(where.original(source, utterance), page, embed)
                if original is not None:
                    originals[str(clip)] = original
    clips["audio"] = {"decoded": decoded, "original": originals}
    return sum(map(len, decoded.values()))


def _tokens(folders: Sequence[Path]) -> tuple[list[Content], list[str]]:
    """Token statistics of all folders, and what of them could not be read."""
    together = token_records.TokenStore()
    for folder in folders:
        found = token_records.load(folder)
        together.records.update(found.records)
        together.problems += found.problems
    rows = token_report.rows(together)
    return json.loads(token_report.to_json(rows)), [f"Not read: {p}" for p in together.problems]


def block(content: Content) -> str:
    """The content as the text of a ``script`` element of type ``application/json``.

    Nothing in it can end the element, begin a comment or another element: ``<``, ``>`` and ``&``
    are escapes of JSON, and so are the line separators that older JavaScript takes for line ends.
    """
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def labels(content: Content) -> Iterator[str]:
    """Every codec of the page once, by label."""
    yield from dict.fromkeys(
        row["label"]
        for section in content["sections"]
        for row in section["rows"]
        if row["kind"] in ("codec", "control")
    )
