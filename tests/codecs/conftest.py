"""Narrow networks of every family, made once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import tiny_codecs

from sqbench_codecs import Codec


@pytest.fixture(scope="session", autouse=True)
def narrow_wavtokenizer() -> Iterator[None]:
    """Sizes that are not in a checkpoint are made small here."""
    from sqbench_codecs.wavtokenizer import sizes

    published = dict(sizes.SIZES)
    for hop, size in published.items():
        sizes.SIZES[hop] = sizes.Sizes(strides=size.strides, **tiny_codecs.SIZES)
    yield
    sizes.SIZES.update(published)


@pytest.fixture(scope="session", autouse=True)
def narrow_bigcodec_and_nanocodec() -> Iterator[None]:
    """The same for these two."""
    from sqbench_codecs import bigcodec, nanocodec

    before = dict(bigcodec.SIZES), dict(nanocodec.SIZES)
    bigcodec.SIZES["encoder"] = {"ngf": 4, "out_channels": 16, "rnn_num_layers": 1}
    bigcodec.SIZES["decoder"] = {
        "in_channels": 16, "vq_dim": 16, "upsample_initial_channel": 64, "rnn_num_layers": 1,
    }  # fmt: skip
    nanocodec.SIZES.update(encoder=4, decoder=64)
    yield
    bigcodec.SIZES.update(before[0])
    nanocodec.SIZES.update(before[1])


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
