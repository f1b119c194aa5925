"""One job in five arrangements: are table and records the same, and what does each take?

    python benchmarks/arrangements.py --data mini --codec sqcodec-6k,opus-6k

Local with one worker and with two; a Ray cluster of one node and of two, each of one processor, on
this machine; and of two, of which one is killed when a third of the records is written. Needs ray
(`make ray`). Compared are `sqbench table --format csv`, and records without their times.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

STORE = 150 << 20


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parse.add_argument("--data", default="mini")
    parse.add_argument("--codec", default="sqcodec-6k,opus-6k")
    parse.add_argument("--limit", type=int)
    options = parse.parse_args()
    asked = ["--codec", options.codec, "--data", options.data, "--weights", "bundled"]
    asked += [] if options.limit is None else ["--limit", str(options.limit)]
    print("arrangement             wall s  driver MB  table   records")
    first: tuple[bytes, list[str]] | None = None
    with tempfile.TemporaryDirectory() as folder:
        for name, workers, nodes, kill in (
            ("local, 1 worker", 1, 0, False),
            ("local, 2 workers", 2, 0, False),
            ("ray, 1 node", 1, 1, False),
            ("ray, 2 nodes", 1, 2, False),
            ("ray, one of 2 killed", 1, 2, True),
        ):
            out = Path(folder) / name.replace(" ", "-")
            goal = 0 if first is None else len(first[1]) // 3
            with _cluster(nodes) as cluster:
                peak = _run(asked, out, workers, cluster, goal if kill else 0)
            found = _table(out), _records(out)
            first = first or found
            same = ["equal" if a == b else "DIFFERS" for a, b in zip(first, found, strict=True)]
            print(f"{name:22}  {_wall(out):6.1f}  {peak:9.0f}  {same[0]:6}  {same[1]}", flush=True)


@contextmanager
def _cluster(nodes: int) -> Any:
    if not nodes:
        yield None
        return
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": STORE}
    made = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    try:
        for _ in range(nodes - 1):
            made.add_node(**node)
        yield made
    finally:
        made.shutdown()


def _run(asked: list[str], out: Path, workers: int, cluster: Any, kill_at: int) -> float:
    """The driver's peak memory in MB; a node is killed at so many records, if at any."""
    engine = "local" if cluster is None else f"ray://{cluster.address}"
    process = subprocess.Popen(
        [sys.executable, "-m", "sqbench", "run", *asked, "--out", str(out), "--engine", engine,
         "--workers", str(workers), "--quiet"],
    )  # fmt: skip
    peak, killed = 0, False
    while process.poll() is None:
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
            peak = max(
                int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")
            )
        except (OSError, ValueError):
            pass  # it ended meanwhile
        if kill_at and not killed and len(_records(out)) >= kill_at:
            cluster.remove_node(cluster.list_all_nodes()[-1], allow_graceful=False)
            killed = True
        time.sleep(0.5)
    if kill_at and not killed:
        raise SystemExit("the run was over before a node could be killed")
    return peak / 1024


def _wall(out: Path) -> float:
    (file,) = out.glob("*/run.json")
    run = json.loads(file.read_text())
    begin, end = (datetime.fromisoformat(run[key]) for key in ("started", "finished"))
    return (end - begin).total_seconds()


def _table(out: Path) -> bytes:
    command = [sys.executable, "-m", "sqbench", "table", str(out), "--format", "csv"]
    return subprocess.run(command, check=True, capture_output=True).stdout


def _records(out: Path) -> list[str]:
    return [
        json.dumps({**json.loads(line), "encode_s": None, "decode_s": None})
        for file in out.glob("*/records.jsonl")
        for line in file.read_text().splitlines()
    ]


if __name__ == "__main__":
    main()
