"""Layers that several networks share."""

from __future__ import annotations

import math
from typing import Any

import paddle
from paddle import Tensor, nn

LEAKY_SLOPE = 0.1


class LeakyReLU(nn.Layer):
    """`max(x, slope * x)`: the values of a leaky ReLU, written so that oneDNN does not fuse it into a convolution.

    That fusion crashes Paddle Inference 3.3 on CPU.
    """

    def __init__(self, slope: float = LEAKY_SLOPE) -> None:
        super().__init__()
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        """Any shape in, the same shape out."""
        return paddle.maximum(x, self.slope * x)


def conv_norm(kind: str, in_channels: int, out_channels: int, kernel: Any, **options: Any) -> list[nn.Layer]:
    """A convolution without bias and its batch normalisation, "same" padding unless `padding` says otherwise.

    Args:
        kind: "2D" or "3D".
        in_channels: channels in.
        out_channels: channels out.
        kernel: size of the kernel.
        options: further arguments of the convolution.
    """
    options.setdefault("padding", kernel // 2 if isinstance(kernel, int) else [k // 2 for k in kernel])
    convolution = {"2D": nn.Conv2D, "3D": nn.Conv3D}[kind]
    norm = {"2D": nn.BatchNorm2D, "3D": nn.BatchNorm3D}[kind]
    return [convolution(in_channels, out_channels, kernel, bias_attr=False, **options), norm(out_channels)]


def kaiming_fan_out(network: nn.Layer) -> None:
    """Draw all convolution weights from N(0, 2 / fan-out), fan-out counted over all groups (He et al. 2015)."""
    for layer in network.sublayers():
        if isinstance(layer, (nn.Conv2D, nn.Conv3D)):
            out_channels, _, *kernel = layer.weight.shape
            std = math.sqrt(2 / (out_channels * math.prod(kernel)))
            layer.weight.set_value(paddle.normal(0.0, std, layer.weight.shape))
