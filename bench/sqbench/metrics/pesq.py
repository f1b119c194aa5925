"""PESQ: wideband P.862.2 MOS-LQO by the ``pesq`` package (ITU-T's C code), told 16 kHz.

The challenge tells the engine 16 000 Hz whatever the rate of the files, so that a clip at 48 kHz
is scored as if slowed down. That is the protocol and the default (`pesq`); `pesq-resampled`
brings both sides to 16 kHz first. At 16 kHz the two are the same.

The engine has room for 50 utterances and does not check: with more, it writes past its arrays and
takes the interpreter down (seen at 66 in 40 s). An utterance and the pause that ends it last at
least 0.4 s, so up to 20 s nothing can happen; a longer clip is measured in a process of its own,
where a crash costs that one value. Above 10 minutes a clip is declined: the engine needs 1.6 MB a
second.

What the engine declines (no speech, too short, NaN) is a property of the pair: ``undefined``. Want
of memory, a process that was killed or that hangs is not: ``failed``, and tried again.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import numpy as np

from sqbench import audio
from sqbench.metrics.base import Metric, Pair, Samples, Undefined

TOLD_RATE = 16_000
NARROW_RATE = 8_000
SAFE_S = 20
MOST_S = 600
CHILD_TIMEOUT_S = 300.0
"""For a clip in a process of its own. A minute of audio takes about a second of computing."""

_CHILD = """
import sys
import numpy as np
from pesq import pesq
reference, estimate = np.frombuffer(sys.stdin.buffer.read(), np.float64).reshape(2, -1)
try:
    print("value", float(pesq({rate}, reference, estimate, "{mode}")).hex())
except Exception as error:
    print("error", type(error).__name__, error.args[0] if error.args else "")
"""


class PESQ(Metric):
    """Wideband MOS-LQO; higher is better."""

    name = "pesq"
    version = 1
    direction = "higher"
    bounds = (0.999, 4.644)
    categories = ("speech",)

    def measure(self, pair: Pair) -> float:
        """See `Metric.measure`."""
        return pesq(pair.reference, pair.estimate)


class ResampledPESQ(PESQ):
    """PESQ with both sides brought to the engine's rate, 16 kHz, in truth."""

    name = "pesq-resampled"

    def measure(self, pair: Pair) -> float:
        """See `Metric.measure`."""
        return pesq(
            audio.resample(pair.reference, pair.sample_rate, TOLD_RATE),
            audio.resample(pair.estimate, pair.sample_rate, TOLD_RATE),
        )


class NarrowbandPESQ(PESQ):
    """Narrow-band PESQ (P.862 with the mapping of P.862.1), both sides brought to 8 kHz."""

    name = "pesq-nb"
    bounds = (1.016, 4.549)

    def measure(self, pair: Pair) -> float:
        """See `Metric.measure`."""
        return pesq(
            audio.resample(pair.reference, pair.sample_rate, NARROW_RATE),
            audio.resample(pair.estimate, pair.sample_rate, NARROW_RATE),
            NARROW_RATE,
            "nb",
        )


def pesq(reference: Samples, estimate: Samples, rate: int = TOLD_RATE, mode: str = "wb") -> float:
    """MOS-LQO of ``[T]`` against ``[T]``, taken to be at 16 kHz, or at 8 kHz in mode ``nb``.

    Raises:
        Undefined: the engine finds no speech, the clip is too short or too long, a side is
            silent, or the engine crashes.
        RuntimeError: memory ran out, or the engine's process was killed or hangs.
    """
    length = reference.shape[0]
    most = MOST_S * rate
    if length > most:
        raise Undefined(
            f"{length} samples are above the bound of {most} "
            f"({MOST_S} s at the {rate} Hz that the engine is told)"
        )
    if not (reference.any() or estimate.any()):
        raise Undefined("both sides are silent (official: NoUtterancesError)")
    # The package divides both by the larger of the two peaks and casts to float32.
    measured = _inside if length <= SAFE_S * rate else _apart
    value = measured(reference, estimate, rate, mode)
    if not np.isfinite(value):
        raise Undefined("the engine returned NaN")
    return value


def _inside(reference: Samples, estimate: Samples, rate: int, mode: str) -> float:
    from pesq import pesq as engine

    try:
        return float(engine(rate, reference, estimate, mode))
    except Exception as error:  # the engine's own classes, and ValueError where it returns NaN
        text = error.args[0] if error.args else ""
        raise _declined(type(error).__name__, text) from None


def _apart(reference: Samples, estimate: Samples, rate: int, mode: str) -> float:
    done = _run(
        # -P: a pesq.py in the working folder must not become the engine.
        [sys.executable, "-P", "-c", _CHILD.format(rate=rate, mode=mode)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        input=np.stack([reference, estimate]).tobytes(),
    )
    if done.returncode == -signal.SIGKILL:  # which the engine does not do to itself
        raise RuntimeError("the PESQ process was killed (out of memory?)")
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        raise Undefined(f"the engine crashed ({name}): it has room for 50 utterances")
    kind, _, rest = done.stdout.decode().strip().partition(" ")
    if kind == "value":
        return float.fromhex(rest)
    if kind == "error":
        error, _, text = rest.partition(" ")
        raise _declined(error, text)
    raise RuntimeError(f"the PESQ process failed: {done.stderr.decode().strip()[-300:]}")


def _run(
    command: list[str], *, env: dict[str, str], input: bytes
) -> subprocess.CompletedProcess[bytes]:
    """A process, to its end or `CHILD_TIMEOUT_S`; it ends with the worker that started it.

    It stays in the worker's process group, which the pool kills as a whole.
    """
    try:
        return subprocess.run(
            command, env=env, input=input, capture_output=True, check=False, timeout=CHILD_TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"the PESQ process gave no result in {CHILD_TIMEOUT_S:g} s") from None


def _declined(name: str, text: object) -> Exception:
    """What an error of the engine means: the pair has no value, or the measuring went wrong."""
    if isinstance(text, bytes):
        text = text.decode()
    message = str(text).removeprefix("b'").removesuffix("'")
    if name == "ValueError" and "NaN" in message:
        message = "a side is silent and the engine returns NaN"
    elif name not in ("BufferTooShortError", "NoUtterancesError"):
        return RuntimeError(f"the PESQ engine failed: {name}: {message}")
    return Undefined(f"{message} (official: {name})")
