"""Finding, verifying, loading and saving weights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sqcodec import InputError, hub, weights
from sqcodec.config import list_configs, load_config
from sqcodec.model import SQCodecModel
from sqcodec.official import PARTS

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def model() -> SQCodecModel:
    torch.manual_seed(0)
    return SQCodecModel(load_config("6kbps")).eval()


@pytest.fixture(scope="module")
def checkpoint(model: SQCodecModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "model.safetensors"
    return weights.save_checkpoint(model, path, {"steps": 7})


@pytest.fixture(scope="module")
def official(model: SQCodecModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("official")
    weights.export_official(model, folder)
    return folder


@pytest.fixture(autouse=True)
def no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty cache, and a hub that does not answer."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    hub.hub_commit.cache_clear()


def fill_cache(cache: Path, source: Path) -> None:
    """Lay the five files out as the hub's client does."""
    repo = cache / "models--zhai-lw--SQCodec"
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text(COMMIT)
    target = repo / "snapshots" / COMMIT / "weights"
    target.mkdir(parents=True)
    (target / "6kbps.v0").symlink_to(source / "6kbps.v0")


def same(a: SQCodecModel, b: SQCodecModel, tolerance: float = 0.0) -> bool:
    theirs = b.state_dict()
    return all(torch.allclose(v, theirs[k], 0, tolerance) for k, v in a.state_dict().items())


def test_a_checkpoint_is_as_readable_as_any_file(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "any").touch()
    assert checkpoint.stat().st_mode == (tmp_path / "any").stat().st_mode


def test_checkpoint_round_trip(model: SQCodecModel, checkpoint: Path) -> None:
    loaded, card = weights.load_checkpoint(checkpoint)
    assert card == {"steps": 7}
    assert loaded.config == model.config
    assert not loaded.training
    assert {v.dtype for v in loaded.state_dict().values()} == {torch.float32}
    assert same(loaded, model, 1e-3)
    assert checkpoint.stat().st_size < 24e6


def test_full_precision_round_trip_keeps_the_hash(model: SQCodecModel, tmp_path: Path) -> None:
    path = weights.save_checkpoint(model, tmp_path / "x.safetensors", half=False)
    loaded, _ = weights.load_checkpoint(path)
    assert same(loaded, model)
    assert weights.tensors_sha256(loaded) == weights.tensors_sha256(model)
    assert list(tmp_path.iterdir()) == [path]


def test_hash_tells_weights_apart(model: SQCodecModel, checkpoint: Path) -> None:
    rounded, _ = weights.load_checkpoint(checkpoint)
    assert weights.tensors_sha256(rounded) != weights.tensors_sha256(model)


def test_reduced_config_travels_with_the_checkpoint(tmp_path: Path) -> None:
    config = replace(load_config("1k5bps"), window=10)
    path = weights.save_checkpoint(SQCodecModel(config), tmp_path / "x.safetensors")
    assert weights.load_checkpoint(path)[0].config == config
    with pytest.raises(InputError, match="1k5bps with other settings"):
        weights.load_checkpoint(path, load_config("1k5bps"))


def test_weights_that_are_not_finite_are_neither_saved_nor_loaded(tmp_path: Path) -> None:
    model = SQCodecModel(load_config("6kbps"))
    with torch.no_grad():
        model.quantizer.project_in.bias[0] = 1e6  # more than float16 holds
    with pytest.raises(InputError, match=r"quantizer\.project_in\.bias"):
        weights.save_checkpoint(model, tmp_path / "x.safetensors")
    with torch.no_grad():
        model.quantizer.project_in.bias[0] = torch.nan
    weights.export_official(model, tmp_path)
    with pytest.raises(InputError, match="NaN or infinity"):
        weights.load_weights("6kbps", tmp_path)


def test_paths_of_every_kind(checkpoint: Path, official: Path) -> None:
    for name, where in (
        (str(checkpoint), "auto"),
        (str(checkpoint.parent), "auto"),
        ("6k", checkpoint),
        ("6k", checkpoint.parent),
        (str(official), "auto"),
        (str(official / "6kbps.v0"), "auto"),
        ("6k", official),
        ("sqcodec-6k", official / "6kbps.v0"),
    ):
        _, info = weights.load_weights(name, where)
        assert info.config == "6kbps"
        assert info.source == str(name if where == "auto" else where)


def test_official_and_own_file_of_the_same_weights_have_one_hash(
    official: Path, tmp_path: Path
) -> None:
    model, info = weights.load_weights("6k", official)
    own = weights.save_checkpoint(model, tmp_path / "x.safetensors", half=False)
    assert weights.load_weights("6k", own)[1].sha256 == info.sha256


def test_local_folder_wins_over_no_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder that happens to be called like a setting does not change what its name means."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "6kbps").mkdir()
    monkeypatch.setattr(weights, "bundled_path", lambda name: tmp_path / "none")
    with pytest.raises(InputError, match="none bundled"):
        weights.load_weights("6kbps")


def test_auto_takes_cached_official_weights(official: Path, tmp_path: Path) -> None:
    fill_cache(tmp_path / "hub", official)
    said: list[str] = []
    _, info = weights.load_weights("6k", notify=said.append)
    assert info.source == "official"
    assert info.detail == f"zhai-lw/SQCodec@{COMMIT}"
    assert said == [f"sqcodec 6kbps: official weights {info.sha256[:8]} ({info.detail})"]
    assert weights.weights_status("6k").official
    assert not weights.weights_status("12k").official


def test_auto_falls_back_to_bundled(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "bundled_path", lambda name: checkpoint)
    assert weights.load_weights("6k")[1].source == "bundled"
    assert "bundled" in weights.weights_status("6k").summary


