"""Channel fusion and attention (YOWO, sec. 3.1.3)."""

from __future__ import annotations

from collections.abc import Callable

import paddle
from paddle import Tensor, nn
from paddle.nn import functional as F

from paddlevideo.modeling.layers import conv_norm
from paddlevideo.registry import NECKS


class ChannelAttention(nn.Layer):
    """Every channel gathers from the channels it resembles least, by a learnt share `gamma` that starts at 0.

    The published formula is softmax(+G) of the Gram matrix G; the published network computes softmax(max - G), which
    is softmax(-G), and so does this layer.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gamma = self.create_parameter([1], default_initializer=nn.initializer.Constant(0.0))

    def forward(self, x: Tensor) -> Tensor:
        """`[B, C, H, W]` to the same shape."""
        flat = x.flatten(2)  # [B, C, H * W]
        energy = paddle.bmm(flat, flat.transpose([0, 2, 1]))  # [B, C, C]
        gathered = paddle.bmm(F.softmax(-energy, axis=-1), flat)
        return self.gamma * gathered.reshape(paddle.shape(x)) + x


@NECKS.register
class CFAM(nn.Layer):
    """Two convolutions, channel attention, two convolutions.

    Args:
        in_channels: channels of the concatenated branches.
        channels: inner width.
        out_channels: channels out.
        dropout: share of whole channels dropped before the last convolution while training.
    """

    activation: Callable[[], nn.Layer] = nn.ReLU
    drop: Callable[[float], nn.Layer] = nn.Dropout2D

    def __init__(self, in_channels: int, channels: int = 1024, out_channels: int = 1024, dropout: float = 0.1) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.reduce = self._unit(in_channels, channels, 1)
        self.mix = self._unit(channels, channels, 3)
        self.attention = ChannelAttention()
        self.refine = self._unit(channels, channels, 3)
        self.dropout = self.drop(dropout)
        self.project = nn.Conv2D(channels, out_channels, 1)

    def _unit(self, in_channels: int, out_channels: int, kernel: int) -> nn.Sequential:
        return nn.Sequential(*conv_norm("2D", in_channels, out_channels, kernel), self.activation())

    def forward(self, x: Tensor) -> Tensor:
        """`[B, in_channels, H, W]` to `[B, out_channels, H, W]`."""
        x = self.attention(self.mix(self.reduce(x)))
        return self.project(self.dropout(self.refine(x)))
