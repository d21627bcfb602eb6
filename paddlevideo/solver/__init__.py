"""Optimizer and learning rate schedule from a config node; both are Paddle's own."""

from __future__ import annotations

from typing import Any

import paddle
from paddle import nn

from paddlevideo.registry import OPTIMIZERS, SCHEDULES
from paddlevideo.types import Node

for _optimizer in (paddle.optimizer.Adam, paddle.optimizer.AdamW, paddle.optimizer.Momentum):
    OPTIMIZERS.register(_optimizer)
for _schedule in (
    paddle.optimizer.lr.CosineAnnealingDecay,
    paddle.optimizer.lr.MultiStepDecay,
    paddle.optimizer.lr.StepDecay,
):
    SCHEDULES.register(_schedule)


def build_optimizer(node: Node, model: nn.Layer) -> Any:
    """An optimizer over all trainable parameters.

    Args:
        node: `name` and arguments of a Paddle optimizer; `learning_rate` is a number or the node of a schedule,
            which is stepped after every epoch.
        model: whose parameters move.
    """
    rate = node.get("learning_rate")
    if rate is None:
        raise TypeError("OPTIMIZER: learning_rate is missing; give a number or a schedule")
    if isinstance(rate, dict):
        rate = SCHEDULES.build(rate)
    parameters = [parameter for parameter in model.parameters() if not parameter.stop_gradient]
    arguments = {key: value for key, value in node.items() if key != "learning_rate"}
    return OPTIMIZERS.build(arguments, learning_rate=rate, parameters=parameters)
