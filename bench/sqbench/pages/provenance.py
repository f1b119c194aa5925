"""Where the numbers of a page come from: runs, codecs and weights, data, versions, coverage."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from typing import Any

FIELDS = ("run_id", "status", "started", "finished", "seed", "suite", "protocol")
MACHINE = ("python", "platform", "cpu", "cores_usable", "memory_gb", "gpu", "git_commit")


def runs(found: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What each run says of itself, without its list of clips."""
    return [_run(run) for run in found]


def _run(run: Mapping[str, Any]) -> dict[str, Any]:
    source, environment = run.get("source", {}), run.get("environment", {})
    command = run.get("command", "")
    return {
        **{name: run.get(name) for name in FIELDS},
        "command": command if isinstance(command, str) else shlex.join(map(str, command)),
        "metrics": run.get("metrics") or {},
        "evaluators": {
            name: f"{task.get('evaluator')} {task.get('evaluator_id', '')}".strip()
            for name, task in (run.get("tasks") or {}).items()
        },
        "source": {
            name: source.get(name) for name in ("name", "location", "sha256", "selected", "total")
        },
        "settings": run.get("settings") or {},
        "machine": {name: environment.get(name) for name in MACHINE},
        "packages": environment.get("packages") or {},
        "codecs": [_codec(codec) for codec in run.get("codecs", [])],
    }


def _codec(codec: Mapping[str, Any]) -> dict[str, Any]:
    weights = codec.get("weights") or {}
    return {
        "name": codec.get("name"),
        "codec_id": codec.get("codec_id"),
        "weights": weights.get("source"),
        "sha256": weights.get("sha256"),
        "detail": weights.get("detail"),
        "settings": codec.get("settings") or {},
    }
