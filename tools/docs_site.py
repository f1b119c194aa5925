"""Hooks that mkdocs calls (`mkdocs.yml`, `make docs`).

Pages may link to any file of the repository, as they do where a forge shows them: each such file
becomes a page of the site, code with its lines numbered, so that no link leads out of it. And
formulas, ``$...$`` and ``$$...$$``, become MathML when the site is built: browsers draw that
without a script.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from latex2mathml.converter import convert
from mkdocs.structure.files import File, Files, InclusionLevel

ROOT = Path(__file__).resolve().parents[1]
DOCS = "docs"
SOURCE = "source"
"""Where pages of files outside ``docs/`` are put in the site."""

_LANGUAGES = {".py": "python", ".sh": "bash", ".toml": "toml", ".json": "json", ".cff": "yaml"}
_FENCED = re.compile(r"(^ *```.*?^ *```$|`[^`\n]*`)", flags=re.S | re.M)
_LINK = re.compile(r"(?<=\]\()([^)\s:#]+)(?=[)#\s])")
_FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', flags=re.S)


def on_files(files: Files, config: Any) -> Files:
    """Add a page for every file of the repository that a page links to."""
    pending = list(files.documentation_pages())
    while pending:
        page = pending.pop()
        for path in _linked(page.content_string, _home(page.src_uri)):
            uri = _uri(path)
            if not _is_elsewhere(path) or files.get_file_from_path(uri):
                continue
            added = File.generated(
                config, uri, content=_content(path), inclusion=InclusionLevel.NOT_IN_NAV
            )
            files.append(added)
            pending.append(added)
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Point links to files outside ``docs/`` at their pages."""
    home = _home(page.file.src_uri)

    def rewritten(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(home, match[1]))
        if not (ROOT / path).exists():
            return match[1]  # for mkdocs to complain of
        return posixpath.relpath(_uri(path), posixpath.dirname(page.file.src_uri) or ".")

    return "".join(
        part if part.startswith(("`", " ")) and _FENCED.fullmatch(part)
        else _LINK.sub(rewritten, part)
        for part in _FENCED.split(markdown)
    )  # fmt: skip


def on_page_content(html: str, page: Any, config: Any, files: Files) -> str:
    """Formulas of arithmatex, as MathML."""
    return _FORMULA.sub(
        lambda found: convert(
            _unescaped(found[2]), display="block" if found[1] == "div" else "inline"
        ),
        html,
    )


def on_post_page(output: str, page: Any, config: Any) -> str:
    """The theme's search is a dialog without a name for who does not see it."""
    return output.replace('role="dialog"', 'role="dialog" aria-label="Search"')


def _linked(markdown: str, home: str) -> Iterator[str]:
    """Paths in the repository that exist and that the text links to."""
    for target in _LINK.findall(_FENCED.sub("", markdown)):
        path = posixpath.normpath(posixpath.join(home, target))
        if not path.startswith("..") and (ROOT / path).exists():
            yield path


def _home(uri: str) -> str:
    """The folder in the repository of the page with this place in the site."""
    if uri.startswith(f"{SOURCE}/"):
        return posixpath.dirname(uri.removeprefix(f"{SOURCE}/"))
    return posixpath.dirname(f"{DOCS}/{uri}")


def _is_elsewhere(path: str) -> bool:
    return PurePosixPath(path).parts[0] != DOCS


def _uri(path: str) -> str:
    """The place in the site of a file of the repository."""
    if not _is_elsewhere(path):
        return path.removeprefix(f"{DOCS}/")
    return f"{SOURCE}/{path}" if path.endswith(".md") else f"{SOURCE}/{path}.md"


def _content(path: str) -> str:
    """The page of a file outside ``docs/``: itself if Markdown, else a listing."""
    file = ROOT / path
    if path.endswith(".md"):
        return file.read_text(encoding="utf-8")
    head = f"---\nsearch:\n  exclude: true\n---\n\n# {path}\n\n"
    if file.is_dir():
        names = sorted(p.name for p in file.iterdir() if p.is_file())
        return head + "".join(f"- [{name}]({file.name}/{name})\n" for name in names)
    language = _LANGUAGES.get(file.suffix, "text")
    text = file.read_text(encoding="utf-8")
    return f'{head}````{language} linenums="1"\n{text}````\n'


def _unescaped(html: str) -> str:
    return html.strip().replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
