"""The training corpus, under its short name; `sqcodec.train.data.corpus` has the code."""

from sqcodec.train.data.corpus import Corpus

__all__ = ["Corpus"]
