"""Multiply-adds by one convention for every codec: the default of all tables.

The convention: torch's own operation counter (convolutions, matrix products, attention; an LSTM
as the matrix products that it is) on one forward of `SECONDS` seconds of audio, encoding and
decoding, with the padding that the codec adds, halved, as that counter takes a multiply and an add
for two. Transposed convolutions count at their input positions, where they multiply. What has no
formula there (norms, activations, pooling, Fourier transforms) is listed, not guessed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqbench.counting.lstm import unrolled
from sqbench.counting.parameters import Parts, part_of
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
        by_part: of each part; ``other`` for what no part has, only if there is any.
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


def audio_for(spec: CodecSpec) -> Tensor:
    """`SECONDS` of silence on the meta device, in the shape that a blueprint's network takes."""
    import torch

    assert spec.sample_rate is not None, "a network runs at one rate"
    return torch.zeros(1, round(SECONDS * spec.sample_rate), device="meta")


def operations(network: nn.Module, spec: CodecSpec, parts: Parts) -> Operations:
    """Count the multiply-adds of ``network``, which must be on the meta device.

    Only there does an LSTM come apart into the products that it is made of: on a CPU it is one
    fused kernel that the counter does not see.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    flops = Counter(dict.fromkeys((part for part in parts if part != "unused"), 0))
    calls: Counter[str] = Counter()
    counter = FlopCounterMode(display=False)
    attributing = _attributing(network, parts, counter, flops, calls)
    with torch.no_grad(), unrolled(network), attributing, counter:
        network(audio_for(spec))
    assert flops.total() == counter.get_total_flops()
    return Operations(
        total=flops.total() / 2,
        by_part={part: count / 2 for part, count in flops.items()},
        not_counted=dict(calls.most_common()),
    )


@contextmanager
def _attributing(
    network: nn.Module,
    parts: Parts,
    counter: FlopCounterMode,
    flops: Counter[str],
    calls: Counter[str],
) -> Iterator[None]:
    """Attribute what ``counter``, entered inside, counts, and list what it does not.

    An operation belongs to the part whose module is at work; outside any forward (a quantizer's
    ``encode`` may be a plain method), to the part that one of its operands belongs to.
    """
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    at_work: list[str] = []
    owners = {
        tensor.untyped_storage()._cdata: part_of(name, parts)
        for name, tensor in (*network.named_parameters(), *network.named_buffers())
    }

    def owner(operands: Any) -> str:
        found = (owners.get(x.untyped_storage()._cdata) for x in operands if torch.is_tensor(x))
        return next(filter(None, found), "other")

    class Listing(TorchDispatchMode):  # type: ignore[no-untyped-call]
        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            packet, options = func.overloadpacket, kwargs or {}
            out = func(*args, **options)
            if formula := counter.flop_registry.get(packet):
                part = at_work[-1] if at_work else owner(args)
                flops[part] += formula(*args, **options, out_val=out)
            elif not (func.is_view or packet is torch.ops.aten._unsafe_view):
                calls[str(packet)] += 1
            return out

    with ExitStack() as hooks, Listing():  # type: ignore[no-untyped-call]
        for name, module in network.named_modules():
            if (part := part_of(name, parts)) != "other":
                enter = module.register_forward_pre_hook(lambda *_, part=part: at_work.append(part))
                leave = module.register_forward_hook(lambda *_: at_work.pop() and None)
                hooks.callback(enter.remove)
                hooks.callback(leave.remove)
        yield
