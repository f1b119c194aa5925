"""What a codec costs: parameters, multiply-adds, seconds, memory. Imports torch where it runs."""

from sqbench.counting.macs import SECONDS, Operations, operations
from sqbench.counting.parameters import Parameters, parameters
from sqbench_codecs import Codec

__all__ = ["SECONDS", "Operations", "Parameters", "count", "operations", "parameters"]


def count(codec: Codec) -> dict[str, float | None]:
    """Multiply-adds and parameters of a codec, by the uniform convention (`operations`).

    Returns:
        ``macs_g`` in 1e9 multiply-adds for `SECONDS` of audio and ``params_m`` in 1e6; both
        ``None`` if not neural.
    """
    blueprint = codec.blueprint()
    if blueprint is None:
        return {"macs_g": None, "params_m": None}
    network = blueprint.build()
    return {
        "macs_g": operations(network, codec.spec, blueprint.parts).total / 1e9,
        "params_m": parameters(network, blueprint.parts).total / 1e6,
    }
