"""Limits of gradients: Paddle's own, with constructors that a config can be checked against."""

from __future__ import annotations

from collections.abc import Sequence

import paddle
from paddle import Tensor, nn

from paddlevideo.registry import CLIPS
from paddlevideo.solver.checks import check_factor
from paddlevideo.types import Node


@CLIPS.register
class GlobalNorm(nn.ClipGradByGlobalNorm):
    """Scale all gradients together so that their common L2 norm is at most `clip_norm`."""

    def __init__(self, clip_norm: float) -> None:
        check_factor("GlobalNorm: clip_norm", clip_norm, above_zero=True)
        super().__init__(clip_norm)


@CLIPS.register
class ParameterNorm(nn.ClipGradByNorm):
    """Scale the gradient of each parameter so that its L2 norm is at most `clip_norm`."""

    def __init__(self, clip_norm: float) -> None:
        check_factor("ParameterNorm: clip_norm", clip_norm, above_zero=True)
        super().__init__(clip_norm)


@CLIPS.register
class ValueRange(nn.ClipGradByValue):
    """Cut every number of a gradient off at `max` and `min`, or `-max` without it."""

    def __init__(self, max: float, min: float | None = None) -> None:
        check_factor("ValueRange: max", max, above_zero=True)
        if min is not None and not min < max:
            raise ValueError(f"ValueRange: min should be less than max, got {min} and {max}")
        super().__init__(max, min)


class Clip:
    """What is done to all gradients before the weights move; nothing without a config node.

    An optimizer with groups would limit the norm of each group by itself, so it is not the optimizer that does it.
    """

    def __init__(self, node: Node | None) -> None:
        self.inner = None if node is None else CLIPS.build(node)

    @paddle.no_grad()
    def __call__(self, parameters: Sequence[Tensor]) -> None:
        """Limit the gradients that these parameters have."""
        if self.inner is None:
            return
        pairs = [(parameter, parameter.grad) for parameter in parameters if parameter.grad is not None]
        for parameter, gradient in self.inner(pairs):
            parameter.grad = gradient
