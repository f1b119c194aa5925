"""A page from its data: one HTML file with its style, its script and one JSON block in it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from sqbench.pages.data import Content, block, labels
from sqbench.report.best import CLASSES

SCRIPTS = ("dom", "chart", "curves", "table", "compare", "clips", "more", "main")
"""In this order; later ones use what earlier ones name."""


@dataclass(frozen=True)
class View:
    """A part of a page: what draws it, its heading, and its name in the navigation."""

    name: str
    title: str
    short: str


VIEWS = (
    View("curves", "Quality over bits", "Curves"),
    View("table", "Table", "Table"),
    View("figure", "Quality over operations (the paper's Figure 1)", "Operations"),
    View("deltas", "Between families: Bjøntegaard deltas", "BD-rate"),
    View("pairs", "Between codecs: paired differences", "Pairs"),
    View("sets", "By set and clip", "Sets"),
    View("worst", "The ten worst clips of each codec", "Worst clips"),
    View("correlations", "How alike metrics rank", "Correlations"),
    View("cost", "Cost", "Cost"),
    View("tokens", "Tokens", "Tokens"),
    View("provenance", "Where these numbers come from", "Provenance"),
)


def render(content: Content, *, views: Sequence[View] = VIEWS, home: str = "") -> str:
    """The page as a text. Every name in it is escaped, by Jinja in the HTML, as JSON in the data.

    Args:
        content: of `sqbench.pages.data.build`.
        views: the parts that it has, in their order.
        home: address of the page that this one belongs to.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(_asset("page.html.j2"))
    return template.render(
        title=content["title"],
        summary=_summary(content),
        notes=content["notes"],
        views=views,
        home=home,
        policy=_policy(_script(), _style()),
        style=_style(),
        script=_script(),
        data=block({**content, "bands": CLASSES}),
    )


def _summary(content: Content) -> str:
    codecs = len(list(labels(content)))
    clips = {(s["source"], clip) for s in content["sections"] for clip in s["clips"]["ids"]}
    runs = len(content["runs"])
    sources = list(dict.fromkeys(section["source"] for section in content["sections"]))
    measured = f", {len(clips)} clips measured" if clips else ""
    return (
        f"{codecs} codecs{measured}, data: {', '.join(sources)}; {runs} run"
        f"{'s' if runs != 1 else ''}; sqbench {content['sqbench']}"
    )


def _policy(script: str, style: str) -> str:
    """What the browser lets the page do: run this script and no other, fetch nothing but audio."""

    def sha256(text: str) -> str:
        return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    return (
        f"default-src 'none'; script-src 'sha256-{sha256(script)}'; "
        f"style-src 'sha256-{sha256(style)}'; media-src 'self' file: data:; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


@cache
def _style() -> str:
    return f"\n{_asset('assets/page.css')}"


@cache
def _script() -> str:
    parts = "\n".join(_asset(f"assets/{name}.js") for name in SCRIPTS)
    data = 'const PAGE = JSON.parse(document.getElementById("data").textContent);'
    return f'\n"use strict";\n(() => {{\n{data}\n{parts}\n}})();\n'


def _asset(name: str) -> str:
    return (resources.files("sqbench.pages") / name).read_text(encoding="utf-8")
