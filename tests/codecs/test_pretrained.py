"""Official weights: found, dated, loaded strictly; anything else is one clear error."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from sqbench_codecs import CODECS, load_codec
from sqbench_codecs.pretrained import Published, locate, split_revision
from sqcodec import hub
from sqcodec.errors import InputError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
Folder = Callable[[str], Path]


@pytest.fixture(autouse=True)
def no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty cache, and a hub that does not answer."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    hub.hub_commit.cache_clear()


def fill_cache(cache: Path, repo: str, source: Path, ref: str = "main") -> None:
    """Lay files out as the hub's client does."""
    base = cache / f"models--{repo.replace('/', '--')}"
    (base / "refs").mkdir(parents=True, exist_ok=True)
    (base / "refs" / ref).write_text(COMMIT)
    shutil.copytree(source, base / "snapshots" / COMMIT, dirs_exist_ok=True)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("auto", ("auto", None)),
        ("official", ("official", None)),
        ("official@v1.0", ("official", "v1.0")),
        ("official@a@b", ("official", "a@b")),
        ("runs/a@b", ("runs/a@b", None)),
    ],
)
def test_revision_follows_official(text: str, parts: tuple[str, str | None]) -> None:
    assert split_revision(text) == parts


@pytest.mark.parametrize("text", ["official@", "auto@main"])
def test_revision_of_nothing(text: str) -> None:
    with pytest.raises(InputError, match="official@REV"):
        split_revision(text)


@pytest.mark.parametrize("choice", ["auto", "official", "official@v2"])
def test_cached_official_weights_and_their_commit(
    choice: str, tiny_folder: Folder, tmp_path: Path
) -> None:
    ref = choice.partition("@")[2] or "main"
    fill_cache(tmp_path / "hub", "descript/dac_16khz", tiny_folder("dac-16k-3k"), ref)
    codec = load_codec("dac-16k-3k", weights=choice)
    assert codec.weights.source == "official"
    assert codec.weights.detail == f"descript/dac_16khz@{COMMIT}"
    assert codec.weights.sha256 is not None
    if ref == "main":
        assert "cached" in CODECS.get("dac-16k-6k").readiness()
        assert "no weights here" in CODECS.get("dac-24k-6k").readiness()


@pytest.mark.parametrize("choice", ["auto", "official", "official@v9"])
def test_nothing_cached_names_the_remedies(choice: str) -> None:
    with pytest.raises(InputError, match=r"HF_HUB_OFFLINE.*config.json and model.safetensors"):
        load_codec("encodec-24k-6k", weights=choice)


def test_none_are_bundled() -> None:
    with pytest.raises(InputError, match="none bundled"):
        load_codec("mimi-q8", weights="bundled")


def test_one_hash_for_the_weights_of_all_bitrates(tiny_folder: Folder) -> None:
    folder = str(tiny_folder("dac-16k-3k"))
    first, second = (load_codec(f"dac-16k-{r}", weights=folder).weights for r in ("500", "6k"))
    assert first == second
    assert first.source == folder


def test_files_lie_as_in_the_repository_or_side_by_side(tmp_path: Path) -> None:
    published = Published(repo="x/y", files=("weights/a.v1/one.pt", "weights/a.v1/two.pt"))
    (tmp_path / "one.pt").touch()
    (tmp_path / "two.pt").touch()
    assert set(locate(published, str(tmp_path), "z").files) == set(published.files)
    nested = tmp_path / "nested"
    (nested / "weights/a.v1").mkdir(parents=True)
    (nested / "weights/a.v1/one.pt").touch()
    with pytest.raises(InputError, match=r"no two\.pt"):
        locate(published, str(nested), "z")
    (nested / "weights/a.v1/two.pt").touch()
    files = locate(published, str(nested), "z").files
    assert all(path == nested / name for name, path in files.items())


def test_a_path_that_is_not_there() -> None:
    with pytest.raises(InputError, match="no such path"):
        load_codec("dac-16k-3k", weights="nowhere/at/all")


def test_another_family(tiny_folder: Folder) -> None:
    with pytest.raises(InputError, match=r"type encodec.*type dac.*another codec"):
        load_codec("encodec-24k-6k", weights=str(tiny_folder("dac-16k-3k")))


def test_another_rate(tiny_folder: Folder) -> None:
    with pytest.raises(InputError, match=r"sampling_rate 24000.*16000"):
        load_codec("dac-24k-6k", weights=str(tiny_folder("dac-16k-3k")))


def test_a_missing_file(tiny_folder: Folder) -> None:
    folder = tiny_folder("dac-16k-3k")
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"no model\.safetensors"):
        load_codec("dac-16k-3k", weights=str(folder))


@pytest.mark.parametrize("size", [0, 100, 20000])
def test_a_truncated_file(size: int, tiny_folder: Folder) -> None:
    path = tiny_folder("dac-16k-3k") / "model.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(InputError, match=f"{size} bytes that do not load"):
        load_codec("dac-16k-3k", weights=str(path.parent))


@pytest.mark.parametrize("text", ["", "[1]", "{}", '{"model_type": "dac", "n_codebooks": "many"}'])
def test_a_damaged_config(text: str, tiny_folder: Folder) -> None:
    path = tiny_folder("dac-16k-3k") / "config.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"config\.json"):
        load_codec("dac-16k-3k", weights=str(path.parent))


@pytest.mark.parametrize("change", ["absent", "not of this network", "of another shape"])
def test_tensors_are_taken_strictly(change: str, tiny_folder: Folder) -> None:
    from safetensors.torch import load_file, save_file

    path = tiny_folder("dac-16k-3k") / "model.safetensors"
    tensors = load_file(path)
    key = "encoder.conv1.bias"
    if change == "absent":
        del tensors[key]
    elif change == "of another shape":
        tensors[key] = torch.zeros(7)
    else:
        tensors["encoder.extra"] = torch.zeros(1)
    save_file(tensors, path, {"format": "pt"})
    with pytest.raises(InputError, match=change):
        load_codec("dac-16k-3k", weights=str(path.parent))


def test_loading_is_quiet(tiny_folder: Folder, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tiny_folder("dac-16k-3k")
    capfd.readouterr()
    load_codec("dac-16k-3k", weights=str(folder))
    assert capfd.readouterr() == ("", "")


def test_the_config_may_say_more_than_it_must(tiny_folder: Folder) -> None:
    path = tiny_folder("dac-16k-3k") / "config.json"
    stated = json.loads(path.read_text())
    path.write_text(json.dumps({**stated, "transformers_version": "4.44.0", "new_field": 1}))
    assert load_codec("dac-16k-3k", weights=str(path.parent)).weights.sha256
