"""A run on the terminal: a bar that moves with every step, a line for every report."""

from __future__ import annotations

import sys
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from sqcodec.streams import abandon


class _Unread(Console):
    """A training goes on where nobody reads what it prints: its log has it all."""

    def on_broken_pipe(self) -> None:
        abandon(sys.stdout)


class Terminal:
    """Rich's bar where there is a terminal; lines alone where output goes to a file.

    A line has ``codes`` (distinct codes over those that as many uniform draws would give), ``s/s``
    (seconds of audio trained on in a second) and ``loader`` (share of the time spent waiting for
    audio).
    """

    def __init__(self, max_steps: int, step: int) -> None:
        self.console = _Unread()
        self._progress = Progress(
            TextColumn("step"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[now]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self._task = self._progress.add_task("train", total=max_steps, completed=step, now="")

    def __enter__(self) -> Terminal:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def step(self, row: dict[str, Any]) -> None:
        """Move the bar."""
        now = f"loss {row['loss']:.2f}  SNR {row['snr_db']:5.2f} dB  lr {row['lr']:.1e}"
        self._progress.update(self._task, completed=row["step"], now=now)

    def report(self, row: dict[str, Any]) -> None:
        """Print a line."""
        parts = [
            f"step {row['step']:6d}",
            f"loss {row['loss']:.3f}",
            f"SNR {row['snr_db']:.2f} dB",
            "validation " + (_values(row) or "none"),
            f"codes {row['code_usage']:.0%}",
            f"{row['audio_s_per_s']:.2f} s/s",
            f"loader {row['loader_share']:.1%}",
        ]
        if row["skipped"]:
            parts.append(f"{row['skipped']} steps skipped")
        self.console.print("  ".join(parts), highlight=False, soft_wrap=True)


def _values(row: dict[str, Any]) -> str:
    domains = {
        key.removeprefix("val_snr_db_"): value
        for key, value in row.items()
        if key.startswith("val_snr_db_")
    }
    text = " ".join(f"{name} {value:.2f}" for name, value in domains.items())
    scores = [
        f"{name} {row[f'val_{name}']:.3f}"
        for name in ("sdr", "mel", "stoi", "pesq", "audio_sdr", "audio_mel")
        if row.get(f"val_{name}") is not None
    ]
    return "  ".join(part for part in (text, " ".join(scores)) if part)
