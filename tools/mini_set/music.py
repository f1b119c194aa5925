"""Ten short pieces, each by another way of synthesis and with another timbre."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from scipy import signal

from tools.mini_set.dsp import Clip, Wave, band, finish, generator, mix_at, noise, reverb
from tools.mini_set.instruments import Rng, Voice, drums, fm, organ, piano, plucked, saws


def hz(note: float) -> float:
    """Frequency of a MIDI note number."""
    return float(440.0 * 2 ** ((note - 69) / 12))


def play(
    score: Sequence[tuple[float, float, float]], voice: Voice, rng: Rng, rate: int, total_s: float
) -> Wave:
    """Render (start in s, MIDI note, length in s) with small human timing and loudness errors."""
    out = np.zeros(round(total_s * rate))
    for start, note, length in score:
        at = max(0.0, start + rng.normal(0, 0.004))
        mix_at(out, voice(hz(note), length), round(at * rate), rng.uniform(0.75, 1.0))
    return out


def arpeggio(
    chords: Sequence[Sequence[int]], step_s: float, ring_s: float
) -> list[tuple[float, float, float]]:
    """The notes of each chord one after the other."""
    notes = [note for chord in chords for note in chord]
    return [(0.03 + i * step_s, note, ring_s) for i, note in enumerate(notes)]


def block(
    chords: Sequence[Sequence[int]], step_s: float, length_s: float
) -> list[tuple[float, float, float]]:
    """Each chord struck at once."""
    return [(0.03 + i * step_s, note, length_s) for i, chord in enumerate(chords) for note in chord]


def _guitar(rng: Rng, rate: int) -> Wave:
    chords = [(52, 59, 64, 67, 71, 67), (48, 55, 60, 64, 67, 64), (55, 59, 62, 67, 71, 67)]
    wave = play(arpeggio(chords, 0.24, 1.6), plucked(rng, rate, 0.7, 3.0), rng, rate, 4.2)
    body = band(wave, rate, 90, 260)
    return reverb(wave + 0.6 * body, rng, rate, 0.6, 0.15)


def _band(rng: Rng, rate: int) -> Wave:
    kit = {"kick": "x...o.x.x.......", "snare": "....x.......x..o", "hat": "x.o.x.o.x.o.x.oo"}
    beat = drums(rng, rate, 4.2, 112, kit)
    line = [40, 40, 43, 45, 40, 47, 45, 43] * 3
    low = play(
        [(0.02 + i * 0.268, n, 0.27) for i, n in enumerate(line[:17])],
        plucked(rng, rate, 0.3, 1.2),
        rng,
        rate,
        4.2,
    )
    chords = play(
        block([(64, 67, 71), (64, 69, 72)] * 2, 1.07, 0.9),
        fm(rate, 1.0, 2.0, 1.2, 0.004),
        rng,
        rate,
        4.2,
    )
    return reverb(beat + 1.2 * low + 0.25 * chords, rng, rate, 0.4, 0.08)


def _synth(rng: Rng, rate: int) -> Wave:
    riff = arpeggio(
        [(57, 64, 69, 72), (57, 65, 69, 74), (55, 62, 67, 71), (52, 59, 64, 68)], 0.15, 0.2
    )
    riff += [(start + 2.4, note + 12, length) for start, note, length in riff]
    wave = play(riff, saws(rng, rate, 3, 0.006, 0.0, 0.005), rng, rate, 4.2)
    out = np.zeros_like(wave)
    state, hop = np.zeros((2, 2)), rate // 200
    for start in range(0, wave.size, hop):  # a resonant low-pass that opens and closes
        cutoff = 500 * 2 ** (2.0 - 1.9 * np.cos(2 * np.pi * start / rate / 2.4))
        sos = signal.cheby1(4, 3.0, cutoff, fs=rate, output="sos")
        out[start : start + hop], state = signal.sosfilt(sos, wave[start : start + hop], zi=state)
    echo = np.zeros_like(out)
    mix_at(echo, out, round(0.225 * rate), 0.4)
    return out + echo


def _piano(rng: Rng, rate: int) -> Wave:
    score = block(
        [(45, 57, 60, 64), (41, 57, 60, 65), (43, 55, 59, 62), (48, 55, 60, 64)], 1.2, 1.3
    )
    tune = [76, 74, 72, 71, 72, 74, 76, 79, 77, 74, 71, 67, 72]
    score += [(0.03 + 0.36 * i, note, 0.7) for i, note in enumerate(tune)]
    return reverb(play(score, piano(rng, rate), rng, rate, 4.2), rng, rate, 1.0, 0.15)


def _electric(rng: Rng, rate: int) -> Wave:
    score = block([(53, 60, 64, 69), (50, 60, 65, 69), (55, 59, 65, 69)], 1.5, 1.5)
    score += [(0.4 + 0.31 * i, n, 0.5) for i, n in enumerate([81, 79, 76, 77, 72, 74, 76, 69, 71])]
    return reverb(
        play(score, fm(rate, 14.0, 0.5, 2.0, 0.002), rng, rate, 4.2)
        + play(score, fm(rate, 1.0, 1.1, 2.0, 0.004), rng, rate, 4.2),
        rng,
        rate,
        0.5,
        0.1,
    )


def _brass(rng: Rng, rate: int) -> Wave:
    calls = [(0.05, 58, 0.3), (0.4, 62, 0.3), (0.75, 65, 0.9), (1.8, 65, 0.2), (2.05, 67, 0.2)]
    calls += [(2.3, 70, 1.3), (2.3, 65, 1.3), (2.3, 62, 1.3), (2.3, 46, 1.3), (3.7, 58, 0.6)]
    return reverb(play(calls, fm(rate, 1.0, 4.5, 4.0, 0.06), rng, rate, 4.5), rng, rate, 1.4, 0.3)


def _organ(rng: Rng, rate: int) -> Wave:
    chords = [(48, 55, 64, 67), (53, 57, 65, 69), (55, 59, 62, 67), (48, 55, 60, 64)]
    return reverb(play(block(chords, 1.15, 1.2), organ(rate), rng, rate, 4.2), rng, rate, 2.0, 0.5)


def _strings(rng: Rng, rate: int) -> Wave:
    chords = [(50, 57, 65, 69), (46, 58, 62, 70), (45, 57, 61, 64)]
    wave = play(block(chords, 1.5, 1.65), saws(rng, rate, 4, 0.004, 0.004, 0.18), rng, rate, 4.2)
    rosin = band(noise(rng, wave.size, rate, -3.0), rate, 1500, None) * np.abs(wave)
    return reverb(band(wave, rate, None, 5000) + 0.08 * rosin, rng, rate, 1.5, 0.4)


def _kit(rng: Rng, rate: int) -> Wave:
    solo = {
        "kick": "x..o..x...x.x...",
        "snare": "....x..o.o..x.oo",
        "hat": "xoxoxoxxxoxoxoxo",
        "tom": "..........o.xx.x",
    }
    return reverb(drums(rng, rate, 4.2, 126, solo), rng, rate, 0.5, 0.1)


def _harp(rng: Rng, rate: int) -> Wave:
    scale = [50, 54, 57, 62, 66, 69, 74, 78, 81, 86, 81, 78, 74, 69, 66, 62]
    score = [(0.03 + 0.12 * i, note, 1.8) for i, note in enumerate(scale * 2)]
    return reverb(play(score, plucked(rng, rate, 0.35, 4.0), rng, rate, 4.2), rng, rate, 1.6, 0.3)


PIECES: dict[str, tuple[Callable[[Rng, int], Wave], int, str]] = {
    "guitar": (_guitar, 44100, "folk"),
    "piano": (_piano, 24000, "classical"),
    "drums": (_kit, 32000, "rock"),
    "strings": (_strings, 24000, "classical"),
    "synthesiser": (_synth, 24000, "electronic"),
    "organ": (_organ, 24000, "church"),
    "band": (_band, 32000, "funk"),
    "electric_piano": (_electric, 32000, "soul"),
    "brass": (_brass, 24000, "fanfare"),
    "harp": (_harp, 24000, "impressionist"),
}


def clips() -> Iterator[Clip]:
    """All pieces."""
    for index, (instrument, (make, rate, genre)) in enumerate(PIECES.items()):
        name = f"music/{instrument}"
        rng = generator(name)
        yield Clip(
            id=name,
            dataset="mini_music",
            domain="music",
            rate=rate,
            wave=finish(make(rng, rate), rng, rate, peak_db=-3.0 - index % 4),
            labels={"instrument": instrument, "genre": genre},
        )
