"""Write audio into shards that training streams: ``python -m sqcodec.train.shards``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sqcodec.errors import InputError
from sqcodec.train.data.listing import list_files
from sqcodec.train.data.shards import write


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parse = argparse.ArgumentParser(
        prog="python -m sqcodec.train.shards", description=__doc__, allow_abbrev=False
    )
    parse.add_argument("--data", type=Path, nargs="+", required=True, help="folders, manifests")
    parse.add_argument("--out", type=Path, required=True, help="folder for the shards")
    parse.add_argument("--shard-mb", type=int, default=512, help="size of a shard (default: 512)")
    parse.add_argument("--seed", type=int, default=0, help="of the order in which clips lie")
    return parse


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0, or 1 where nothing could be written."""
    options = parser().parse_args(arguments)
    try:
        if options.shard_mb < 1:
            raise InputError("--shard-mb", expected="at least 1", found=str(options.shard_mb))
        entries = list_files(options.data).entries
        # Mixed: a window of a few shards is then a fair part of the whole.
        order = np.random.default_rng(options.seed).permutation(len(entries))
        mixed = [entries[i] for i in order]
        paths = write(mixed, options.out, shard_bytes=options.shard_mb << 20)
    except InputError as error:
        print(f"sqcodec.train.shards: error: {error}", file=sys.stderr)
        return 1
    print(f"{len(entries)} files in {len(paths)} shards. Next: --data {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
