"""From what a user names to a system: registry names, files, folders, other interpreters."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from sqbench.engine.options import Options
from sqbench.engine.systems import codec as codecs
from sqbench.engine.systems.base import System
from sqbench.engine.systems.codec import CodecFailure, CodecSystem
from sqbench.engine.systems.folder import FolderSystem
from sqbench.engine.systems.names import FOLDER, split_interpreter, split_weights
from sqbench.engine.systems.process import Order, foreign_command, hosted, registry_command
from sqbench.errors import InputError
from sqbench_codecs import CODECS, Codec


def check_names(codecs: Sequence[str | Codec | System], weights: str) -> None:
    """See that what is asked for is there, before any time is spent.

    Raises:
        InputError: an unknown codec, a missing file or folder, or weights that nothing reads.
    """
    may_read = []
    for codec in codecs:
        if not isinstance(codec, str):
            continue
        name, own = split_weights(codec)
        foreign = _foreign(codec)
        if codec.startswith(FOLDER):
            _folder(codec)
        elif foreign is None:
            CODECS.check(name)
            reads = _may_read(name)
            if own is not None and not reads:
                raise InputError(
                    f"codec {codec}",
                    expected=f"{name} alone",
                    found="a codec that has no weights",
                )
            may_read.append(reads and own is None)
        else:
            may_read.append(True)
    if weights != "auto" and not any(may_read):
        raise InputError(
            f"weights {weights}",
            expected="a codec that reads them",
            found=", ".join(c if isinstance(c, str) else _name_of(c) for c in codecs),
            remedy="Leave --weights out, or give them with the codec: NAME@WEIGHTS.",
        )


def open_system(codec: str | Codec | System, options: Options) -> System:
    """Load what is to be evaluated; close it after use.

    Args:
        codec: a name of the registry (``NAME@WEIGHTS`` for other weights than the run's),
            ``file.py:Class``, ``package.module:Class``, ``folder:PATH``,
            ``path/to/python:file.py:Class``, a loaded codec (it stays in this process), a system.

    Raises:
        InputError: there is no such thing, or it cannot be loaded.
    """
    if isinstance(codec, System):
        return codec
    if isinstance(codec, Codec):
        return codecs.inline(codec, seed=options.seed, raising=options.debug)
    if codec.startswith(FOLDER):
        return _folder(codec)
    name, own = split_weights(codec)
    foreign = _foreign(codec)
    request = {"target": name, "weights": own or options.weights, "seed": options.seed}
    if foreign is not None:
        command, kind = foreign_command(foreign[0]), "interpreter"
        target, own = split_weights(foreign[1])
        request.update(target=target, weights=own or options.weights)
    else:
        command, kind = registry_command(), "process"
        if not _may_read(name):
            request["weights"] = "auto"
        if options.debug:
            loaded = CODECS.get(name).load(
                weights=str(request["weights"]), device=options.devices[0]
            )
            return codecs.inline(loaded, seed=options.seed, raising=True)
        request["path"] = list(sys.path)
    order = Order(
        command=command,
        request=request,
        devices=tuple(options.devices),
        timeout_s=options.codec_timeout_s,
        memory_gb=options.codec_memory_gb,
    )
    log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the system
    try:
        system = hosted(order, log, kind=kind, seed=options.seed)
    except CodecFailure as failure:
        said = _last_lines(log)
        log.close()
        raise InputError(failure.reason + (f"\n{said}" if said else "")) from failure
    except BaseException:
        log.close()
        raise
    if kind == "interpreter":
        system.description = _described(system, str(request["weights"]))
    else:
        _weights_were_read(system, str(request["weights"]), name)
    return system


def _weights_were_read(system: System, asked: str, name: str) -> None:
    """A file of weights that a third party's codec did not open must not be said to be scored."""
    path = asked != "bundled" and not asked.startswith(("auto", "official"))
    if path and system.description["weights"]["source"] == "none":
        system.close()
        raise InputError(
            f"codec {name}: weights {asked}",
            expected="a codec that reads them and says so in `weights` (sqbench_codecs.Weights)",
            found="one without weights",
        )


def _described(system: CodecSystem, weights: str) -> dict[str, Any]:
    """The description of a codec of another interpreter in the form of ours."""
    found = system.description
    given = weights != "auto"
    return {
        "name": found["name"],
        "sample_rate": found["sample_rate"],
        "frame_rate": found["frame_rate"],
        "codebook_sizes": found["codebook_sizes"],
        "num_codebooks": len(found["codebook_sizes"]),
        "bitrate_bps": found["bitrate_bps"],
        "settings": {key: found[key] for key in ("files", "held", "packages")},
        "weights": {
            "source": Path(weights).name if given else "none",
            "sha256": found["held"] if given else None,
            "detail": weights if given else "",
        },
        "hosted": found["hosted"],
    }


def _foreign(codec: str) -> tuple[str, str] | None:
    """Interpreter and target, where a codec is named so."""
    found = split_interpreter(codec)
    return found if found is not None and os.access(found[0], os.X_OK) else None


def _folder(codec: str) -> FolderSystem:
    """``folder:PATH``, with ``:name=``, ``:bitrate=`` and ``:codebooks=`` behind it if need be."""
    path = codec.removeprefix(FOLDER)
    facts: dict[str, str] = {}
    while found := re.fullmatch(r"(.+):(name|bitrate|codebooks)=([^:]*)", path):
        path = found[1]
        facts[found[2]] = found[3]
    try:
        bitrate = float(facts["bitrate"]) if "bitrate" in facts else None
        codebooks = int(facts["codebooks"]) if "codebooks" in facts else None
    except ValueError:
        raise InputError(
            codec, expected="numbers after bitrate= and codebooks=", found=str(facts)
        ) from None
    return FolderSystem(
        Path(path), name=facts.get("name", ""), bitrate_bps=bitrate, num_codebooks=codebooks
    )


def _may_read(name: str) -> bool:
    """Whether a codec of the registry may have weights; of a third party's only it knows."""
    if ":" in name:
        return True
    entry = CODECS.get(name)
    return bool(entry.network) or entry.weights is not None or bool(entry.origin)


def _name_of(codec: Codec | System) -> str:
    return codec.name if isinstance(codec, System) else codec.spec.name


def _last_lines(log: IO[bytes], count: int = 5) -> str:
    log.seek(0)
    lines = log.read().decode("utf-8", "replace").strip().splitlines()
    return "\n".join(lines[-count:])
