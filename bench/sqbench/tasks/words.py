"""Words: how text is normalised before it is compared, and how many edits lie between two texts.

The normaliser is Whisper's for English (package ``openai-whisper``), the edits are jiwer's. The
protocol's word error rate pools both splits: all edits over all words of the references.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sqbench.errors import InputError


@dataclass(frozen=True)
class Edits:
    """Substitutions, deletions and insertions between two texts, and words of the first."""

    edits: int
    words: int


def edits(reference: str, hypothesis: str) -> Edits:
    """Compare two texts as they are, word by word."""
    import jiwer

    words = len(reference.split())
    if not words:  # jiwer declines an empty reference
        return Edits(len(hypothesis.split()), 0)
    found = jiwer.process_words(reference, hypothesis)
    return Edits(found.substitutions + found.deletions + found.insertions, words)


@cache
def normaliser() -> Callable[[str], str]:
    """Whisper's normaliser for English.

    Raises:
        InputError: openai-whisper is not installed.
    """
    # Through the package it would import torch and numba, for a few regular expressions.
    spec = importlib.util.find_spec("whisper")
    if spec is None or spec.origin is None:
        raise InputError(
            "ASR",
            expected="openai-whisper, for its normaliser of English text",
            found="none",
            remedy="pip install openai-whisper",
        )
    folder = Path(spec.origin).parent / "normalizers"
    name = "_sqbench_whisper_normalizers"
    found = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module
    found.loader.exec_module(module)
    normalise: Callable[[str], str] = module.EnglishTextNormalizer()
    return normalise
