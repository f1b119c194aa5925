"""Narrow networks of every family, made once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import tiny_codecs

from sqbench_codecs import Codec


@pytest.fixture(scope="session", autouse=True)
def narrow_wavtokenizer() -> Iterator[None]:
    """Its sizes are not in its checkpoint, so they are made small here."""
    from sqbench_codecs.wavtokenizer import sizes

    published = dict(sizes.SIZES)
    for hop, size in published.items():
        sizes.SIZES[hop] = sizes.Sizes(strides=size.strides, **tiny_codecs.SIZES)
    yield
    sizes.SIZES.update(published)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Codec]:
    """Loads a narrow codec by name."""
    loaded: dict[str, Codec] = {}

    def load(name: str) -> Codec:
        if name not in loaded:
            loaded[name] = tiny_codecs.load(name, tmp_path_factory.mktemp(name))
        return loaded[name]

    return load


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A fresh folder with a narrow codec's official files, to be damaged."""

    def save(name: str) -> Path:
        return tiny_codecs.save(name, tmp_path_factory.mktemp("folder"))

    return save
