from __future__ import annotations

import subprocess
import sys
from dataclasses import FrozenInstanceError, replace

import pytest

from sqcodec.config import SQCodecConfig, list_configs, load_config, resolve_name, short_name
from sqcodec.errors import InputError

FACTS = {  # sample rate, hop, pad multiple, codebook size, bits a second
    "0k75bps": (16000, 360, 72000, 117649, 748.6),
    "1k5bps": (16000, 180, 54000, 117649, 1497.3),
    "3kbps": (16000, 90, 36000, 117649, 2994.5),
    "6kbps": (16000, 45, 13500, 117649, 5989.0),
    "12kbps": (16000, 24, 9600, 250047, 11954.6),
    "12kbps_24khz": (24000, 36, 14400, 250047, 11954.6),
    "24kbps_24khz": (24000, 18, 10800, 250047, 23909.1),
}


@pytest.mark.parametrize("name", list_configs())
def test_facts(name: str) -> None:
    c = load_config(name)
    assert (c.sample_rate, c.hop, c.pad_multiple, c.codebook_size) == FACTS[name][:4]
    assert c.bitrate_bps == pytest.approx(FACTS[name][4], abs=0.05)


@pytest.mark.parametrize("name", list_configs())
def test_every_alias_means_it(name: str) -> None:
    short = short_name(name)
    for alias in (name, short, f"sqcodec-{short}", f"sqcodec-{name}", name.upper()):
        assert resolve_name(alias) == name


@pytest.mark.parametrize(("typo", "meant"), [("6kpbs", "6kbps"), ("sqcodec-24k-24kz", "24k-24khz")])
def test_unknown_name_suggests(typo: str, meant: str) -> None:
    with pytest.raises(InputError, match=f"mean '{meant}'"):
        load_config(typo)


def test_environment_overrides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMPLE_RATE", "8000")
    monkeypatch.setenv("MODEL_NAME", "other")
    load_config.cache_clear()
    assert load_config("6kbps").sample_rate == 16000


def test_padding_adds_nothing_to_whole_windows() -> None:
    c = load_config("6kbps")
    assert [c.padded_length(n) for n in (0, 1, 13500, 13501)] == [0, 13500, 13500, 27000]


def test_config_is_frozen_and_round_trips() -> None:
    c = load_config("1k5bps")
    with pytest.raises(FrozenInstanceError):
        c.window = 5  # type: ignore[misc]
    assert SQCodecConfig.from_dict(c.to_dict()) == c
    with pytest.raises(InputError, match=r"missing \['levels'\]"):
        SQCodecConfig.from_dict({k: v for k, v in c.to_dict().items() if k != "levels"})


@pytest.mark.parametrize(
    "change",
    [{"decoder_rates": (5, 3, 2)}, {"levels": (8,)}, {"compress_rate": 2}, {"encoder_dims": (24,)}],
    ids=str,
)
def test_inconsistent_config_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(InputError):
        replace(load_config("6kbps"), **change)  # type: ignore[arg-type]


def test_import_is_light() -> None:
    code = (
        "import sys, sqcodec, sqcodec.weights\n"
        "sqcodec.load_config('6k'); sqcodec.weights.weights_status('6k')\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
