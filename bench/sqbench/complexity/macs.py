"""Multiply-adds by one convention for every codec: the default of all tables.

The convention: torch's own operation counter (convolutions, matrix products, attention; an LSTM
as the matrix products that it is) on one forward of `SECONDS` seconds of audio, encoding and
decoding, with the padding that the codec adds, halved, as that counter takes a multiply and an add
for two. Transposed convolutions count at their input positions, where they multiply. What has no
formula there (norms, activations, pooling, Fourier transforms) is listed, not guessed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqbench.complexity.lstm import unrolled
from sqbench.complexity.parameters import Parts, part_of
from sqbench_codecs import CodecSpec

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.utils.flop_counter import FlopCounterMode

SECONDS = 10


@dataclass(frozen=True, kw_only=True)
class Operations:
    """Multiply-adds for `SECONDS` seconds of audio.

    Attributes:
        total: all that are counted.
        by_part: of each part; ``other`` for what no part's ``forward`` did, only if there is any.
        not_counted: operations that ran and have no formula, with the number of calls. Views,
            which compute nothing, are left out.
    """

    total: float
    by_part: Mapping[str, float]
    not_counted: Mapping[str, int]

    @property
    def per_s(self) -> float:
        """Multiply-adds for a second of audio, as the mean over `SECONDS`."""
        return self.total / SECONDS


def audio_for(spec: CodecSpec, seconds: float = SECONDS) -> Tensor:
    """Silence on the meta device, in the shape that a blueprint's network takes."""
    import torch

    assert spec.sample_rate is not None, "a network runs at one rate"
    length = round(seconds * spec.sample_rate)
    shape = (1, length) if spec.channels == 1 else (1, spec.channels, length)
    return torch.zeros(shape, device="meta")


def operations(network: nn.Module, spec: CodecSpec, parts: Parts) -> Operations:
    """Count the multiply-adds of ``network``, which must be on the meta device.

    Only there does an LSTM come apart into the products that it is made of: on a CPU it is one
    fused kernel that the counter does not see.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    flops = {part: 0 for part in parts if part != "unused"}
    with torch.no_grad(), _listing(counter) as calls, counter, ExitStack() as hooks:
        for name, module in network.named_modules():
            if (part := part_of(name, parts)) != "other":
                _attribute(module, part, flops, counter, hooks)
        with unrolled(network):
            network(audio_for(spec))
    total = counter.get_total_flops()
    if rest := total - sum(flops.values()):
        flops["other"] = rest
    return Operations(
        total=total / 2,
        by_part={part: count / 2 for part, count in flops.items()},
        not_counted=dict(calls.most_common()),
    )


def _attribute(
    module: nn.Module,
    part: str,
    flops: dict[str, int],
    counter: FlopCounterMode,
    hooks: ExitStack,
) -> None:
    """Give what ``module``'s forward does to ``part``, unless a module around it has it already."""
    before: list[tuple[int, int]] = []

    def enter(*_: Any) -> None:
        before.append((counter.get_total_flops(), sum(flops.values())))

    def leave(*_: Any) -> None:
        total, given = before.pop()
        inner = sum(flops.values()) - given
        flops[part] = flops.get(part, 0) + counter.get_total_flops() - total - inner

    hooks.callback(module.register_forward_pre_hook(enter).remove)
    hooks.callback(module.register_forward_hook(leave).remove)


@contextmanager
def _listing(counter: FlopCounterMode) -> Iterator[Counter[str]]:
    """Count the calls of operations that ``counter``, entered inside, has no formula for."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    calls: Counter[str] = Counter()

    class Listing(TorchDispatchMode):  # type: ignore[no-untyped-call]
        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            packet = func.overloadpacket
            view = func.is_view or packet is torch.ops.aten._unsafe_view
            if packet not in counter.flop_registry and not view:
                calls[str(packet)] += 1
            operation: Callable[..., Any] = func
            return operation(*args, **(kwargs or {}))

    with Listing():  # type: ignore[no-untyped-call]
        yield calls
