"""Pocketsphinx with the acoustic model, dictionary and language model that its package carries.

A small recogniser of the 2000s: it errs on every other word of read speech, and a codec must do
clear damage to be seen. Its word error rate is no other recogniser's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from importlib import metadata
from typing import Any

import numpy as np

from sqbench.tasks.evaluators.base import Waveform, WorkerEvaluator
from sqbench.tasks.words import normaliser

OPTIONS: Mapping[str, Any] = {"fwdflat": False, "maxhmmpf": 3000, "maxwpf": 20, "topn": 2}
"""One pass with narrow beams: as many words right on clean speech, in half the time."""


class Sphinx(WorkerEvaluator):
    """Hypotheses by pocketsphinx."""

    task = "asr"
    name = "pocketsphinx"
    sample_rate = 16_000

    def load(self, read: object) -> None:
        """See `Evaluator.load`; the normaliser is missed here rather than after an hour."""
        normaliser()

    @cached_property
    def identity(self) -> Mapping[str, Any]:
        return {"pocketsphinx": metadata.version("pocketsphinx"), **OPTIONS}

    def listener(self) -> Callable[[Waveform], dict[str, Any]]:
        return recognise


def recognise(waveform: Waveform) -> dict[str, Any]:
    """The words heard in ``[T]`` at 16 kHz."""
    from pocketsphinx import Decoder

    # A decoder keeps its running mean of cepstra: with one of them, results depend on the order.
    decoder = Decoder(samprate=16_000, loglevel="FATAL", **OPTIONS)
    samples = np.clip(np.rint(waveform * 32768.0), -32768, 32767).astype("<i2")
    decoder.start_utt()
    decoder.process_raw(samples.tobytes(), full_utt=True)
    decoder.end_utt()
    found = decoder.hyp()
    return {"hypothesis": found.hypstr if found is not None else ""}
