"""Plans: costs that add up, a scheduler that is checked by hand, prices, and a real run."""

from __future__ import annotations

import json
import time
from pathlib import Path

import broken_parts
import cluster_fixtures
import pytest
from results_factory import coding, describe, run, write

from sqbench.cli import main
from sqbench.engine.cluster.parcels import grouped
from sqbench.errors import InputError
from sqbench.planning import prices
from sqbench.planning.costs import Clip, Line, Stage, fitted
from sqbench.planning.plan import forecast
from sqbench.planning.simulate import (
    Machines,
    Troubles,
    critical_path,
    simulate,
    work,
)

CODE = Stage(name="a", load_s=3.0, code=Line(0.0, 1.0), measure={"speech": Line(0.5, 0.0)})
HEAR = Stage(name="b", load_s=1.0, code=Line(2.0, 0.0))


def clips(*seconds: float) -> list[Clip]:
    return [Clip(each, "speech") for each in seconds]


def test_a_line_through_what_was_measured() -> None:
    line = fitted([(1.0, 0.7), (2.0, 0.9), (4.0, 1.3)])
    assert line.fixed == pytest.approx(0.5)
    assert line.each == pytest.approx(0.2)
    falling = fitted([(1.0, 3.0), (2.0, 2.0), (3.0, 1.0)])
    assert falling.each == 0.0
    assert sum(falling(s) for s in (1.0, 2.0, 3.0)) == pytest.approx(6.0)


def test_one_node_by_hand() -> None:
    """Loads 3 s, codes 2 s, measures 0.5 s; with one processor one after the other."""
    alone = Machines(count=1, cpus=1)
    assert simulate([(CODE, clips(2.0))], alone).wall_s == pytest.approx(5.5)
    assert simulate([(CODE, clips(2.0, 2.0))], alone, batch=1).wall_s == pytest.approx(8.0)
    # With a second processor the first is measured while the second is coded.
    more = Machines(count=1, cpus=2)
    assert simulate([(CODE, clips(2.0, 2.0))], more, batch=1).wall_s == pytest.approx(7.5)
    both = [(CODE, clips(2.0)), (HEAR, clips(1.0, 1.0))]
    assert simulate(both, alone, batch=1).wall_s == pytest.approx(5.5 + 1.0 + 4.0)
    assert critical_path(both) == pytest.approx(3.0 + 2.5 + 1.0 + 2.0)
    assert work(both) == pytest.approx(2.5 + 4.0)


def test_more_nodes_are_not_slower_and_never_below_the_bounds() -> None:
    planned = [(CODE, clips(*[0.5 + i % 7 for i in range(200)])), (HEAR, clips(*[1.0] * 50))]
    walls = [simulate(planned, Machines(count=n, cpus=4, hosts=4)).wall_s for n in (1, 2, 4, 8, 64)]
    assert walls == sorted(walls, reverse=True)
    for count, wall in zip((1, 2, 4, 8, 64), walls, strict=True):
        assert wall >= critical_path(planned)
        assert wall >= work(planned) / (4 * count)
    assert walls[0] <= 2 * (work(planned) / 4 + critical_path(planned))


def test_a_gpu_leaves_the_processors_to_metrics() -> None:
    planned = [(CODE, clips(*[2.0] * 8))]
    cpu = simulate(planned, Machines(count=1, cpus=1), batch=1).wall_s
    gpu = simulate(planned, Machines(count=1, cpus=1, gpus=1), batch=1).wall_s
    assert cpu == pytest.approx(3 + 8 * 2.5)
    assert gpu == pytest.approx(3 + 8 * 2 + 0.5)


def test_slow_and_lost_nodes_cost_time_by_the_seed() -> None:
    planned = [(CODE, clips(*[10.0] * 200))]
    machines = Machines(count=4, cpus=1)
    well = simulate(planned, machines).wall_s
    assert simulate(planned, machines, Troubles(slow_share=1.0), seed=1).wall_s > 1.8 * well
    lossy = Troubles(losses_an_hour=10.0, back_s=60.0)
    runs = [simulate(planned, machines, lossy, seed=seed) for seed in range(8)]
    assert [simulate(planned, machines, lossy, seed=seed) for seed in range(8)] == runs
    assert len({run.wall_s for run in runs}) > 1
    assert all(run.lost for run in runs)
    assert all(run.wall_s > well for run in runs)


def test_shards_have_about_equal_lengths_and_a_bound() -> None:
    lengths = [(0.5 + (i * 37 % 11), 1 << 20) for i in range(60)]
    groups = list(grouped(lengths, 8, 4))
    assert [at for group in groups for at in group] == list(range(60))
    most = max(5.0, sum(seconds for seconds, _ in lengths) / 32)
    for group in groups:
        assert len(group) == 1 or sum(lengths[at][0] for at in group) <= most
    assert max(map(len, grouped([(0.1, 1)] * 100, 8, 1))) == 8
    assert max(map(len, grouped([(0.1, 1 << 25)] * 100, 8, 1))) == 2


