"""Which few clips of a source are taken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import pytest

from sqbench.data.base import Source, Utterance, category_of
from sqbench.data.choose import named, spread
from sqbench.data.mini import MiniSource
from sqcodec.errors import InputError


class Sets(Source):
    """Clips ``set/number`` of sets ``domain-name``, as many as told."""

    name = location = "sets"

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self.sizes = sizes

    def utterances(self) -> Iterator[Utterance]:
        for dataset, size in self.sizes.items():
            domain = dataset.split("-")[0]
            for i in range(size):
                yield Utterance(
                    id=f"{dataset}/{i}",
                    dataset=dataset,
                    category=category_of(domain),
                    domain=domain,
                    payload=b"",
                )


@pytest.mark.parametrize(
    ("sizes", "count", "expected"),
    [
        ({"general-a": 9, "music-a": 9, "speech-a": 9}, 4, {"speech": 2, "music": 1, "general": 1}),
        ({"general-a": 9, "music-a": 1, "speech-a": 9}, 7, {"speech": 3, "music": 1, "general": 3}),
        ({"speech-a": 2}, 9, {"speech": 2}),
        ({"general-a": 9, "speech-a": 9}, 1, {"speech": 1}),
    ],
)
def test_domains_have_equal_shares(
    sizes: Mapping[str, int], count: int, expected: Mapping[str, int]
) -> None:
    found = spread(Sets(sizes), count)
    assert Counter(clip.domain for clip in found) == expected
    assert len({clip.id for clip in found}) == len(found)
    assert found == spread(Sets(sizes), count)


def test_sets_of_a_domain_have_equal_shares_and_distances() -> None:
    found = spread(Sets({"speech-large": 100, "speech-small": 3}), 6)
    assert [clip.id for clip in found] == [
        "speech-large/0", "speech-large/33", "speech-large/66",
        "speech-small/0", "speech-small/1", "speech-small/2",
    ]  # fmt: skip


def test_of_the_mini_set_every_domain() -> None:
    assert [clip.domain for clip in spread(MiniSource(), 4)] == [
        "speech", "speech", "music", "general"
    ]  # fmt: skip


def test_named_clips_come_in_the_order_asked_for_and_once() -> None:
    source = Sets({"speech-a": 3})
    found = named(source, ["speech-a/2", "speech-a/0", "speech-a/2"])
    assert [clip.id for clip in found] == ["speech-a/2", "speech-a/0"]


def test_what_cannot_be_chosen() -> None:
    with pytest.raises(InputError, match=r"Did you mean .*speech/kal_00_neutral\.flac"):
        named(MiniSource(), ["speech/kal_00_neutral.wav"])
    with pytest.raises(InputError, match="speech/kal_00_neutral"):
        named(MiniSource(), ["kal_00"])
    with pytest.raises(InputError, match="at least 1"):
        spread(MiniSource(), 0)
    with pytest.raises(InputError, match="at least one clip"):
        spread(Sets({}), 1)
