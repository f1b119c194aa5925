"""Statistics of the decoder's norms for streams, of bundled weights: `sqcodec/bundled/norms.json`.

    python tools/stream_norms.py FOLDER [--setting 6k] [--clips 100] [--compare]

Takes the mean over clips of a folder of training audio, a few of each folder in it. ``--compare``
then says on other clips of it how much audio of a stream differs from that of the offline decoder,
by how many seconds of a clip they are worth.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from sqbench import audio
from sqbench.data import open_source
from sqbench.data.base import Utterance
from sqcodec import SQCodec
from sqcodec.inference import norms

OUT = Path("sqcodec/bundled") / norms.FILE
SECONDS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, math.inf)
LONGEST_S = 10.0


def samples(codec: SQCodec, clip: Utterance) -> torch.Tensor:
    """The first seconds of a clip ``[T]``."""
    found, rate = audio.read(clip.path or clip.content(), name=clip.id)
    found = audio.first_channel(found)[: round(LONGEST_S * rate)]
    return torch.from_numpy(audio.resample(found, rate, codec.sample_rate).astype(np.float32))


def deviation_db(codec: SQCodec, codes: torch.Tensor, seconds: float) -> float:
    """Level of a stream's difference from the offline decoder's audio, below that audio."""
    whole = codec.decode(codes)
    stream = codec.stream(norm_seconds=seconds).decoder
    parts = torch.cat([stream.push(codes), stream.flush()])
    return float(10 * torch.log10(whole.square().mean() / (parts - whole).square().mean()))


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__)
    parse.add_argument("folder")
    parse.add_argument("--setting", default="6k")
    parse.add_argument("--clips", type=int, default=100)
    parse.add_argument("--compare", action="store_true")
    options = parse.parse_args()
    codec = SQCodec.from_pretrained(options.setting, "bundled")
    every = sorted(open_source(options.folder, domain="speech").utterances(), key=lambda u: u.id)
    taken = every[:: max(1, len(every) // options.clips)]
    found = norms.NormStatistics.mean(
        [codec.norm_statistics(codec.encode(samples(codec, clip))) for clip in taken]
    )
    known = json.loads(OUT.read_text("utf-8"))
    known[codec.weights.sha256] = asdict(found)
    OUT.write_text(json.dumps(known, indent=1) + "\n", "utf-8")
    print(f"{len(taken)} clips: {OUT}")
    if options.compare:
        norms._known.cache_clear()
        others = [clip for clip in every if clip not in taken]
        others = others[:: max(1, len(others) // 16)]
        coded = [codec.encode(samples(codec, clip)) for clip in others]
        for seconds in SECONDS:
            levels = [deviation_db(codec, codes, seconds) for codes in coded]
            print(f"{seconds:5g} s: {np.mean(levels):.2f} dB, least {min(levels):.2f}")


if __name__ == "__main__":
    main()
