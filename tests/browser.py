"""Pages of ours in a headless browser: what they load, print to the console, and look like.

Skips where Playwright or a Chromium is not there: `make browser` has the packages, the system the
browser (``chromium-headless-shell``, ``chromium``, or where ``SQBENCH_CHROMIUM`` says).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


def executable() -> str:
    """The browser's path; skips the test where there is none."""
    pytest.importorskip("playwright", reason="playwright is not installed (make browser)")
    named = os.environ.get("SQBENCH_CHROMIUM")
    found = named or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        pytest.skip(f"no browser: none of {', '.join(NAMES)}, and SQBENCH_CHROMIUM is not set")
    return found


@dataclass
class Opened:
    """A page, and what it did that a page of ours must not.

    Attributes:
        page: Playwright's.
        errors: what the console got as an error or a warning, and exceptions.
        requests: addresses asked for, beside the page itself and ``data:``.
    """

    page: Any
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def until(self, condition: str, seconds: float = 20.0) -> None:
        """Wait until an expression is true (Playwright's own way needs ``eval`` in the page).

        Raises:
            AssertionError: it is not, after so many seconds.
        """
        for _ in range(int(seconds * 20)):
            if self.page.evaluate(condition):
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"not within {seconds:g} s: {condition}")

    def violations(self) -> list[str]:
        """What axe-core calls serious or critical, one line a rule and element."""
        script = resources.files("axe_playwright_python") / "axe.min.js"
        # Not as an element: a page's own content policy would refuse that, rightly.
        self.page.evaluate(f"() => {{ {script.read_text(encoding='utf-8')} }}")
        found = self.page.evaluate("async () => (await axe.run()).violations")
        return [
            f"{rule['id']} ({rule['impact']}): {node['html'][:120]} {node['failureSummary'][:200]}"
            for rule in found
            if rule["impact"] in ("serious", "critical")
            for node in rule["nodes"]
        ]


@contextmanager
def opened(
    path: Path, *, width: int = 1300, height: int = 900, dark: bool = False, **context: Any
) -> Iterator[Opened]:
    """Open a file in a browser of its own.

    Args:
        context: more options of Playwright's ``new_context``.
    """
    program = executable()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        # Sound may start without a click, as keys start it too, and is not heard.
        options = ["--autoplay-policy=no-user-gesture-required", "--mute-audio", "--no-sandbox"]
        browser = play.chromium.launch(executable_path=program, args=options)
        try:
            made = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme="dark" if dark else "light",
                **context,
            )
            page = made.new_page()
            found = Opened(page)
            page.on("pageerror", lambda error: found.errors.append(str(error)))
            page.on(
                "console",
                lambda said: (
                    found.errors.append(said.text) if said.type in ("error", "warning") else None
                ),
            )
            own = path.resolve().as_uri()
            page.on(
                "request",
                lambda asked: (
                    found.requests.append(asked.url)
                    if asked.url.partition("#")[0] != own and not asked.url.startswith("data:")
                    else None
                ),
            )
            page.goto(own)
            yield found
        finally:
            browser.close()
