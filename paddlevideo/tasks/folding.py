"""Batch normalisation that follows a convolution becomes part of it, for a network that is not trained any more."""

from __future__ import annotations

import copy
from typing import Any

import paddle
from paddle import Tensor, nn

from paddlevideo.modeling.models import VideoModel
from paddlevideo.types import Arrays

CONVOLUTIONS = (nn.Conv2D, nn.Conv3D)
NORMS = (nn.BatchNorm2D, nn.BatchNorm3D)


@paddle.no_grad()
def fold_norms(model: VideoModel, inputs: Arrays) -> VideoModel:
    """A copy of a model in eval mode with its normalisations folded into the convolutions before them.

    Which belong together is seen while the model runs. What else a convolution's output may be used for is not seen, so
    the copy's answers have to be compared with the model's.

    Args:
        model: is left as it is.
        inputs: any with a batch axis.
    """
    folded = copy.deepcopy(model)
    pairs = _pairs(folded, inputs)
    for convolution, norm in pairs:
        _fold(convolution, norm)
    gone = {id(norm) for _, norm in pairs}
    for layer in folded.sublayers(include_self=True):
        for name, child in layer.named_children():
            if id(child) in gone:
                setattr(layer, name, nn.Identity())
    return folded


def _pairs(model: VideoModel, inputs: Arrays) -> list[tuple[nn.Layer, nn.Layer]]:
    """Every convolution that runs once and whose output goes into a normalisation, with that one."""
    made: list[tuple[nn.Layer, Tensor]] = []  # keeps the outputs, or another could get the place of one in memory
    taken: list[tuple[Tensor, nn.Layer]] = []

    def remember(layer: nn.Layer, given: Any, output: Any) -> Any:
        if isinstance(layer, CONVOLUTIONS):
            made.append((layer, output))
        else:
            taken.append((given[0], layer))

    watched = [layer for layer in model.sublayers() if isinstance(layer, (*CONVOLUTIONS, *NORMS))]
    hooks = [layer.register_forward_post_hook(remember) for layer in watched]
    model({name: paddle.to_tensor(value) for name, value in inputs.items()})
    for hook in hooks:
        hook.remove()
    source = {id(output): layer for layer, output in made}
    runs = [id(layer) for layer, _ in made] + [id(layer) for _, layer in taken]
    found = [(source[id(given)], norm) for given, norm in taken if id(given) in source]
    return [pair for pair in found if all(runs.count(id(layer)) == 1 for layer in pair)]


def _fold(convolution: Any, norm: Any) -> None:
    scale = norm.weight / paddle.sqrt(norm._variance + norm._epsilon)  # [C]
    if convolution.bias is None:
        convolution.bias = convolution.create_parameter(scale.shape, is_bias=True)
    convolution.bias.set_value(norm.bias + (convolution.bias - norm._mean) * scale)
    convolution.weight.set_value(convolution.weight * scale.reshape([-1, *[1] * (convolution.weight.ndim - 1)]))
