"""Layers that several networks share."""

from __future__ import annotations

import math
from typing import Any

import paddle
from paddle import Tensor, nn
from paddle.nn import functional as F

LEAKY_SLOPE = 0.1


class LeakyReLU(nn.Layer):
    """`max(x, slope * x)`.

    Paddle Inference 3.3 crashes on a CPU where oneDNN fuses this activation into a convolution; something in between,
    here a multiplication by one, keeps them apart and leaves both to oneDNN.
    """

    def __init__(self, slope: float = LEAKY_SLOPE) -> None:
        super().__init__()
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        """Any shape in, the same shape out."""
        return F.leaky_relu(paddle.scale(x, 1.0), self.slope)


def conv_norm(
    kind: str, in_channels: int, out_channels: int, kernel: Any, bias: bool = False, **options: Any
) -> list[nn.Layer]:
    """A convolution and its batch normalisation, "same" padding unless `padding` says otherwise.

    Args:
        kind: "2D" or "3D".
        in_channels: channels in.
        out_channels: channels out.
        kernel: size of the kernel.
        bias: whether the convolution adds one, which the normalisation takes away again.
        options: further arguments of the convolution.
    """
    options.setdefault("padding", kernel // 2 if isinstance(kernel, int) else [k // 2 for k in kernel])
    convolution = {"2D": nn.Conv2D, "3D": nn.Conv3D}[kind]
    norm = {"2D": nn.BatchNorm2D, "3D": nn.BatchNorm3D}[kind]
    return [
        convolution(in_channels, out_channels, kernel, bias_attr=None if bias else False, **options),
        norm(out_channels),
    ]


def snippet_conv(in_channels: int, out_channels: int, kernel: int, groups: int = 1) -> nn.Conv1D:
    """A convolution over snippets that keeps their number.

    Weights and bias are drawn from U(-b, b), b = 1 / sqrt(in_channels * kernel), however many groups there are.
    """
    bound = 1 / math.sqrt(in_channels * kernel)
    drawn = [nn.initializer.Uniform(-bound, bound) for _ in range(2)]
    return nn.Conv1D(
        in_channels, out_channels, kernel, padding=kernel // 2, groups=groups, weight_attr=drawn[0], bias_attr=drawn[1]
    )


def kaiming_fan_out(network: nn.Layer) -> None:
    """Draw all convolution weights from N(0, 2 / fan-out), fan-out counted over all groups (He et al. 2015)."""
    for layer in network.sublayers():
        if isinstance(layer, (nn.Conv2D, nn.Conv3D)):
            out_channels, _, *kernel = layer.weight.shape
            std = math.sqrt(2 / (out_channels * math.prod(kernel)))
            layer.weight.set_value(paddle.normal(0.0, std, layer.weight.shape))


def uniform_fan_in(network: nn.Layer) -> None:
    """Draw all convolution weights from U(-b, b), b = 1 / sqrt(fan-in of one group), PyTorch's default."""
    for layer in network.sublayers():
        if isinstance(layer, (nn.Conv2D, nn.Conv3D)):
            bound = 1 / math.sqrt(math.prod(layer.weight.shape[1:]))
            layer.weight.set_value(paddle.uniform(layer.weight.shape, min=-bound, max=bound))


def channel_groups(x: Tensor, groups: int) -> list[Tensor]:
    """`[B, groups * C, T, H, W]` to `groups` neighbouring parts `[B, C, T, H, W]`.

    Slices would cost three times as much in training, and `split` fails in Paddle Inference 3.3 where oneDNN pads the
    channels of a grouped convolution.
    """
    return x.reshape([0, groups, x.shape[1] // groups, *x.shape[2:]]).unbind(1)


def interleave(parts: list[Tensor]) -> Tensor:
    """The channels of equal tensors in turn: first of each, second of each, and so on.

    Interleaving the groups of a tensor is ShuffleNet's channel shuffle (Zhang et al. 2018, sec. 3.1); on a CPU this is
    many times faster than to transpose.

    Args:
        parts: `g` tensors `[B, C, ...]`.

    Returns:
        `[B, g * C, ...]`; channel `k * g + q` is channel `k` of part `q`.
    """
    return paddle.stack(parts, axis=2).flatten(1, 2)
