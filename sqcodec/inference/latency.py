"""How far a stream is behind what it hears, from the setting alone. Importable without torch.

No convolution of the published network is causal: each looks ahead by half of its width, which adds
up at the rate at which it runs. Attention is causal, and quantizing looks at nothing else. A stream
waits for exactly what a sample depends on, so that these figures are what it does, not a bound.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqcodec.config import SQCodecConfig

TCONV_AHEAD = 2 * 22 + 3
"""The widest envelope of the encoder's TConv (maximum and mean over 45), and a kernel of 7."""
UNIT_AHEAD = 3
TECONV_AHEAD = 2 * 4 + 3 * 5
"""The widest envelope of a gate (both over 9), and a kernel of 7 with dilation 5."""
LAST_AHEAD = 3 * (1 + 3 + 9) + 3


@dataclass(frozen=True, kw_only=True)
class Latency:
    """In samples of audio.

    Attributes:
        frame: of a code: it cannot be known before its last sample is heard.
        encoder: that the encoder needs after a code's last one.
        decoder: after an output sample, of codes, in their samples.
        total: the most that the last sample heard is ahead of the last one given back.
        first: heard before any is given back.
        sample_rate: in Hz.
    """

    frame: int
    encoder: int
    decoder: int
    total: int
    first: int
    sample_rate: int

    @property
    def seconds(self) -> float:
        return self.total / self.sample_rate


def latency(config: SQCodecConfig) -> Latency:
    """The algorithmic latency of a stream of a setting."""
    hop = config.hop
    # The first outputs are no measure: what lies before the beginning is known to be silent.
    far = 1000 * hop
    behind = [heard_for(config, codes_for(config, n)) - n for n in range(far + 1, far + 1 + hop)]
    wait = [codes_for(config, n) * hop - n for n in range(far + 1, far + 1 + hop)]
    return Latency(
        frame=hop,
        encoder=heard_for(config, 1000) - far,
        # Of a code's first sample, the code itself is not ahead.
        decoder=max(wait) - (hop - 1),
        total=max(behind),
        first=heard_for(config, codes_for(config, 1)),
        sample_rate=config.sample_rate,
    )


def heard_for(config: SQCodecConfig, codes: int) -> int:
    """Samples that the encoder must have heard for its first ``codes`` codes."""
    need = codes * config.compress_rate + 1
    need += UNIT_AHEAD * config.encoder_depths[-1]
    for rate, depth in zip(
        reversed(config.encoder_rates), reversed(config.encoder_depths[:-1]), strict=True
    ):
        need = need * rate + UNIT_AHEAD * depth
    return need + (TCONV_AHEAD if config.tconv else 3)


def codes_for(config: SQCodecConfig, samples: int) -> int:
    """Codes that the decoder must have for its first ``samples`` samples."""
    need = samples + LAST_AHEAD
    for rate, depth in zip(
        reversed(config.decoder_rates), reversed(config.decoder_depths), strict=True
    ):
        need = upsampled_from(need, rate) + UNIT_AHEAD * depth
        need += TECONV_AHEAD if config.teconv else 0
    need += 1
    return need if config.compress_rate == 1 else upsampled_from(need, config.compress_rate)


def upsampled_from(outputs: int, rate: int) -> int:
    """Inputs of a linear upsampling that its first ``outputs`` need."""
    return (2 * outputs + 3 * rate - 1) // (2 * rate)


def upsampled_to(inputs: int, rate: int) -> int:
    """Outputs of a linear upsampling that its first ``inputs`` give: those in front of the last.

    The one that lies on the last is not among them. Its position is rounded, so that it may depend
    on the next input too.
    """
    return rate * (2 * inputs - 1) // 2 if inputs else 0
