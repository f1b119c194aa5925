"""What a user pays: seconds and memory, measured, and how far ahead the codec listens.

Each codec is measured in a process of its own, so that its peak memory is its own and the number
of threads is what was asked for.
"""

from __future__ import annotations

import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sqbench.complexity import streaming
from sqbench.complexity.streaming import StreamSpeed
from sqbench.errors import InputError
from sqbench_codecs import Codec, load_codec
from sqbench_codecs.streaming import StreamingCodec

SECONDS = 10.0
REPEATS = 3
WHOLE_CLIP = math.inf

_ANY_RATE = 16000
"""At which a codec that takes any rate is measured, in Hz."""


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Measured on this machine; see `measure` for what of.

    Attributes:
        encode_rtf, decode_rtf: seconds spent on a second of audio, the median of `REPEATS` runs.
        peak_memory_mb: 1e6 bytes; on a CPU all that the process ever held, Python and torch
            included, on a GPU what torch had allocated there.
        lookahead_s: `lookahead`; infinite where all of the clip is needed.
        device, threads: what it ran on.
        weights: label of the weights.
        stream: of a codec in a stream, whose other figures are those of whole clips in chunks.
    """

    encode_rtf: float
    decode_rtf: float
    peak_memory_mb: float
    lookahead_s: float
    device: str
    threads: int
    weights: str
    stream: StreamSpeed | None = None


def measure(
    codec: str, *, weights: str = "auto", device: str = "cpu", threads: int | None = None
) -> Speed:
    """Measure a codec on `SECONDS` of noise, one clip at a time, in a new process.

    Args:
        codec: a registry name or ``file.py:Class``.
        threads: of torch; default is what torch chooses.

    Raises:
        InputError: it could not be loaded or run; says why.
    """
    order = {"codec": codec, "weights": weights, "device": device, "threads": threads}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    if threads is not None:
        environment |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    done = subprocess.run(
        [sys.executable, "-P", "-m", "sqbench.complexity.speed", json.dumps(order)],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        said = done.stderr.strip().splitlines()
        why = said[-1] if said else f"exit status {done.returncode}"
        raise InputError(f"codec {codec!r}", expected="a codec that runs", found=why)
    found = json.loads(lines[-1])
    stream = found.pop("stream")
    return Speed(**found, stream=StreamSpeed(**stream) if stream else None)


def measure_here(codec: Codec, *, seconds: float = SECONDS, repeats: int = REPEATS) -> Speed:
    """`measure` for a loaded codec, in this process."""
    rate = codec.spec.sample_rate or _ANY_RATE
    clip = _noise(round(seconds * rate), seed=0)
    warm = clip[: len(clip) // 4]
    codec.decode(codec.encode([warm]), [len(warm)])
    encode_s, decode_s = [], []
    for _ in range(repeats):
        start = time.perf_counter()
        codes = codec.encode([clip])
        middle = time.perf_counter()
        codec.decode(codes, [len(clip)])
        encode_s.append(middle - start)
        decode_s.append(time.perf_counter() - middle)
    memory = _peak_memory(codec.device)
    torch = sys.modules.get("torch")
    return Speed(
        encode_rtf=statistics.median(encode_s) / seconds,
        decode_rtf=statistics.median(decode_s) / seconds,
        peak_memory_mb=memory / 1e6,
        lookahead_s=lookahead(codec),
        device=codec.device,
        threads=torch.get_num_threads() if torch else 1,
        weights=codec.weights.label,
        stream=streaming.measure(codec, clip) if isinstance(codec, StreamingCodec) else None,
    )


def lookahead(codec: Codec, seconds: float = 4.0) -> float:
    """How much later than an output sample the audio may be that it depends on, in seconds.

    Measured: the end of a noise clip is replaced by other noise, from four places within a frame
    (within 20 ms, if that is longer); the earliest output sample that changes tells, if it does so
    by more than 1e-6 of the peak and more than two equal runs differ. A quantizer may swallow a
    change that another clip would have passed on, so that this is a lower bound. It is infinite if
    the change reaches the first tenth of the clip: some layer then looks at all of it, as norms
    over time do, and streaming is out of the question.
    """
    spec = codec.spec
    rate = spec.sample_rate or _ANY_RATE
    hop = max(rate // 50, round(rate / spec.frame_rate) if spec.frame_rate else 1)
    clip, other = _noise(round(seconds * rate), seed=0), _noise(round(seconds * rate), seed=1)
    before = _through(codec, clip)
    noise = float(np.max(np.abs(_through(codec, clip) - before), initial=0.0))
    tolerance = max(noise, 1e-6 * float(np.max(np.abs(before), initial=0.0)))
    furthest = 0
    last = (3 * len(clip) // 4) // hop * hop
    for start in {last - 1 + quarter * hop // 4 for quarter in range(4)}:
        after = _through(codec, np.concatenate([clip[:start], other[start:]]))
        changed = np.flatnonzero(np.abs(after - before) > tolerance)
        if len(changed) and changed[0] < len(clip) // 10:
            return WHOLE_CLIP
        if len(changed):
            furthest = max(furthest, start - int(changed[0]))
    return furthest / rate


def _through(codec: Codec, clip: NDArray[np.float32]) -> NDArray[np.float64]:
    return codec.decode(codec.encode([clip]), [len(clip)])[0].astype(np.float64)


def _noise(length: int, seed: int) -> NDArray[np.float32]:
    """Noise with a falling spectrum, somewhat like speech in level and slope."""
    white = np.random.default_rng(seed).standard_normal(length + 8)
    smooth = np.convolve(white, np.ones(9) / 9, mode="valid")
    clip: NDArray[np.float32] = (0.1 * smooth / smooth.std()).astype(np.float32)
    return clip


def _peak_memory(device: str) -> float:
    if device != "cpu":
        import torch

        return float(torch.cuda.max_memory_allocated(device))
    try:
        # Not getrusage, which on Linux starts from the size of the process that forked this one.
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024.0
    except OSError:
        pass  # not Linux
    import resource

    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)  # bytes on macOS


def _main(order: Mapping[str, Any]) -> int:
    try:
        codec = load_codec(order["codec"], weights=order["weights"], device=order["device"])
        print(json.dumps(asdict(measure_here(codec))), flush=True)
    except Exception as error:  # a codec may be anybody's code; this line is all the parent reads
        why = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
        print(" ".join(why.split()), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main(json.loads(sys.argv[1])))
