"""Loss-weight clamping (paper, Eq. 2, in the form that SQCodec's successor L3AC computes)."""

from __future__ import annotations

from torch import Tensor


def clamp_term(value: Tensor, maximum: float, reference: Tensor | None = None) -> Tensor:
    """``L`` where it is below ``M``, else ``L`` scaled to ``M`` by a constant.

    The value is ``min(L, M)`` and the gradient that of ``L`` times ``min(1, M/|L|)``: a large
    term pulls no harder than ``M``, whereas ``min(L, M)`` itself would stop pulling.

    The map is not linear. Where ranks hold parts of a batch, the whole batch's loss has to decide
    on the scale, or the step depends on how the batch was divided.

    Args:
        value: the loss ``L``, a scalar.
        maximum: ``M``, above 0.
        reference: what decides on the scale in place of ``value``, such as its mean over the
            ranks. No gradient flows through it.

    Returns:
        The scaled ``value``, a scalar.
    """
    deciding = (value if reference is None else reference).detach()
    # Below the maximum the scale is exactly 1, and a loss of 0 divides nothing.
    return value * (maximum / deciding.clamp_min(maximum))
