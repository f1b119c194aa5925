"""Crops: what is drawn, and what becomes of it."""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from train_fixtures import speech_and_music

from sqcodec.errors import InputError
from sqcodec.train.data.corpus import Corpus
from sqcodec.train.data.crops import Loader, Prefetcher, level, low_pass
from sqcodec.train.data.sampler import SPEEDS, Crop, Part, Sampler
from sqcodec.train.recipes.sections import Data

PLAIN = Data(mix_probability=0.0, speed_probability=0.0, band_probability=0.0, gain_db=0.0)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return Corpus([speech_and_music(tmp_path / "train")], 16000, tmp_path / "cache")


def _sampler(corpus: Corpus, seed: int = 0, **changes: Any) -> Sampler:
    recipe = dataclasses.replace(Data(), **changes)
    return Sampler(corpus.clips, length=4000, recipe=recipe, seed=seed)


def test_a_batch_depends_on_seed_and_index_alone(corpus: Corpus) -> None:
    sampler = _sampler(corpus)
    assert sampler.batch(5, 3) == _sampler(corpus).batch(5, 3)
    assert sampler.batch(5, 3) != sampler.batch(6, 3)
    assert sampler.batch(5, 3) != _sampler(corpus, seed=1).batch(5, 3)


def test_batches_take_turns_between_domains(corpus: Corpus) -> None:
    ends = {c.start + c.length: c.domain for c in corpus.clips}

    def domain(crop: Crop) -> str:
        return ends[min(end for end in ends if end > crop.part.start)]

    sampler = _sampler(corpus, mix_probability=0.0)
    turns = [{domain(crop) for crop in sampler.batch(i, 4)} for i in range(6)]
    assert all(len(turn) == 1 for turn in turns)
    assert turns[0] != turns[1]
    assert turns[:2] == turns[2:4] == turns[4:]
    weighted = _sampler(corpus, domains={"speech": 3.0, "music": 1.0})
    assert Counter(weighted.turn(i) for i in range(100)) == {"speech": 75, "music": 25}
    # Evenly, not in blocks.
    assert len({weighted.turn(i) for i in range(4)}) == 2


def test_mixed_batches_draw_each_crop_by_weight(corpus: Corpus) -> None:
    sampler = _sampler(corpus, alternate=False, domains={"speech": 1.0, "music": 0.0})
    speech = {i for c in corpus.clips if c.domain == "speech" for i in (c.start,)}
    assert speech
    ends = sorted((c.start, c.domain) for c in corpus.clips)
    for crop in sampler.batch(0, 32):
        assert [d for start, d in ends if start <= crop.part.start][-1] == "speech"


def test_a_share_of_crops_is_silence(corpus: Corpus) -> None:
    sampler = _sampler(corpus, silence_probability=0.25)
    crops = [crop for index in range(50) for crop in sampler.batch(index, 4)]
    silent = [crop for crop in crops if crop == Crop(part=Part(0, 0))]
    assert 30 <= len(silent) <= 70
    batch = Loader(corpus, 4000, torch.device("cpu"), normalise=True).load([silent[0], crops[0]])
    assert not batch[0].any()
    assert 0.0 not in {crop.part.length for crop in _sampler(corpus).batch(0, 50)}


def test_an_unknown_domain_is_an_error(corpus: Corpus) -> None:
    with pytest.raises(InputError, match="opera"):
        _sampler(corpus, domains={"opera": 1.0})


def test_loading_without_treatment_gives_the_samples(corpus: Corpus) -> None:
    loader = Loader(corpus, 4000, torch.device("cpu"), normalise=False)
    crop = Crop(part=Part(1000, 4000), gain=-0.5)
    audio = loader.load([crop, Crop(part=Part(2000, 100))])
    expected = corpus.samples[1000:5000] / 32768.0 * -0.5
    np.testing.assert_allclose(audio[0].numpy(), expected, atol=1e-7)
    assert torch.equal(audio[1, 100:], torch.zeros(3900))


def test_mixing_adds_the_other_at_its_gain(corpus: Corpus) -> None:
    loader = Loader(corpus, 4000, torch.device("cpu"), normalise=False)
    both = loader.load([Crop(part=Part(0, 4000), other=Part(20000, 4000), other_gain=0.25)])
    alone = loader.load([Crop(part=Part(0, 4000)), Crop(part=Part(20000, 4000))])
    torch.testing.assert_close(both[0], alone[0] + 0.25 * alone[1])


@pytest.mark.parametrize("speed", SPEEDS, ids=str)
def test_speed_moves_a_tone(speed: tuple[int, int], tmp_path: Path) -> None:
    import audio_fixtures

    tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(32000) / 16000)
    audio_fixtures.write_wav(tmp_path / "train/a.wav", tone)
    corpus = Corpus([tmp_path / "train"], 16000, tmp_path / "cache")
    loader = Loader(corpus, 16000, torch.device("cpu"), normalise=False)
    new, old = speed
    (audio,) = loader.load([Crop(part=Part(0, -(-16000 * old // new)), speed=speed)])
    peak = int(torch.fft.rfft(audio * torch.hann_window(16000)).abs().argmax())
    assert peak == pytest.approx(1000 * old / new, abs=1.5)


def test_low_pass_removes_what_is_above_and_nothing_else() -> None:
    t = torch.arange(16000) / 16000
    low, high = torch.sin(2 * torch.pi * 500 * t), torch.sin(2 * torch.pi * 6000 * t)
    filtered = low_pass((low + high)[None], [0.5])[0]
    assert float((filtered - low).abs().max()) < 5e-3


def test_level_brings_the_loudest_to_three_quarters_and_leaves_silence() -> None:
    x = 0.1 * torch.sin(torch.arange(8000) * 0.1)[None]
    assert float(level(x).abs().max()) == pytest.approx(0.75, rel=1e-3)
    assert torch.equal(level(x * 0.01), x * 0.01)


def test_the_level_is_the_mean_of_exactly_the_loudest_thousandth() -> None:
    """Ten of ten thousand samples; nine or eleven of them have another mean."""
    x = torch.full((10000,), 0.1)
    x[:5], x[5:10] = 0.6, -0.4
    torch.testing.assert_close(level(x[None]), 1.5 * x[None])


def test_level_is_per_item() -> None:
    x = torch.sin(torch.arange(8000) * 0.1)
    both = level(torch.stack([0.1 * x, 0.5 * x]))
    torch.testing.assert_close(both[0], both[1])


def test_augmented_batches_stay_in_range_and_are_finite(corpus: Corpus) -> None:
    sampler = _sampler(
        corpus, mix_probability=0.5, speed_probability=0.5, band_probability=0.5, gain_db=-20.0
    )
    loader = Loader(corpus, 4000, torch.device("cpu"), normalise=True)
    audio = loader.load(sampler.batch(0, 64))
    assert audio.shape == (64, 4000)
    assert bool(audio.isfinite().all())
    assert float(audio.abs().max()) <= 1.0
    assert float(audio.abs().amax(1).min()) > 0.0


def test_prefetching_keeps_the_order_and_passes_errors_on() -> None:
    def make(index: int) -> Tensor:
        if index == 6:
            raise OSError("gone")
        time.sleep(0.01 * (index % 2))
        return torch.tensor(index)

    batches = Prefetcher(make, 3)
    try:
        assert [int(next(batches)) for _ in range(3)] == [3, 4, 5]
        with pytest.raises(OSError, match="gone"):
            next(batches)
    finally:
        batches.close()
