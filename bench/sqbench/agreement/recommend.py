"""What to report, and why: a paragraph for speech, music and tokens.

Figures of agreement come from the table of `known`; the rest says where it comes from.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqbench.agreement.known import known
from sqbench.errors import InputError

TOPICS = ("speech", "music", "tokens")


def recommend(topic: str) -> str:
    """A paragraph.

    Raises:
        InputError: there is none of that name.
    """
    texts = {"speech": _speech, "music": _music, "tokens": _tokens}
    if topic not in texts:
        raise InputError(f"--recommend {topic}", expected=f"one of {', '.join(TOPICS)}")
    return texts[topic]()


def _speech() -> str:
    figures = _said(("visqol", "stft-distance", "mel", "distillmos", "stoi", "pesq", "sdr"))
    return (
        "Speech codecs: report the protocol's four (they are comparable with published rows), and "
        "beside them visqol and stft-distance, one opinion without reference (distillmos offline, "
        "utmos where the hub can be reached), spk-sim and WER (sqbench run --suite perceptual, "
        "--suite application). Papers of 2025 and 2026 have UTMOS, DNSMOS, speaker similarity and "
        "WER as columns (Discrete Audio Tokens, JMLR 2025; UltraEval-Audio, ACL 2026). Rank "
        f"generative codecs by what agrees with listeners: {figures} of pairs in their order. "
        "That traditional metrics undervalue generative models was found elsewhere too "
        "(Interspeech 2025, arXiv 2506.00950). At low rates say the words are right (WER): a codec "
        "can sound clean and say something else. Details: docs/which-metric.md."
    )


def _music() -> str:
    return (
        "Music and sounds: report visqol (audio mode, 48 kHz), mel-distance and stft-distance, as "
        "DAC does (Kumar et al. 2023, section 4), and si-sdr-aligned for codecs that keep the "
        "waveform, with delay beside it: a few samples late cost SI-SDR many dB that nobody hears. "
        "STOI, PESQ, DNSMOS, DistillMOS and UTMOS are of speech and have no value here; nor is "
        f"there a rated music set in the table of agreement ({_sets()}): trust a listening test "
        "above all of them. Spectral distances follow the sample rate: compare at one rate only. "
        "Details: docs/which-metric.md."
    )


def _tokens() -> str:
    return (
        "Tokenizers for language models: reconstruction is not the question alone. Report token "
        "rate and bits beside WER and spk-sim (sqbench run --suite all; Discrete Audio Tokens, "
        "JMLR 2025), use of the codebooks and stability of codes under re-encoding and small "
        "shifts (sqbench tokens; unit edit distance under noise in StableToken, a submission to "
        f"ICLR 2026), and one opinion of quality: {_said(('visqol', 'distillmos'))} of pairs in "
        "listeners' order. Low SDR or PESQ is no fault of a tokenizer that synthesises speech "
        "anew. Details: docs/which-metric.md."
    )


def _said(metrics: Iterable[str]) -> str:
    there = known()
    parts = [f"{name} puts {there[name].accuracy:.2f}" for name in metrics if name in there]
    return f"on {_sets()} (0.5 is chance) {', '.join(parts)}"


def _sets() -> str:
    return ", ".join(dict.fromkeys(each.set for each in known().values()))