def test_hub_that_answers_is_asked_for_the_commit(
    official: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    class Api:
        def repo_info(self, repo: str, revision: str, timeout: float) -> object:
            asked.append((repo, revision))
            return type("Info", (), {"sha": COMMIT})

    def download(repo: str, path: str, revision: str) -> str:
        asked.append((path, revision))
        fill = tmp_path / "hub" / "models--zhai-lw--SQCodec"
        if not fill.exists():
            fill_cache(tmp_path / "hub", official)
        return str(fill / "snapshots" / revision / path)

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.HfApi", Api)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    _, info = weights.load_weights("6k", "official", revision="v1")
    assert asked[0] == ("zhai-lw/SQCodec", "v1")
    assert asked[1:] == [(f"weights/6kbps.v0/{part}.pt", COMMIT) for part in PARTS]
    assert info.detail.endswith(COMMIT)


def test_hub_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    release = threading.Event()

    class Api:
        def repo_info(self, *args: object, **options: object) -> None:
            release.wait(60)
            raise OSError

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.HfApi", Api)
    monkeypatch.setattr(hub, "HUB_TIMEOUT_S", 0.05)
    try:
        with pytest.raises(InputError, match="hub does not answer"):
            weights.load_weights("6k", "official")
    finally:
        release.set()


@pytest.mark.parametrize("choice", ["auto", "official", "bundled"])
def test_nothing_there(choice: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(weights, "bundled_path", lambda name: tmp_path / "none")
    with pytest.raises(InputError, match="--weights PATH"):
        weights.load_weights("6k", choice)


@pytest.mark.parametrize("choice", ["offical", "/nowhere", "none.safetensors"])
def test_unknown_source(choice: str) -> None:
    with pytest.raises(InputError, match="no such"):
        weights.load_weights("6k", choice)


def copy_of(official: Path, target: Path) -> Path:
    folder = target / "6kbps.v0"
    folder.mkdir(parents=True)
    for path in (official / "6kbps.v0").iterdir():
        (folder / path.name).symlink_to(path)
    return folder


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("harm", ["missing", "truncated", "text", "empty"])
def test_damaged_official_file_is_named(
    official: Path, tmp_path: Path, part: str, harm: str
) -> None:
    folder = copy_of(official, tmp_path)
    path = folder / f"{part}.pt"
    content = path.read_bytes()
    path.unlink()
    harmed = {"truncated": content[: len(content) // 2], "text": b"not found", "empty": b""}
    if harm != "missing":
        path.write_bytes(harmed[harm])
    with pytest.raises(InputError) as error:
        weights.load_weights("6k", tmp_path)
    assert str(path) in error.value.what
    assert error.value.remedy


@pytest.mark.parametrize("harm", ["truncated", "appended", "text", "empty", "foreign"])
def test_damaged_checkpoint_is_named(checkpoint: Path, tmp_path: Path, harm: str) -> None:
    content = checkpoint.read_bytes()
    foreign = json.dumps({}).encode()
    path = tmp_path / "x.safetensors"
    path.write_bytes(
        {
            "truncated": content[:-100],
            "appended": content + b"0",
            "text": b"<html>not found</html>",
            "empty": b"",
            "foreign": len(foreign).to_bytes(8, "little") + foreign,
        }[harm]
    )
    with pytest.raises(InputError) as error:
        weights.load_weights(str(path))
    assert error.value.what == str(path)
    assert error.value.remedy


def test_code_in_a_weight_file_is_not_run(official: Path, tmp_path: Path) -> None:
    folder = copy_of(official, tmp_path)
    (folder / "decoder.pt").unlink()
    torch.save({"x": Path("/")}, folder / "decoder.pt")
    with pytest.raises(InputError, match=r"decoder\.pt"):
        weights.load_weights("6k", tmp_path)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("12kbps", "24kbps_24khz"), ("12kbps_24khz", "12kbps"), ("3kbps", "1k5bps"), ("6kbps", "3k")],
)
def test_weights_of_another_setting(right: str, wrong: str, tmp_path: Path) -> None:
    weights.export_official(SQCodecModel(load_config(right)), tmp_path)
    folder = tmp_path / f"{right}.v0"
    model, _ = weights.load_weights(str(folder))
    assert model.config.name == right
    with pytest.raises(InputError) as error:
        weights.load_weights(wrong, folder)
    assert error.value.remedy


def test_mixed_parts_of_two_settings_are_refused_where_shapes_tell(tmp_path: Path) -> None:
    """A decoder of another rate has the same shapes; an encoder does not."""
    for name in ("12kbps", "24kbps_24khz"):
        weights.export_official(SQCodecModel(load_config(name)), tmp_path)
    (tmp_path / "12kbps.v0" / "encoder.pt").unlink()
    (tmp_path / "24kbps_24khz.v0" / "encoder.pt").rename(tmp_path / "12kbps.v0" / "encoder.pt")
    with pytest.raises(InputError, match=r"encoder\.pt.*strides \(6, 4\).*strides \(6, 3\)"):
        weights.load_weights("12k", tmp_path / "12kbps.v0")


def test_folder_of_several_settings_needs_a_name(tmp_path: Path) -> None:
    for name in ("12kbps", "6kbps"):
        weights.export_official(SQCodecModel(load_config(name)), tmp_path)
    assert weights.load_weights("12k", tmp_path)[1].config == "12kbps"
    with pytest.raises(InputError, match="several settings"):
        weights.load_weights(str(tmp_path))


def test_every_setting_names_its_bundled_file() -> None:
    assert weights.bundled_path("6k").name == "sqcodec-6k.safetensors"
    assert len({weights.bundled_path(name) for name in list_configs()}) == 7
