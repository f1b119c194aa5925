"""Our quantizers against recorded runs of vector-quantize-pytorch (`make crosscheck`)."""

from __future__ import annotations

from pathlib import Path

import pytest
from quantizer_cases import CASES, deviation
from safetensors import safe_open

RECORDED = Path(__file__).with_name("library.safetensors")


@pytest.mark.parametrize("name", CASES)
def test_as_the_library(name: str) -> None:
    with safe_open(RECORDED, "pt") as file:
        given, theirs = (
            {
                key.rpartition("/")[2]: file.get_tensor(key)
                for key in file.keys()  # noqa: SIM118
                if key.startswith(f"{name}/{side}/")
            }
            for side in ("in", "out")
        )
    differences = deviation(CASES[name](given), theirs)
    assert differences
    assert differences.pop("index", 0.0) == 0.0
    assert all(value <= 1e-4 for value in differences.values())
