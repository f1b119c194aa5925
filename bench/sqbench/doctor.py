"""What is installed, what can run here, and the line that enables each thing that cannot.

Registries speak for themselves: anything whose entries have ``missing()`` and ``readiness()``, as
codecs have, becomes a section by a line in `REGISTRIES`. Without `main_job`, no torch is imported.
"""

from __future__ import annotations

import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqbench.errors import InputError
from sqbench_codecs.extras import pip_line
from sqbench_codecs.registry import resolve

MAIN_CODEC = "sqcodec-6k"
"""The codec of the offline main job; its bundled weights ship with the package."""

REGISTRIES: tuple[tuple[str, str], ...] = (
    ("codec", "sqbench_codecs:CODECS"),
    ("metric", "sqbench.metrics.catalogue:METRICS"),
    ("evaluator", "sqbench.tasks.evaluators.catalogue:EVALUATORS"),
)
"""Sections and the registries they show."""

_SKIPPED_EXTRAS = ("dev",)
_LITTLE_GB = 5.0
_HUB_S = 2.0  # patience with the hub


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the report.

    Attributes:
        section: ``system``, ``package``, ``data``, ``main job``, or a registry's kind.
        name: what it is about.
        ok: whether it can be used as it is.
        state: version, readiness, or what is wrong.
        cure: the line that enables it; empty if there is nothing to do.
        needed: whether the offline main job needs it.
    """

    section: str
    name: str
    ok: bool
    state: str
    cure: str = ""
    needed: bool = False


def examine(*, full: bool = False) -> list[Finding]:
    """Look at everything; ``full`` also runs the main job on one clip (imports torch)."""
    found = [*_system(), *_packages(), *_data()]
    for section, target in REGISTRIES:
        found += _registry(section, resolve(target))
    if full:
        found += main_job()
    return found


def can_run(findings: list[Finding]) -> bool:
    """Whether the offline main job can run, as far as was looked."""
    return all(finding.ok for finding in findings if finding.needed)


def _system() -> Iterator[Finding]:
    version = platform.python_version()
    ok = sys.version_info >= (3, 11)
    yield Finding(section="system", name="Python", ok=ok, state=version, needed=True)
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    yield Finding(section="system", name="cores", ok=True, state=f"{cores}, {platform.machine()}")
    yield Finding(section="system", name="GPU", ok=True, state=_gpu())
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    yield Finding(
        section="system", name="disk", ok=free > _LITTLE_GB, state=f"{free:.0f} GB free here"
    )
    yield from _hub()


def _gpu() -> str:
    """What the driver says, without torch (``--full`` asks that)."""
    if shutil.which("nvidia-smi") is None:
        return "none that nvidia-smi knows"
    asked = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"nvidia-smi: {error}"
    return "; ".join(done.stdout.strip().splitlines()) or done.stderr.strip() or "none"


def _hub() -> Iterator[Finding]:
    """Whether weights and data can be fetched, and where they are kept."""
    from huggingface_hub import constants

    cache = Path(constants.HF_HUB_CACHE)
    held = len(list(cache.glob("models--*"))) if cache.is_dir() else 0
    yield Finding(section="system", name="cache", ok=True, state=f"{held} models in {cache}")
    if constants.HF_HUB_OFFLINE:
        yield Finding(section="system", name="hub", ok=True, state="switched off (HF_HUB_OFFLINE)")
        return
    host = urlsplit(constants.ENDPOINT).hostname or ""
    try:
        socket.create_connection((host, 443), timeout=_HUB_S).close()
        there, state = True, host
    except OSError as error:
        there, state = False, f"{host} does not answer ({error.strerror or error})"
    yield Finding(
        section="system", name="hub", ok=there, state=state,
        cure="" if there else "export HF_HUB_OFFLINE=1, to use what the cache holds at once",
    )  # fmt: skip


def _packages() -> Iterator[Finding]:
    """What this package requires: the base, then its extras."""
    from packaging.requirements import Requirement

    try:
        lines = metadata.requires("sqbench") or []
    except metadata.PackageNotFoundError:
        yield Finding(
            section="package",
            name="sqbench",
            ok=False,
            state="not installed, only on the path: its requirements are not known",
            cure="pip install .",
        )
        return
    extras = metadata.metadata("sqbench").get_all("Provides-Extra") or []
    seen: set[str] = set()
    for extra in ("", *(extra for extra in extras if extra not in _SKIPPED_EXTRAS)):
        for requirement in map(Requirement, lines):
            marker = requirement.marker
            if (extra and marker is None) or requirement.name == "sqbench":
                continue
            if (marker is None or marker.evaluate({"extra": extra})) and str(
                requirement
            ) not in seen:
                seen.add(str(requirement))
                yield _package(requirement, extra)


def _package(requirement: Any, extra: str) -> Finding:
    wanted = f"{requirement.name}{requirement.specifier}"
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        ok, state = False, "not installed"
    else:
        ok = requirement.specifier.contains(version, prereleases=True)
        state = version if ok else f"{version}, expected {requirement.specifier}"
    cure = pip_line(extra) if extra else f"pip install '{wanted}'"
    return Finding(
        section="package",
        name=f"{requirement.name} ({extra})" if extra else requirement.name,
        ok=ok,
        state=state,
        cure="" if ok else cure,
        needed=not extra,
    )


def _data() -> Iterator[Finding]:
    from sqbench.data.mini import MiniSource
    from sqcodec.weights import bundled_path

    try:
        clips = sum(1 for _ in MiniSource().utterances())
        state = f"{clips} clips"
    except (InputError, OSError) as error:
        clips, state = 0, str(error)
    again = "pip install --force-reinstall --no-deps sqbench"
    yield Finding(
        section="data", name="mini", ok=clips > 0, state=state, cure="" if clips else again,
        needed=True,
    )  # fmt: skip
    bundled = bundled_path(MAIN_CODEC)
    there = bundled.is_file()
    yield Finding(
        section="data",
        name=f"bundled weights of {MAIN_CODEC}",
        ok=there,
        state=f"{bundled.stat().st_size / 1e6:.1f} MB" if there else f"no {bundled}",
        cure="" if there else again,
        needed=True,
    )


def _registry(section: str, registry: Any) -> Iterator[Finding]:
    for entry in registry:
        state = str(entry.readiness())
        missing = entry.missing()
        ok = not missing and state.startswith("ready")
        cure = ""
        remedy = getattr(entry, "remedy", None)
        if remedy and not ok:
            cure = str(remedy)
        elif missing:
            cure = pip_line(entry.extra) if entry.extra else f"pip install {' '.join(missing)}"
        elif not ok:
            family = entry.name.partition("-")[0]
            cure = f"sqbench fetch --codec '{family}-*'" if section == "codec" else ""
        yield Finding(
            section=section,
            name=entry.name,
            ok=ok,
            state=f"needs {', '.join(missing)}" if missing else state,
            cure=cure,
        )
    for problem in registry.problems:
        yield Finding(section=section, name="plug-in", ok=False, state=problem)


def main_job() -> Iterator[Finding]:
    """Run the main job on one clip of each set, and say what torch is and sees."""
    try:
        import torch
        import torchaudio

        gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
        state = f"torch {torch.__version__}, torchaudio {torchaudio.__version__}, {gpu}"
        yield Finding(section="main job", name="torch", ok=True, state=state, needed=True)
    except Exception as error:  # a wrong pair of wheels fails in many ways
        yield Finding(
            section="main job",
            name="torch",
            ok=False,
            state=f"{type(error).__name__}: {error}".splitlines()[0],
            cure="pip install 'torch>=2.11,<2.15' 'torchaudio==2.11.*'",
            needed=True,
        )
        return
    from sqbench.api import run
    from sqbench.data.mini import MiniSource
    from sqbench.engine.options import Options

    options = Options(weights="bundled", limit=1, workers=1)
    with tempfile.TemporaryDirectory() as folder:
        try:
            outcome = run([MAIN_CODEC], MiniSource(), Path(folder), options)
            failed = outcome.failed
            state = f"{outcome.scored} scores, {failed} missing"
        except Exception as error:  # whatever it is, it is what a run would end with
            failed, state = 1, f"{type(error).__name__}: {error}"
    yield Finding(
        section="main job", name=f"{MAIN_CODEC} on mini", ok=not failed, state=state, needed=True
    )
