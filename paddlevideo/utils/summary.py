"""How large a network is."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import paddle
from paddle import nn

from paddlevideo.types import Tensors


def count_parameters(layer: nn.Layer) -> int:
    """Trainable numbers."""
    return sum(math.prod(p.shape) for p in layer.parameters() if not p.stop_gradient)


@paddle.no_grad()
def count_macs(model: nn.Layer, inputs: Tensors) -> dict[str, int]:
    """Multiply-adds of all convolutions and linear layers for these inputs, by direct part of the model."""
    macs: dict[str, int] = {}

    def hook_for(part: str) -> Any:
        def count(layer: nn.Layer, _: Any, output: paddle.Tensor) -> None:
            weights = layer.weight.shape
            per_output = weights[0] if isinstance(layer, nn.Linear) else math.prod(weights[1:])
            macs[part] = macs.get(part, 0) + per_output * int(np.prod(output.shape))

        return count

    hooks = [
        layer.register_forward_post_hook(hook_for(part))
        for part, child in model.named_children()
        for layer in child.sublayers(include_self=True)
        if isinstance(layer, (nn.Conv1D, nn.Conv2D, nn.Conv3D, nn.Linear))
    ]
    model.eval()
    model(inputs)
    for hook in hooks:
        hook.remove()
    return macs


def describe(model: nn.Layer, inputs: Tensors) -> str:
    """A table of parameters and multiply-adds by part; `inputs` is a batch of one."""
    macs = count_macs(model, inputs)
    rows = [(name, count_parameters(part), macs.get(name, 0)) for name, part in model.named_children()]
    rows = [row for row in rows if row[1]]
    rows.append(("total", count_parameters(model), sum(macs.values())))
    shapes = ", ".join(f"{name} {list(value.shape)}" for name, value in inputs.items())
    lines = [f"{'part':<14}{'parameters':>14}{'MACs (G)':>12}"]
    lines += [f"{name:<14}{parameters:>14,}{count / 1e9:>12.3f}" for name, parameters, count in rows]
    return "\n".join([*lines, f"input: {shapes}; MACs: multiply-adds of convolutions and linear layers"])
