"""What ViSQOL compares: the similarity of two signals by band, and how it varies over patches.

Both signals' gammatone spectrograms, patches of the reference matched in the estimate, each pair
aligned to the sample and compared again. Follows ViSQOL 3 as `visqol-python` has it, rounding of
times and rules for ends included.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sqbench.metrics.base import Samples, Undefined
from sqbench.metrics.perceptual import gammatone, neurogram
from sqbench.metrics.perceptual.neurogram import Likeness

Array = NDArray[np.float64]

FLOOR_DB, RANGE_DB = -45.0, 45.0


@dataclass(frozen=True)
class Mode:
    """What differs between audio and speech.

    Attributes:
        patch: frames of a patch.
        voiced: whether only patches with voice activity count.
    """

    rate: int
    bands: int
    highest_hz: float
    patch: int
    voiced: bool

    @property
    def filters(self) -> gammatone.Filters:
        return gammatone.filters_for(self.rate, self.bands, self.highest_hz)


AUDIO = Mode(48_000, 32, 24_000.0, 30, voiced=False)
SPEECH = Mode(16_000, 21, 8_000.0, 20, voiced=True)


@dataclass(frozen=True)
class Features:
    """What mappers see, by band ``[bands]``: the mean of similarity over patches, that of its
    lowest tenth, its standard deviation, and the estimate's level."""

    mean: Array
    low: Array
    deviation: Array
    energy: Array


