"""The table of costs and its forms, and the command."""

from __future__ import annotations

import csv
import io
import json
import math

import pytest

from sqbench.cli import main
from sqbench.complexity import report as complexity
from sqbench.complexity.run import build
from sqbench.complexity.speed import Speed
from sqcodec.errors import InputError

HEADER = "model,bitrate_bps,num_codebooks,macs_g,params_m,paper_macs_g,paper_params_m"
SPEED = Speed(
    encode_rtf=0.1,
    decode_rtf=0.2,
    peak_memory_mb=300.0,
    lookahead_s=math.inf,
    device="cpu",
    threads=1,
    weights="none",
)


def test_csv_of_both_conventions(capsys: pytest.CaptureFixture[str]) -> None:
    for convention, macs in (("uniform", 74.285), ("paper", 19.977)):
        arguments = ["--codec", "sqcodec-6k", "--convention", convention, "--format", "csv"]
        assert main(["complexity", *arguments]) == 0
        printed = capsys.readouterr().out
        assert printed.splitlines()[0] == HEADER
        (row,) = csv.DictReader(io.StringIO(printed))
        assert float(row["macs_g"]) == pytest.approx(macs, abs=5e-4)
        assert float(row["params_m"]) == pytest.approx(11.207, abs=5e-4)
        assert (row["paper_macs_g"], row["paper_params_m"]) == ("19.98", "11.21")


def test_what_has_no_network_is_said_not_zero(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["complexity", "--codec", "identity", "--format", "csv"]) == 2
    printed = capsys.readouterr()
    assert printed.out.splitlines()[1] == "identity,,1,,,,"
    assert printed.err == "identity: has no network to count\n"


def test_json_lists_what_is_not_counted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["complexity", "--codec", "6kbps", "--format", "json"]) == 0
    (codec,) = json.loads(capsys.readouterr().out)["codecs"]
    assert codec["model"] == "sqcodec-6k"
    assert codec["uniform_macs"]["per_s"] * 10 == codec["macs"]
    assert codec["uniform_macs"]["not_counted"]["aten.gelu"] > 0
    assert sum(codec["parameters"]["by_part"].values()) == codec["params"] == 11207436


def test_measured_columns_come_with_measuring() -> None:
    rows = build(["identity"], speed=lambda name: SPEED)
    header, line = complexity.to_csv(rows).splitlines()
    assert header == HEADER + ",encode_rtf,decode_rtf,peak_memory_mb,lookahead_s"
    assert line.endswith(",0.1,0.2,300,inf")
    content = json.loads(complexity.to_json(rows, "uniform"))
    assert content["codecs"][0]["speed"]["lookahead_s"] == "whole clip"
    (cells,) = complexity.to_grid(rows, "uniform").groups[0]
    assert [cell.text for cell in cells[-4:]] == ["0.100", "0.200", "300", "clip"]


def test_a_codec_that_does_not_run_keeps_its_counts() -> None:
    def fail(name: str) -> Speed:
        raise InputError(f"weights of {name}", found="none")

    (row,) = build(["sqcodec-3k"], speed=fail)
    assert row.macs > 0
    assert row.speed is None
    assert row.reason == "weights of sqcodec-3k; found none"


def test_the_finding_stands_under_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    main(["complexity", "--codec", "sqcodec-750", "--convention", "paper"])
    printed = " ".join(capsys.readouterr().out.split())
    assert "sees none of SQCodec's weight-normed layers" in printed
    assert "46.03" in printed
