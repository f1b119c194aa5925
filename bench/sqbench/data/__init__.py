"""Data sources: what the clips of a run are, where they come from, which set each belongs to."""

from __future__ import annotations

from .base import CATEGORIES, DOMAINS, Source, Utterance, category_of
from .resolve import open_source

__all__ = ["CATEGORIES", "DOMAINS", "Source", "Utterance", "category_of", "open_source"]
