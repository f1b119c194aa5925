"""What a run record says of its machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from sqbench.store import provenance


def test_environment_is_json_and_complete() -> None:
    found = provenance.environment()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["python"] == sys.version.split()[0]
    assert found["cores"] >= found["cores_usable"] >= 1
    assert found["cpu"]
    assert found["packages"]["numpy"]
    assert "no-such-package" not in found["packages"]


def test_it_imports_nothing_heavy() -> None:
    code = (
        "import sys; from sqbench.store.provenance import environment; environment();"
        "print([m for m in ('torch', 'pandas', 'scipy', 'soundfile') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def checkout(root: Path, head: str, **files: str) -> Path:
    (root / "bench" / "sqbench").mkdir(parents=True)
    for name, text in {"HEAD": head, **files}.items():
        path = root / ".git" / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_commit_of_a_checkout(tmp_path: Path) -> None:
    commit = "ab" * 20
    ref = "ref: refs/heads/main\n"
    loose = checkout(tmp_path / "loose", ref, refs__heads__main=f"{commit}\n")
    packed = checkout(tmp_path / "packed", ref)
    (packed / ".git" / "packed-refs").write_text(f"# pack-refs\n{commit} refs/heads/main\n")
    detached = checkout(tmp_path / "detached", f"{commit}\n")
    unborn = checkout(tmp_path / "unborn", ref)
    assert provenance._git_commit(loose) == commit
    assert provenance._git_commit(packed) == commit
    assert provenance._git_commit(detached) == commit
    assert provenance._git_commit(unborn) is None


def test_an_installed_wheel_does_not_claim_the_users_repository(tmp_path: Path) -> None:
    root = checkout(tmp_path, "ab" * 20)
    (root / "bench" / "sqbench").rmdir()
    assert provenance._git_commit(root) is None
