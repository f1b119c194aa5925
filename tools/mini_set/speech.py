"""Speech by flite's recorded-speaker voices and, for variety, espeak-ng; sentences are our own."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr
from scipy import linalg, signal

from tools.mini_set.dsp import Clip, Wave, band, finish, generator, level_db, noise, reverb

SHARED = (
    "Please leave the keys on the kitchen table.",
    "The morning train was late again today.",
    "She bought fresh bread and a jar of honey.",
)

OWN = {
    "awb": (
        "We walked along the river until the lamps came on, and then turned back for supper.",
        "Could you tell me which platform the coast train leaves from this afternoon?",
        "The old bridge is closed.",
        "Put the blue cups back on the shelf.",
        "What a wonderful surprise to see you here!",
        "Nobody knows we are hiding in here.",
    ),
    "kal": (
        "The weather report promised sunshine, but my shoes are still wet from the walk.",
        "If the shop is closed, we can borrow a ladder from the school across the road.",
        "Turn left at the church.",
        "The soup needs a little more salt.",
        "The children are building a castle from boxes!",
        "Close the door and keep your voice down.",
    ),
    "rms": (
        "Every bus in the city stops beside the market, so we will be there before noon.",
        "He measured the window twice and still cut the curtain far too short.",
        "Thank you for waiting.",
        "Two grey cats slept under the stairs.",
        "You should have heard the crowd sing along!",
        "The baby has finally fallen asleep.",
    ),
    "slt": (
        "My brother plays the cello badly, yet the whole street comes out to listen to him.",
        "There is enough paint for the fence, but the gate will have to wait until spring.",
        "I lost my yellow scarf.",
        "The lake was calm and very cold.",
        "Look at all those kites above the beach!",
        "Meet me behind the library after dark.",
    ),
}

STYLES = ("fast", "fast", "slow", "slow", "high", "whisper")
"""Style of each speaker's own sentences; the shared ones are neutral."""

ESPEAK = (
    ("en-gb", 160, "The parcel should arrive before the weekend."),
    ("en-gb-scotland", 150, "The ferry crosses the bay at sunset."),
    ("en-us+f3", 165, "Nobody remembered to water the plants."),
)

HIGH = 1.16
"""How far the high style is raised: the voice is drawn out, then played faster."""

STRETCH = {"neutral": 1.0, "fast": 0.72, "slow": 1.4, "high": HIGH, "whisper": 1.1}


def _run(command: list[str], out: Path) -> tuple[Wave, int]:
    subprocess.run(command, check=True, capture_output=True)
    wave, rate = soundfile.read(out, dtype="float64")
    return wave, int(rate)


def _trim(wave: Wave, rate: int, keep_s: float = 0.08) -> Wave:
    """Cut the silence at both ends down to ``keep_s``."""
    loud = np.flatnonzero(np.abs(wave) > 0.02 * np.max(np.abs(wave)))
    keep = round(keep_s * rate)
    return wave[max(0, loud[0] - keep) : loud[-1] + keep]


def _whisper(wave: Wave, rng: np.random.Generator, rate: int) -> Wave:
    """Linear prediction with the voice replaced by noise of the same level and envelope."""
    hop, order = round(0.01 * rate), 18
    window = np.hanning(2 * hop + 1)[:-1]
    emphasised = np.append(wave[0], wave[1:] - 0.95 * wave[:-1])
    out = np.zeros(wave.size + 2 * hop)
    for start in range(0, wave.size - 2 * hop, hop):
        frame = emphasised[start : start + 2 * hop] * window
        r = np.correlate(frame, frame, "full")[2 * hop - 1 : 2 * hop + order]
        if r[0] < 1e-9:
            continue
        r[0] *= 1.0001
        a = linalg.solve_toeplitz(r[:order], r[1 : order + 1])
        error = max(r[0] - a @ r[1 : order + 1], 0.0)
        excitation = rng.standard_normal(2 * hop) * np.sqrt(error / np.sum(window**2))
        out[start : start + 2 * hop] += window * signal.lfilter(
            [1.0], np.append(1.0, -a), excitation
        )
    return band(out[: wave.size], rate, 150, None)


def _speak(speaker: str, style: str, text: str, rng: np.random.Generator) -> tuple[Wave, int]:
    voice = "kal16" if speaker == "kal" else speaker
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "speech.wav"
        setting = f"duration_stretch={STRETCH[style]}"
        command = ["flite", "-voice", voice, "--setf", setting, "-t", text, "-o", str(out)]
        wave, rate = _run(command, out)
    if style == "high":
        wave = np.asarray(soxr.resample(wave, rate * HIGH, rate, quality="VHQ"))
    wave = _trim(wave, rate)
    return (_whisper(wave, rng, rate) if style == "whisper" else wave), rate


def _place(wave: Wave, condition: str, rng: np.random.Generator, rate: int) -> Wave:
    """Put clean speech in its surroundings; the noise is 14 dB below the speech."""
    if condition == "reverberant":
        tail = np.append(wave, np.zeros(round(0.25 * rate)))
        return reverb(tail, rng, rate, rng.uniform(0.4, 0.7), 0.5)
    if condition == "noisy":
        street = noise(rng, wave.size, rate, -4.0)
        return wave + street * 10 ** ((level_db(wave) - 14 - level_db(street)) / 20)
    return wave


def _condition(index: int) -> str:
    """One clip in ten is noisy, one in ten reverberant, spread over speakers and styles."""
    return {4: "noisy", 7: "reverberant"}.get(index % 11, "clean")


def clips() -> Iterator[Clip]:
    """All utterances, speakers in turn, so that any beginning of the list holds every speaker."""
    plan = [
        (speaker, "neutral" if i < len(SHARED) else STYLES[i - len(SHARED)], text)
        for i in range(len(SHARED) + len(STYLES))
        for speaker in OWN
        for text in [(*SHARED, *OWN[speaker])[i]]
    ]
    count = dict.fromkeys(OWN, 0)
    for index, (speaker, style, text) in enumerate(plan):
        name = f"speech/{speaker}_{count[speaker]:02d}_{style}"
        count[speaker] += 1
        rng = generator(name)
        wave, rate = _speak(speaker, style, text, rng)
        condition = _condition(index)
        if index == 29:  # one clip at a studio's rate, its room noise at that rate as well
            wave, rate = np.asarray(soxr.resample(wave, rate, 48000, quality="VHQ")), 48000
        wave = _place(wave, condition, rng, rate)
        labels = {"text": text, "speaker": speaker, "style": style, "condition": condition}
        yield Clip(
            id=name,
            dataset="mini_speech",
            domain="speech",
            rate=rate,
            wave=finish(wave, rng, rate, peak_db=rng.uniform(-11, -3), floor_db=-72.0),
            labels=labels | {"synthesiser": "flite"},
        )
    for index, (voice, speed, text) in enumerate(ESPEAK):
        name = f"speech/espeak_{index:02d}_neutral"
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "speech.wav"
            command = ["espeak-ng", "-v", voice, "-s", str(speed), "-w", str(out), text]
            wave, rate = _run(command, out)
        labels = {"text": text, "speaker": f"espeak-{voice}", "style": "neutral"}
        yield Clip(
            id=name,
            dataset="mini_speech",
            domain="speech",
            rate=rate,
            wave=finish(
                _trim(wave, rate), generator(name), rate, peak_db=-5.0 - index, floor_db=-72.0
            ),
            labels=labels | {"condition": "clean", "synthesiser": "espeak-ng"},
        )