def features(reference: Samples, estimate: Samples, mode: Mode) -> Features:
    """Compare ``[T]`` with ``[T']``, both at the mode's rate and not silent.

    Raises:
        Undefined: they are too short, or no patch has speech.
    """
    filters = mode.filters
    _, estimate = aligned(reference, estimate)
    # Both as loud as the reference; energies are over each one's own length.
    estimate = estimate * np.sqrt(np.mean(np.square(reference)) / np.mean(np.square(estimate)))
    for samples in (reference, estimate):
        if samples.shape[0] <= filters.size:
            raise Undefined(f"shorter than a window of {gammatone.WINDOW_S:g} s")
    raw = [gammatone.spectrogram(samples, filters) for samples in (reference, estimate)]
    levels = above_floor(*raw)
    places = _voiced_places(levels[0], reference, mode) if mode.voiced else _places(levels[0], mode)
    # A patch whose middle lies beyond the estimate's end cannot be found.
    places = [place for place in places if place - mode.patch // 2 <= levels[1].shape[1]]
    if not places:
        raise Undefined("no patch of the reference has speech in it")
    patches = [levels[0][:, place : place + mode.patch] for place in places]
    matched = neurogram.match(patches, places, levels[1])
    frame_s = filters.hop / mode.rate
    likenesses = []
    seconds = []
    for patch, place, (frame, lost) in zip(patches, places, matched, strict=True):
        part = neurogram.cut(levels[1], frame, mode.patch)
        found = neurogram.likeness(patch, part)
        duration = _between(place * frame_s, frame_s * mode.patch)
        if lost:
            found = replace(found, means=np.zeros_like(found.means), lost=True)
        else:
            starts = (place * frame_s, frame * frame_s)
            again = _realigned((reference, estimate), raw, starts, mode)
            if again is not None and again[0].similarity >= found.similarity:
                found, duration = again
        likenesses.append(found)
        seconds.append(duration)
    return _pooled(likenesses, seconds, frame_s)


def above_floor(reference: Array, estimate: Array) -> tuple[Array, Array]:
    """Spectrograms in dB above their common floor: -45 dB, and 45 dB below a frame's peak."""
    both = []
    for raw in (reference, estimate):
        level = 10.0 * np.log10(np.where(raw == 0.0, np.finfo(np.float64).eps, raw))
        both.append(np.maximum(level, FLOOR_DB))
    common = min(level.shape[1] for level in both)
    peaks = np.maximum(*(level[:, :common].max(axis=0) for level in both)) - RANGE_DB
    for level in both:
        np.maximum(level[:, :common], peaks, out=level[:, :common])
    lowest = min(float(level.min()) for level in both)
    return both[0] - lowest, both[1] - lowest


def aligned(reference: Samples, estimate: Samples) -> tuple[int, Samples]:
    """The lag of the estimate by the correlation of envelopes, and the estimate moved by it.

    A positive lag puts zeros before the estimate, a negative one cuts its beginning off. Beyond
    half the reference's length nothing is moved, and the lag is zero.
    """
    lag = best_lag(envelope(reference), envelope(estimate))
    if lag == 0 or abs(lag) > reference.shape[0] / 2:
        return 0, estimate
    if lag < 0:
        return lag, estimate[-lag:]
    return lag, np.concatenate([np.zeros(lag), estimate])


def envelope(samples: Samples) -> Samples:
    """Magnitude of the analytic signal of ``[T]`` about its mean, plus the mean."""
    from scipy import fft

    mean = float(np.mean(samples))
    centred = samples - mean
    spectrum = fft.rfft(centred)
    spectrum[0] = 0.0
    if samples.shape[0] % 2 == 0:
        spectrum[-1] = 0.0
    quadrature = fft.irfft(-1j * spectrum, samples.shape[0])
    return np.asarray(np.sqrt(np.square(centred) + np.square(quadrature)) + mean)


def best_lag(reference: Samples, estimate: Samples) -> int:
    """Where the correlation is largest: positive where the estimate has to be moved back."""
    from scipy import fft

    length = max(reference.shape[0], estimate.shape[0])
    points = fft.next_fast_len(2 * length - 1, real=True)
    product = fft.rfft(reference, points) * np.conj(fft.rfft(estimate, points))
    correlation = fft.irfft(product, points)
    most: int = length - 1
    lags = np.concatenate([correlation[points - most :], correlation[: most + 1]])
    return int(np.argmax(lags)) - most


def _places(level: Array, mode: Mode) -> list[int]:
    """First frames of patches, side by side from half a patch on."""
    count, first = level.shape[1], mode.patch // 2
    if count < mode.patch + first:
        shortest = (mode.patch + first - 1 + gammatone.HOPS) * gammatone.WINDOW_S / gammatone.HOPS
        raise Undefined(f"shorter than a patch and a half ({shortest:.2f} s)")
    return [i - 1 for i in range(first, max(count - mode.patch, first + 1), mode.patch)]


def _voiced_places(level: Array, reference: Samples, mode: Mode) -> list[int]:
    """First frames of the patches in which a frame has voice activity."""
    hop, first = mode.filters.hop, mode.patch // 2 - 1
    patches = (level.shape[1] - first) // mode.patch
    if patches < 1:
        raise Undefined("shorter than a patch")
    # Peaks are brought to 1 by the largest sample, positive or not, as ViSQOL does.
    highest = float(np.max(reference))
    if highest <= 0.0:
        raise Undefined("the reference has no positive sample")
    data = (reference / highest)[first : first + patches * mode.patch * hop]
    whole = np.trunc(np.clip(data * 32768.0, -32768.0, 32767.0))
    chunks = whole[: whole.shape[0] // hop * hop].reshape(-1, hop)
    loud = np.sqrt(np.mean(np.square(chunks), axis=1)) >= 5000.0
    # Silent is a chunk that follows two silent ones; the first two are taken for active.
    active = np.ones(loud.shape[0], dtype=bool)
    active[2:] = loud[2:] | loud[1:-1] | loud[:-2]
    return [
        first + i * mode.patch
        for i in range(patches)
        if active[i * mode.patch : (i + 1) * mode.patch].any()
    ]


def _realigned(
    signals: tuple[Samples, Samples], raw: list[Array], starts: tuple[float, float], mode: Mode
) -> tuple[Likeness, float] | None:
    """A patch compared again, its two parts of the signals aligned to the sample.

    Args:
        raw: the spectrograms of the signals, of which whole columns are taken where they fit.
        starts: in seconds.

    Returns:
        Its likeness and seconds, or ``None`` where too little is left.
    """
    filters = mode.filters
    duration = filters.hop / mode.rate * mode.patch
    parts = [
        _slice(samples, start, start + duration, mode.rate)
        for samples, start in zip(signals, starts, strict=True)
    ]
    reference, at = parts[0][0], [part[1] for part in parts]
    lag, estimate = aligned(reference, parts[1][0])
    if lag < 0:
        at[1] = None if at[1] is None else at[1] - lag
    elif lag > 0 and reference.shape[0] < estimate.shape[0]:
        # The zeros before the estimate are cut off again, with as much of the reference. Through
        # seconds and back a sample may be lost, as it is in ViSQOL.
        before = int(lag / mode.rate * mode.rate)
        reference, estimate = reference[before:], estimate[before:]
        at[0] = None if at[0] is None else at[0] + before
        at[1] = at[1] if before == lag else None
    elif lag > 0:
        at[1] = None
    length = min(reference.shape[0], estimate.shape[0])
    if length <= filters.size:
        return None
    levels = above_floor(
        *(
            _columns(samples[:length], whole, place, filters)
            for samples, whole, place in zip((reference, estimate), raw, at, strict=True)
        )
    )
    start = starts[0] + max(lag, 0) / mode.rate
    return neurogram.likeness(*levels), _between(start, length / mode.rate)


def _between(start: float, duration: float) -> float:
    """Seconds from a patch's start to its end as ViSQOL has them: rounded, so that a patch may
    count a frame more."""
    return (start + duration) - start


def _slice(samples: Samples, start: float, end: float, rate: int) -> tuple[Samples, int | None]:
    """Seconds of a signal, and the first sample's place in it, where there is one.

    Beyond its end there are zeros, which ViSQOL puts in front.
    """
    first, last = max(0, int(start * rate)), min(samples.shape[0] - 1, int(end * rate))
    part = samples[first:last]
    beyond = end * rate - samples.shape[0]
    if beyond > 0:
        return np.concatenate([np.zeros(int(beyond)), part]), None
    return part, first


def _columns(
    samples: Samples, whole: Array, place: int | None, filters: gammatone.Filters
) -> Array:
    """The spectrogram of a part; columns of the whole one where they are of the same samples."""
    if place is None or place % filters.hop:
        return gammatone.spectrogram(samples, filters)
    first = place // filters.hop
    return whole[:, first : first + 1 + (samples.shape[0] - filters.size) // filters.hop]


def _pooled(likenesses: list[Likeness], seconds: list[float], frame_s: float) -> Features:
    means = np.array([each.means for each in likenesses])
    deviations = np.array([each.deviations for each in likenesses])
    mean = means.mean(axis=0)
    lowest = np.sort(means, axis=0)[: max(1, int(len(likenesses) * 0.1))].mean(axis=0)
    frames = np.ceil(np.array(seconds) / frame_s)[:, None]
    total = float(frames.sum())
    spread = ((frames - 1) * deviations**2 + frames * means**2).sum(axis=0) - mean**2 * total
    variance = spread / (total - 1) if total > 1 else np.zeros_like(mean)
    energy = np.array([each.energy for each in likenesses]).mean(axis=0)
    return Features(mean, lowest, np.sqrt(np.maximum(variance, 0.0)), energy)
