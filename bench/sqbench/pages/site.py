"""A leaderboard as a folder for static hosting: an index over all data, and a page a codec."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from sqbench.atomic import write_json, write_text
from sqbench.digest import digest
from sqbench.errors import InputError
from sqbench.pages.data import Content, add_audio, labels
from sqbench.pages.render import VIEWS, View, render
from sqbench.store.reader import Store

CODECS = "codecs"
MANIFEST = "site.json"
INDEX_VIEWS = ("curves", "table", "figure", "deltas", "pairs", "cost", "tokens", "provenance")
CODEC_VIEWS = ("table", "curves", "sets", "worst", "cost", "tokens", "provenance")


def write(
    content: Content, store: Store, folders: Sequence[Path], out: Path, *, embed: bool = False
) -> list[Path]:
    """Write or renew the folder; returns the pages.

    Pages of an earlier time that this one does not have, by ``site.json``, are removed; anything
    else in the folder stays.

    Args:
        content: of `sqbench.pages.data.build`.
        embed: put audio inside the codecs' pages instead of linking to where runs keep it.

    Raises:
        InputError: the folder cannot be written, or its ``site.json`` is not ours.
    """
    old = _pages_of(out / MANIFEST)
    names = {label: f"{CODECS}/{page_name(label)}" for label in labels(content)}
    written = {"index.html": render(_index(content, names), views=_views(INDEX_VIEWS))}
    for label, name in names.items():
        of_codec = _of_codec(content, label, names)
        add_audio(of_codec, store, folders, out / name, embed=embed)
        written[name] = render(of_codec, views=_views(CODEC_VIEWS), home="../index.html")
    for name, text in written.items():
        write_text(out / name, text)
    write_json(out / MANIFEST, {"pages": sorted(written)})
    for name in set(old) - written.keys():
        (out / name).unlink(missing_ok=True)
    return [out / name for name in written]


def page_name(label: str) -> str:
    """A file's name that is safe in a path and an address, and of this label alone."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", label).strip(".-") or "codec"
    # Where letters were replaced, or two names differ in case alone, the digest tells them apart.
    return (
        f"{plain}.html" if plain == label == label.lower() else f"{plain}-{digest(label)[:8]}.html"
    )


def _views(names: Sequence[str]) -> list[View]:
    by_name = {view.name: view for view in VIEWS}
    return [by_name[name] for name in names]


def _index(content: Content, names: dict[str, str]) -> Content:
    """Without what is of single clips; each row with the address of its codec's page."""
    sections = [
        {
            **section,
            "rows": [_linked(row, names) for row in section["rows"]],
            "clips": {**section["clips"], "values": {}, "missing": {}, "worst": {}, "reasons": []},
        }
        for section in content["sections"]
    ]
    return {**content, "sections": sections}


def _of_codec(content: Content, label: str, names: dict[str, str]) -> Content:
    """A codec beside all others in table and curves, and its own clips."""
    sections = []
    for section in content["sections"]:
        if all(row["label"] != label for row in section["rows"]):
            continue
        clips = section["clips"]
        own = {part: {label: clips[part].get(label, {})} for part in ("values", "missing", "worst")}
        sections.append(
            {
                **section,
                "rows": [_linked(row, names, inside=True) for row in section["rows"]],
                "deltas": [],
                "pairs": {},
                "clips": {**clips, **own},
            }
        )
    codecs = {row["codec"] for s in sections for row in s["rows"] if row["label"] == label}
    return {
        **content,
        "title": label,
        "focus": label,
        "sections": sections,
        "tokens": [t for t in content["tokens"] if t["model"].partition("@")[0] in codecs],
        "runs": [r for r in content["runs"] if any(c["name"] in codecs for c in r["codecs"])],
    }


def _linked(row: Content, names: dict[str, str], *, inside: bool = False) -> Content:
    if row["label"] not in names or row["kind"] in ("paper", "original"):
        return row
    name = names[row["label"]]
    return {**row, "page": name.removeprefix(f"{CODECS}/") if inside else name}


def _pages_of(manifest: Path) -> list[str]:
    """The pages that an earlier time wrote; only names that it can have written."""
    try:
        pages = json.loads(manifest.read_text(encoding="utf-8"))["pages"]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            str(manifest),
            expected="the list of pages that `sqbench report --site` wrote",
            found=f"{type(error).__name__}: {error}",
            remedy="Name another folder.",
        ) from error
    ours = re.compile(rf"index\.html|{CODECS}/[A-Za-z0-9._-]+\.html")
    return [page for page in pages if isinstance(page, str) and ours.fullmatch(page)]
