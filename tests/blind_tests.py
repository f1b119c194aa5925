"""A small blind test with names that would do harm, and listeners that answer it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import audio_fixtures
import soundfile

from sqbench.data.base import Source, Utterance, category_of
from sqbench.engine.monitor import Quiet
from sqbench.listening.blind.key import Key
from sqbench.listening.run import Listening, listen
from sqbench_codecs import CodecSpec, Waveform
from sqbench_codecs.controls import MuLaw8

CLIPS = ("<script>alert(1)</script>.wav", 'say "hi" & bye.wav', "plain.wav")
CODECS = ("</script><script>alert(2)</script>", "\"'><img src=x onerror=alert(3)>")


class Inline:
    """An executor in this process."""

    def map(
        self, function: Callable[[Any], Any], items: Iterable[Any]
    ) -> Iterator[tuple[int, Any]]:
        yield from ((at, function(item)) for at, item in enumerate(items))


class Clips(Source):
    """Voices of a second and a half."""

    name = "<b>clips</b>"
    location = "here"

    def utterances(self) -> Iterator[Utterance]:
        for seed, name in enumerate(CLIPS):
            content = io.BytesIO()
            samples = audio_fixtures.babble(1.5, seed=seed)
            soundfile.write(content, samples, 16000, format="WAV", subtype="PCM_16")
            yield Utterance(
                id=name, dataset="set", category=category_of("speech"), domain="speech",
                payload=content.getvalue(), labels={"text": "<i>words</i>"},
            )  # fmt: skip


def _spec(name: str) -> CodecSpec:
    return CodecSpec(
        name=name, sample_rate=None, frame_rate=None, codebook_sizes=(256,), bitrate_bps=None
    )


class First(MuLaw8):
    """Half as loud."""

    spec = _spec(CODECS[0])

    def decode(self, codes: Any, lengths: Any) -> list[Waveform]:
        return [0.5 * x for x in super().decode(codes, lengths)]


class Second(MuLaw8):
    spec = _spec(CODECS[1])


@lru_cache(maxsize=1)
def coded() -> Listening:
    """The clips through both codecs, not scored."""
    source = Clips()
    clips = list(source.utterances())
    return listen([First(), Second()], source, clips, Inline(), Quiet(), score=False)


def abx_file(
    path: Path, key: Key, listener: str, right: Callable[[int], bool], **changes: Any
) -> Path:
    """A sitting in which ``right(number)`` says whether a trial is answered rightly."""
    trials = []
    for number, trial in enumerate(key.trials):
        a, b = trial.stimuli
        x = (a, b)[number % 2]
        true = "a" if x == a else "b"
        answer = true if right(number) else {"a": "b", "b": "a"}[true]
        trials.append({"item": trial.item, "a": a, "b": b, "x": x, "answer": answer})
    return _write(path, key, listener, trials, changes)


def mushra_file(
    path: Path, key: Key, listener: str, score: Callable[[str, str], float], **changes: Any
) -> Path:
    """A sitting in which ``score(system, item)`` rates."""
    trials = [
        {
            "item": trial.item,
            "ratings": [
                {"stimulus": s, "score": score(key.stimuli[s].system, trial.item)}
                for s in reversed(trial.stimuli)
            ],
        }
        for trial in key.trials
    ]
    return _write(path, key, listener, trials, changes)


def _write(
    path: Path, key: Key, listener: str, trials: Sequence[Any], changes: dict[str, Any]
) -> Path:
    content = {
        "format": "sqbench-blind-results", "version": 1, "method": key.method, "test": key.test,
        "listener": listener, "started": "2026-11-25T10:00:00Z", "trials": trials,
    }  # fmt: skip
    path.write_text(json.dumps({**content, **changes}))
    return path
