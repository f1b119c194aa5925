"""The pinned requirements: the demo's are a part of the lock, and hold what the demo imports."""

from __future__ import annotations

from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).resolve().parents[1] / "requirements"


def pins(name: str) -> set[str]:
    lines = (REQUIREMENTS / name).read_text(encoding="utf-8").splitlines()
    return {line.strip() for line in lines if line.strip() and not line.startswith("#")}


def test_demo_is_a_part_of_the_lock() -> None:
    demo, lock = pins("demo.txt"), pins("lock.txt")
    assert demo < lock


@pytest.mark.parametrize(
    ("package", "wanted"),
    [
        ("torch", True),
        ("faster-whisper", True),
        ("av", True),
        ("pytest", False),
        ("libsvm-official", False),
    ],
)
def test_demo_holds_what_it_runs_and_no_test_tools(package: str, wanted: bool) -> None:
    names = {pin.split("==")[0] for pin in pins("demo.txt")}
    assert (package in names) is wanted
