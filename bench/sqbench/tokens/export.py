"""Tokens as arrays: one ``.npy`` a clip, and an index that says what each is."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from sqbench.atomic import write_bytes, write_text
from sqbench.errors import InputError
from sqbench.tokens.records import TokenRecord

INDEX = "index.csv"
HEADER = (
    "file", "codec", "codec_id", "source", "utterance", "text", "num_codebooks", "frames",
    "codebook_sizes", "seconds",
)  # fmt: skip


def export(records: Iterable[TokenRecord], out: Path, texts: Mapping[str, str]) -> int:
    """Write the codes ``[num_codebooks, frames]`` of every clip, as int32, and the index.

    Args:
        out: a folder; each codec has one of its own in it.
        texts: what is said in a clip, by utterance.

    Returns:
        How many clips were written.

    Raises:
        InputError: there are none, or the folder cannot be written to.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(HEADER)
    count = 0
    for record in records:
        if record.clip is None:
            continue
        name = re.sub(r"[^\w.+-]", "_", str(record.codec["name"]))
        file = f"{name}-{record.codec_id}/{count:06d}.npy"
        codes = np.asarray(record.clip.codes, np.int32)
        content = io.BytesIO()
        np.save(content, codes, allow_pickle=False)
        (out / file).parent.mkdir(parents=True, exist_ok=True)
        write_bytes(out / file, content.getvalue())
        sizes = " ".join(map(str, record.codec["codebook_sizes"]))
        writer.writerow(
            [
                file, record.codec["name"], record.codec_id, record.source, record.utterance,
                texts.get(record.utterance, ""), codes.shape[0], codes.shape[1], sizes,
                repr(record.clip.seconds),
            ]
        )  # fmt: skip
        count += 1
    if not count:
        raise InputError("tokens", expected="clips with codes", found="none")
    write_text(out / INDEX, stream.getvalue())
    return count
