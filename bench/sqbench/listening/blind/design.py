"""What a blind test compares: items, stimuli under names that say nothing, and trials.

Names are hashes of the seed and of what is named: the same command makes the same test.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from sqbench import audio
from sqbench.digest import digest
from sqbench.errors import InputError
from sqbench.listening import level
from sqbench.listening.blind import anchor
from sqbench.listening.run import Clip, Coder, Listening, Sound

Method = Literal["abx", "mushra"]
Role = Literal["reference", "system", "anchor"]
METHODS: tuple[str, ...] = get_args(Method)
ORIGINAL = "original"
"""The name of what was coded, as a system of an ABX test and as the hidden reference."""
TRIALS = 10
"""Of each pair of an ABX test, if nothing else is said."""


@dataclass(frozen=True, kw_only=True)
class Stimulus:
    """A sound under test.

    Attributes:
        id: what page and results call it.
        system: the codec's name, `ORIGINAL`, or the anchor's.
        gain: what its samples are multiplied by when played.
    """

    id: str
    item: str
    system: str
    role: Role
    codec_id: str
    weights: str
    gain: float
    sound: Sound


@dataclass(frozen=True, kw_only=True)
class Item:
    """A clip: what page and results call it, and what it is."""

    id: str
    utterance: str
    dataset: str
    domain: str


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What is presented together, in no order: two stimuli of ABX, all of an item of MUSHRA."""

    item: str
    stimuli: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Test:
    """A whole test.

    Attributes:
        id: changes with everything that a listener could hear.
        left_out: what is not tested, and why.
    """

    __test__ = False  # no test of pytest

    id: str
    method: Method
    seed: int
    match_level: bool
    items: tuple[Item, ...]
    stimuli: tuple[Stimulus, ...]
    trials: tuple[Trial, ...]
    left_out: tuple[str, ...]


def design(
    listening: Listening,
    method: Method,
    *,
    seed: int = 0,
    pairs: Sequence[tuple[str, str]] = (),
    trials: int = TRIALS,
    match_level: bool = False,
) -> Test:
    """A test of the clips that every codec has audio of.

    Args:
        pairs: of ABX: codecs, or `ORIGINAL`; by default each codec with the original.
        trials: of ABX: how many of each pair, shared out over the clips.

    Raises:
        InputError: no clip is left, a pair is unknown, or there are no trials.
    """
    names = _names(listening.coders)
    if trials < 1:
        raise InputError("--trials", expected="at least 1", found=str(trials))
    pairs = tuple(pairs) or tuple((ORIGINAL, name) for name in names.values())
    for pair in pairs:
        _check(pair, names)
    items: list[Item] = []
    stimuli: list[Stimulus] = []
    left_out: list[str] = []
    for clip in listening.clips:
        utterance = clip.item.utterance
        without = [v.coder.spec.name for v in clip.versions if v.sound is None]
        if clip.original is None or without:
            why = clip.problem or f"no audio of {', '.join(without)}"
            left_out.append(f"{utterance.id}: {why}")
            continue
        item = Item(
            id=f"c{digest(seed, 'item', utterance.id)[:10]}",
            utterance=utterance.id,
            dataset=utterance.dataset,
            domain=utterance.domain,
        )
        items.append(item)
        stimuli += _stimuli(clip, item, names, seed, match_level)
        if method == "mushra":
            stimuli += _anchors(clip, item, stimuli, seed, left_out)
    if not items:
        raise InputError(
            "blind test", expected="a clip with audio of every codec", found="; ".join(left_out)
        )
    if method == "mushra":
        planned = [
            Trial(item=item.id, stimuli=tuple(s.id for s in stimuli if s.item == item.id))
            for item in items
        ]
    else:
        planned = list(_abx(items, stimuli, pairs, trials))
    return Test(
        id=_identity(method, seed, match_level, planned, stimuli),
        method=method,
        seed=seed,
        match_level=match_level,
        items=tuple(items),
        stimuli=tuple(stimuli),
        trials=tuple(planned),
        left_out=tuple(left_out),
    )


