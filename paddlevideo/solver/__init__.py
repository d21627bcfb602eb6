"""Optimizers and learning rate schedules: Paddle's own, with constructors that a config can be checked against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from paddle import nn, optimizer
from paddle.optimizer import lr

from paddlevideo.registry import OPTIMIZERS, SCHEDULES
from paddlevideo.types import Node


@OPTIMIZERS.register
class Adam(optimizer.Adam):
    """Adam; `weight_decay` is added to the gradient (L2)."""

    def __init__(
        self,
        learning_rate: Any,
        parameters: Any,
        weight_decay: float = 0.0,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
    ) -> None:
        super().__init__(learning_rate, beta1, beta2, epsilon, parameters, weight_decay)


@OPTIMIZERS.register
class AdamW(optimizer.AdamW):
    """Adam with decoupled weight decay."""

    def __init__(
        self,
        learning_rate: Any,
        parameters: Any,
        weight_decay: float = 0.01,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
    ) -> None:
        super().__init__(learning_rate, beta1, beta2, epsilon, parameters, weight_decay)


@OPTIMIZERS.register
class Momentum(optimizer.Momentum):
    """Stochastic gradient descent with momentum; `weight_decay` is added to the gradient (L2)."""

    def __init__(
        self,
        learning_rate: Any,
        parameters: Any,
        weight_decay: float = 0.0,
        momentum: float = 0.9,
        use_nesterov: bool = False,
    ) -> None:
        super().__init__(learning_rate, momentum, parameters, use_nesterov, weight_decay)


@SCHEDULES.register
class MultiStepDecay(lr.MultiStepDecay):
    """Multiply the rate by `gamma` after each of the `milestones`, in epochs."""

    def __init__(self, learning_rate: float, milestones: Sequence[int], gamma: float = 0.1) -> None:
        super().__init__(learning_rate, list(milestones), gamma)


@SCHEDULES.register
class CosineAnnealingDecay(lr.CosineAnnealingDecay):
    """Follow half a cosine from `learning_rate` to `eta_min` over `T_max` epochs."""

    def __init__(self, learning_rate: float, T_max: int, eta_min: float = 0.0) -> None:  # noqa: N803 - Paddle's name
        super().__init__(learning_rate, T_max, eta_min)


def build_optimizer(node: Node, model: nn.Layer) -> Any:
    """An optimizer over all trainable parameters.

    Args:
        node: `name` and arguments of an optimizer; `learning_rate` is a number or the node of a schedule, which is
            stepped after every epoch.
        model: whose parameters move.

    Raises:
        TypeError: no learning rate, or one that is not a number.
    """
    rate = node.get("learning_rate")
    if isinstance(rate, Mapping):
        rate = SCHEDULES.build(rate)
    elif not isinstance(rate, (int, float)) or isinstance(rate, bool):
        raise TypeError(f"OPTIMIZER.learning_rate should be a number such as 1.0e-4 or a schedule, got {rate!r}")
    parameters = [parameter for parameter in model.parameters() if not parameter.stop_gradient]
    arguments = {key: value for key, value in node.items() if key != "learning_rate"}
    return OPTIMIZERS.build(arguments, learning_rate=rate, parameters=parameters)
