"""A few clips of a source: spread over what it holds, or by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from sqbench.errors import InputError

from .base import ALL, DOMAINS, Source, Utterance

Item = TypeVar("Item")


def spread(source: Source, count: int) -> list[Utterance]:
    """Up to ``count`` clips, as evenly over domains, and sets within, as there are clips.

    Within a set they lie at even distances. The choice is the same every time.

    Raises:
        InputError: ``count`` is below 1, or the source is empty or cannot be read.
    """
    if count < 1:
        raise InputError("clips", expected="at least 1", found=str(count))
    domains: dict[str, dict[str, list[Utterance]]] = {domain: {} for domain in (*DOMAINS, ALL)}
    for utterance in source.utterances():
        domains[utterance.domain].setdefault(utterance.dataset, []).append(utterance)
    if not any(domains.values()):
        raise InputError(f"data {source.location}", expected="at least one clip", found="none")
    sizes = [sum(map(len, sets.values())) for sets in domains.values()]
    return [
        clips[i * len(clips) // share]
        for sets, of_domain in zip(domains.values(), _shares(count, sizes), strict=True)
        for clips, share in zip(
            sets.values(), _shares(of_domain, [len(clips) for clips in sets.values()]), strict=True
        )
        for i in range(share)
    ]


def _shares(count: int, sizes: Sequence[int]) -> list[int]:
    """``count`` dealt out in turn to groups of these sizes, none of them given more than it has."""
    shares = [0] * len(sizes)
    left = min(count, sum(sizes))
    while left:
        for i, size in enumerate(sizes):
            if left and shares[i] < size:
                shares[i] += 1
                left -= 1
    return shares


def in_turn(
    items: Iterable[Item], limit: int, group: Callable[[Item], str], *, at_once: int = 1
) -> list[Item]:
    """Up to ``limit`` items, dealt in turn from groups in the order in which these appear.

    So few clips of a set sorted by class are clips of many classes; more of them always contain
    the fewer.

    Args:
        at_once: items of a group taken in a turn.
    """
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(group(item), []).append(item)
    found: list[Item] = []
    for turn in range(0, max(map(len, groups.values()), default=0), at_once):
        for of_group in groups.values():
            found += of_group[turn : turn + at_once]
            if len(found) >= limit:
                return found[:limit]
    return found


def named(source: Source, ids: Sequence[str]) -> list[Utterance]:
    """The clips of these ids, in this order, each once.

    Raises:
        InputError: an id is unknown (suggests the nearest), or the source cannot be read.
    """
    known = {utterance.id: utterance for utterance in source.utterances()}
    for name in ids:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
            near += [i for i in known if name in i and i not in near][: 3 - len(near)]
            raise InputError(
                f"utterance {name!r}",
                expected=f"an id of {source.name}",
                found="none of this name",
                remedy=f"Did you mean {' or '.join(near)}?" if near else "",
            )
    return [known[name] for name in dict.fromkeys(ids)]