def _names(coders: Sequence[Coder]) -> dict[str, str]:
    """A name for each codec's id, the id behind it where several have the name."""
    count = Counter(coder.spec.name for coder in coders)
    return {
        coder.codec_id: coder.spec.name
        if count[coder.spec.name] == 1
        else f"{coder.spec.name}@{coder.codec_id[:8]}"
        for coder in coders
    }


def _check(pair: tuple[str, str], names: dict[str, str]) -> None:
    known = [ORIGINAL, *names.values()]
    if any(name not in known for name in pair) or pair[0] == pair[1]:
        raise InputError(
            f"--pair {pair[0]} {pair[1]}", expected=f"two of {', '.join(known)}",
            found="one twice" if pair[0] == pair[1] else "another name",
        )  # fmt: skip


def _stimuli(
    clip: Clip, item: Item, names: dict[str, str], seed: int, match_level: bool
) -> Iterator[Stimulus]:
    assert clip.original is not None, "a clip under test has its original"
    sounds = [clip.original, *(v.sound for v in clip.versions if v.sound is not None)]
    gains = [1.0] * len(sounds)
    if match_level:
        gains = [gain.factor for gain in level.gains([(s.samples, s.rate) for s in sounds])]
    yield Stimulus(
        id=_stimulus_id(seed, item, "reference", ""), item=item.id, system=ORIGINAL,
        role="reference", codec_id="", weights="", gain=gains[0], sound=sounds[0],
    )  # fmt: skip
    for version, sound, gain in zip(clip.versions, sounds[1:], gains[1:], strict=True):
        coder = version.coder
        yield Stimulus(
            id=_stimulus_id(seed, item, "system", coder.codec_id), item=item.id,
            system=names[coder.codec_id], role="system", codec_id=coder.codec_id,
            weights=coder.weights.label, gain=gain, sound=sound,
        )  # fmt: skip


def _anchors(
    clip: Clip, item: Item, stimuli: Sequence[Stimulus], seed: int, left_out: list[str]
) -> Iterator[Stimulus]:
    assert clip.original is not None, "a clip under test has its original"
    samples, rate = clip.original.samples, clip.original.rate
    gain = next(s.gain for s in stimuli if s.item == item.id and s.role == "reference")
    for cutoff in anchor.CUTOFFS_HZ:
        name = anchor_name(cutoff)
        if not anchor.fits(rate, cutoff):
            left_out.append(f"{item.utterance}: {name}, as {rate} Hz has nothing above it")
            continue
        yield Stimulus(
            id=_stimulus_id(seed, item, "anchor", name), item=item.id, system=name, role="anchor",
            codec_id="", weights="", gain=gain,
            sound=Sound(anchor.low_pass(samples, rate, cutoff), rate),
        )  # fmt: skip


def anchor_name(cutoff_hz: float) -> str:
    """What tables call an anchor."""
    return f"anchor {cutoff_hz / 1000:g} kHz"


def _stimulus_id(seed: int, item: Item, role: Role, codec_id: str) -> str:
    return f"s{digest(seed, item.utterance, role, codec_id)[:10]}"


def _abx(
    items: Sequence[Item],
    stimuli: Sequence[Stimulus],
    pairs: Sequence[tuple[str, str]],
    trials: int,
) -> Iterator[Trial]:
    by_name = {(each.item, each.system): each.id for each in stimuli}
    for pair in pairs:
        for number in range(trials):
            item = items[number % len(items)].id
            yield Trial(item=item, stimuli=(by_name[item, pair[0]], by_name[item, pair[1]]))


def _identity(
    method: Method,
    seed: int,
    match_level: bool,
    trials: Sequence[Trial],
    stimuli: Sequence[Stimulus],
) -> str:
    heard = [
        (s.id, s.gain, hashlib.sha256(audio.flac16(s.sound.samples, s.sound.rate)).hexdigest())
        for s in stimuli
    ]
    return digest(method, seed, match_level, [(t.item, *t.stimuli) for t in trials], heard)
