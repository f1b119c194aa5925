"""Names to metrics: built in, from a file, from a plug-in."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import sqbench_codecs.registry as mechanism
from sqbench.metrics import catalogue
from sqbench.metrics.base import Metric, Pair
from sqcodec.errors import InputError

OWN = '''
from sqbench.metrics.base import Metric

class Peak(Metric):
    """Largest difference."""
    name, version, direction, bounds = "{name}", 3, "lower", (0.0, None)
    def measure(self, pair):
        return float(abs(pair.reference - pair.estimate).max())

class Unfinished(Metric):
    name = "unfinished"

not_a_metric = 3
'''


class Half(Metric):
    """One half."""

    name = "half"
    version = 1
    direction = "higher"
    bounds = (0.0, 1.0)

    def measure(self, pair: Pair) -> float:
        return 0.5


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry that has not looked for plug-ins yet."""
    new = mechanism.Registry("metric", "sqbench.metrics", catalogue._builtin, catalogue._adopt)
    monkeypatch.setattr(catalogue, "METRICS", new)
    monkeypatch.setattr(catalogue, "_loaded", {})


def test_the_protocols_four_come_first() -> None:
    assert tuple(catalogue.names()[:4]) == catalogue.SIGNAL == ("sdr", "mel", "stoi", "pesq")


@pytest.mark.parametrize("name", catalogue.names())
def test_every_metric_keeps_the_contract(name: str) -> None:
    metric = catalogue.METRICS.get(name).load()
    assert metric.name == name
    assert metric.version >= 1
    lower = ("mel", "f0-rmse", "stft-distance", "mel-distance")
    expected = "none" if name in ("delay", "gain") else "lower" if name in lower else "higher"
    assert metric.direction == expected
    assert len(metric.bounds) == 2
    assert catalogue.METRICS.get(name).summary


def test_an_alias() -> None:
    assert catalogue.get("mel_loss").name == "mel"


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(InputError, match=r"unknown metric 'stio'.*Did you mean stoi"):
        catalogue.get("stio")


def test_listing_imports_nothing_heavy() -> None:
    code = (
        "import sys; from sqbench.metrics import catalogue; catalogue.names();"
        "print(sorted({'scipy', 'torch', 'pesq', 'pystoi', 'mir_eval'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_local_file(tmp_path: Path) -> None:
    path = tmp_path / "my_metric.py"
    path.write_text(OWN.format(name="peak"))
    metric = catalogue.get(f"{path}:Peak")
    assert (metric.name, metric.version) == ("peak", 3)
    assert "peak" not in catalogue.names()


@pytest.mark.parametrize(
    ("attribute", "name", "message"),
    [
        ("Peak", "sdr", "a name that is not taken"),
        ("Unfinished", "peak", "no version, direction, bounds"),
        ("not_a_metric", "peak", "a subclass of"),
        ("Missing", "peak", "no such name"),
    ],
)
def test_a_local_file_that_cannot_be_used(
    attribute: str, name: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "my_metric.py"
    path.write_text(OWN.format(name=name))
    with pytest.raises(InputError, match=message):
        catalogue.get(f"{path}:{attribute}")


def plug_in(monkeypatch: pytest.MonkeyPatch, name: str, found: object) -> None:
    point = EntryPoint(name, "somewhere:Thing", "sqbench.metrics")
    monkeypatch.setattr(EntryPoint, "load", lambda self: found)
    monkeypatch.setattr(mechanism, "entry_points", lambda group: [point])


@pytest.mark.usefixtures("fresh")
def test_a_plug_in(monkeypatch: pytest.MonkeyPatch) -> None:
    plug_in(monkeypatch, "half", Half)
    assert catalogue.names()[-1] == "half"
    assert isinstance(catalogue.get("half"), Half)


@pytest.mark.usefixtures("fresh")
def test_a_broken_plug_in_is_listed_as_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    plug_in(monkeypatch, "half", "not a metric")
    assert "half" not in catalogue.names()
    assert any("half" in problem for problem in catalogue.METRICS.problems)


@pytest.mark.parametrize(
    ("requested", "message"),
    [(["mel", "mel_loss"], "mel twice"), ([], "at least one"), ("sdr", "a list of names")],
    ids=["twice", "none", "text"],
)
def test_lists_of_names(requested: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        catalogue.resolve_all(requested)
