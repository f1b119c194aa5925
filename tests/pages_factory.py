"""Results for the tests of pages: two families of two codecs, a control, hostile names, audio."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import results_factory as make
from audio_fixtures import write_wav

from sqbench.store import reader
from sqbench.store.reader import Store

LOW = make.describe("opus-6k", weights="none", bitrate_bps=6000.0, macs_g=None, params_m=None)
HIGH = make.describe("opus-12k", weights="none", bitrate_bps=12000.0, macs_g=None, params_m=None)
NET = make.describe(
    "sqcodec-6k", bitrate_bps=5989.0, codebook_sizes=[117649], macs_g=74.29, params_m=11.21
)
NET_HIGH = make.describe(
    "sqcodec-12k", bitrate_bps=11978.0, codebook_sizes=[117649], macs_g=130.7, params_m=11.18
)
IDENTITY = make.describe("identity", weights="none", bitrate_bps=None, macs_g=None, params_m=None)
HOSTILE = make.describe("</script><script>alert(\"1\")</script><b title='x'>&", bitrate_bps=900.0)
FAMILY = (LOW, HIGH, NET, NET_HIGH, IDENTITY)


def records(codec: dict[str, Any], *, shift: float, bits: float, n: int = 4) -> list[Any]:
    made = make.full(codec, n=n, shift=shift)
    for each in made:
        if each["kind"] == "coding":
            each["bits"], each["duration_s"] = bits * 2.0, 2.0
    return made


def family(n: int = 4) -> list[Any]:
    """Records of `FAMILY`: opus gets better with its bits, the control is near perfect."""
    shifts = {"opus-6k": 0.0, "opus-12k": 1.0, "sqcodec-6k": 0.4, "identity": 5.0}
    shifts["sqcodec-12k"] = 1.4
    bits = {"opus-6k": 6050.0, "opus-12k": 12050.0, "sqcodec-6k": 6325.0, "identity": 256000.0}
    bits["sqcodec-12k"] = 12240.0
    return [
        each
        for codec in FAMILY
        for each in records(codec, shift=shifts[codec["name"]], bits=bits[codec["name"]], n=n)
    ]


def store(out: Path, *, n: int = 4, lose: bool = False) -> Store:
    """Results of `FAMILY`; with ``lose`` one clip of opus-6k has no PESQ."""
    made = family(n)
    if lose:
        for each in made:
            if (each["codec"], each["metric"], each["utterance"]) == (
                "opus-6k", "pesq", "quesst/01",
            ):  # fmt: skip
                make.lose(each, "undefined", "a side is silent")
    make.write(out, make.run(FAMILY, n=n), made)
    return reader.load(out)


def with_audio(out: Path, data: Path) -> Store:
    """As `store`, with decoded clips of opus-6k in the run's folder, and originals in ``data``."""
    made = [
        record
        for codec in FAMILY
        for record in make.full(codec, source="clips", shift=0.0 if codec is LOW else 1.0)
    ]
    clips = {f"{name}.wav": clip for name, clip in make.selection(made).items()}
    for each in made:
        each["utterance"] += ".wav"
    folder = make.write(
        out, make.run(FAMILY, source="clips", clips=clips, location=str(data)), made
    )
    tone = 0.1 * np.sin(np.arange(8000) * 0.2)
    for name in clips:
        write_wav(data / name, tone)
        write_wav(folder / "audio" / "opus-6k" / name, tone)
    return reader.load(out)