def test_prices(tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    file.write_text('node_hour = 2.5\nonce = 1\ncurrency = "EUR"\n')
    assert prices.read(file).of(4.0) == 11.0
    found = forecast([(CODE, clips(7.0))], Machines(count=2, cpus=1), prices=prices.read(file))
    assert found.money == pytest.approx(1 + 2.5 * 2 * found.hours)
    for text in ("once = 1", "node_hour = -1", "node_hour = true", "node_hour = 1\nx = 2", "]"):
        file.write_text(text)
        with pytest.raises(InputError, match="--prices"):
            prices.read(file)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = cluster_fixtures.clips(tmp_path / "data")
    file = tmp_path / "p.toml"
    file.write_text("node_hour = 2\n")
    asked = ["plan", "--codec", "mulaw-8", "--data", str(data), "--metrics", "sdr", "--sample", "3"]
    assert main([*asked, "--nodes", "1,4", "--prices", str(file), "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    (stage,) = found["stages"]
    assert stage["clips"] == 13
    assert stage["load_s"] > 0
    assert stage["memory_gb"] is None or 0.01 < stage["memory_gb"] < 8
    assert [each["nodes"] for each in found["forecasts"]] == [1, 4]
    for each in found["forecasts"]:
        assert each["money"] == pytest.approx(2 * each["node_hours"])
    assert main([*asked, "--nodes", "1,4"]) == 0
    assert "no number of nodes goes below" in capsys.readouterr().out
    for wrong in (["--nodes", "0"], ["--nodes", "a"], ["--slow-share", "2"], ["--sample", "0"]):
        assert main([*asked, *wrong]) == 1


def test_a_codec_that_does_not_load_is_left_out_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = cluster_fixtures.clips(tmp_path / "data", 3, 0)
    asked = ["plan", "--codec", "mulaw-8", "--codec", "sqcodec-3k", "--data", str(data)]
    asked += ["--weights", str(tmp_path / "nowhere"), "--metrics", "sdr", "--sample", "2"]
    assert main(asked) == 2
    assert "Without sqcodec-3k" in capsys.readouterr().out.replace("\n", " ")


def test_seconds_of_codecs_come_from_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = cluster_fixtures.clips(tmp_path / "data", 3, 0)
    codec = describe("mulaw-8", weights="none")
    records = [coding(codec, f"librispeech/{i:02d}", seconds=2.0) for i in range(4)]
    for record in records:
        record["encode_s"], record["decode_s"] = 30.0, 10.0
    write(tmp_path / "results", run([codec]), records)
    asked = ["plan", "--codec", "mulaw-8", "--data", str(data), "--metrics", "sdr", "--sample", "2"]
    assert main([*asked, "--results", str(tmp_path / "results"), "--format", "json"]) == 0
    (stage,) = json.loads(capsys.readouterr().out)["stages"]
    assert stage["code"]["fixed"] + 2.0 * stage["code"]["each"] == pytest.approx(40.0)
    assert stage["origin"] == "results (4 clips)"


@pytest.mark.ray
@pytest.mark.slow
def test_two_nodes_take_what_was_planned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Within a fifth, of a codec whose seconds are its own and not the machine's."""
    pytest.importorskip("ray", reason="needs ray (make ray)")
    from ray.cluster_utils import Cluster

    data = cluster_fixtures.clips(tmp_path / "data", 90, 0)
    (data / "speech/s4.wav").unlink()
    slow = f"{broken_parts.__file__}:Slow"
    asked = ["--codec", slow, "--data", str(data), "--metrics", "sdr"]
    assert main(["plan", *asked, "--nodes", "1,2", "--cpus", "2", "--format", "json"]) == 0
    planned = json.loads(capsys.readouterr().out)
    load = planned["stages"][0]["load_s"]
    predicted = [3600 * each["hours"] - load for each in planned["forecasts"]]
    node = {"num_cpus": 2, "object_store_memory": 100 << 20, "include_dashboard": False}
    measured = []
    for count in (1, 2):
        made = Cluster(initialize_head=True, head_node_args=node)
        try:
            if count == 2:
                made.add_node(num_cpus=2, object_store_memory=100 << 20)
            out = tmp_path / f"out-{count}"
            done = cluster_fixtures.run(*asked, "--out", out, "--engine", f"ray://{made.address}")
            assert done.returncode == 0, done.stderr
        finally:
            made.shutdown()
        (file,) = out.glob("*/run.json")
        about = json.loads(file.read_text())
        measured.append(_seconds(about["finished"]) - _seconds(about["started"]))
    print(f"predicted {predicted}, measured {measured}")
    for one, other in zip(predicted, measured, strict=True):
        assert one == pytest.approx(other, rel=0.2)


def _seconds(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp() if text else time.time()
