"""YOLOv2's network for single pictures (Redmon and Farhadi 2017, sec. 3)."""

from __future__ import annotations

import paddle
from paddle import Tensor, nn

from paddlevideo.modeling.layers import LeakyReLU, conv_norm
from paddlevideo.registry import BACKBONES


class ConvUnit(nn.Layer):
    """Convolution, batch normalisation, leaky ReLU."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, bias: bool = False) -> None:
        super().__init__()
        self.conv, self.bn = conv_norm("2D", in_channels, out_channels, kernel, bias)
        self.act = LeakyReLU()

    def forward(self, x: Tensor) -> Tensor:
        """`[B, in, H, W]` to `[B, out, H, W]`."""
        return self.act(self.bn(self.conv(x)))


def space_to_depth(x: Tensor) -> Tensor:
    """`[B, C, 2H, 2W]` to `[B, 4C, H, W]`: the four pixels of a 2x2 block as four groups of channels, row by row."""
    return paddle.concat([x[:, :, row::2, column::2] for row in (0, 1) for column in (0, 1)], axis=1)


def units(in_channels: int, widths: list[tuple[int, int]], bias: bool) -> nn.Sequential:
    """A chain of units given as (channels, kernel)."""
    layers = []
    for out_channels, kernel in widths:
        layers.append(ConvUnit(in_channels, out_channels, kernel, bias))
        in_channels = out_channels
    return nn.Sequential(*layers)


@BACKBONES.register
class Darknet19(nn.Layer):
    """Darknet-19 with the YOLOv2 detection layers; its last layer serves as features.

    Args:
        out_channels: channels of the last layer; 425 is the COCO detector's 5 * (5 + 80).
        width: factor on all inner channel counts, for small variants; 1 is the published network.
        bias: whether the convolutions before a normalisation add one, without effect on what can be learnt; the
            weights of YOWO-Plus and YOWO-Nano have them.
    """

    def __init__(self, out_channels: int = 425, width: float = 1.0, bias: bool = False) -> None:
        super().__init__()
        c32, c64, c128, c256, c512, c1024 = (max(4, round(c * width)) for c in (32, 64, 128, 256, 512, 1024))
        self.out_channels = out_channels
        self.stage1 = units(3, [(c32, 3)], bias)
        self.stage2 = units(c32, [(c64, 3)], bias)
        self.stage3 = units(c64, [(c128, 3), (c64, 1), (c128, 3)], bias)
        self.stage4 = units(c128, [(c256, 3), (c128, 1), (c256, 3)], bias)
        self.stage5 = units(c256, [(c512, 3), (c256, 1), (c512, 3), (c256, 1), (c512, 3)], bias)
        self.stage6 = units(
            c512, [(c1024, 3), (c512, 1), (c1024, 3), (c512, 1), (c1024, 3), (c1024, 3), (c1024, 3)], bias
        )
        self.passthrough = ConvUnit(c512, c64, 1, bias)
        self.fuse = ConvUnit(4 * c64 + c1024, c1024, 3, bias)
        self.predict = nn.Conv2D(c1024, out_channels, 1)
        self.pool = nn.MaxPool2D(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Frames `[B, 3, H, W]`, H and W multiples of 32, to features `[B, out_channels, H/32, W/32]`."""
        x = self.pool(self.stage1(x))
        x = self.pool(self.stage2(x))
        x = self.pool(self.stage3(x))
        x = self.pool(self.stage4(x))
        fine = self.stage5(x)  # [B, 512, H/16, W/16]
        coarse = self.stage6(self.pool(fine))  # [B, 1024, H/32, W/32]
        detail = space_to_depth(self.passthrough(fine))  # [B, 256, H/32, W/32]
        return self.predict(self.fuse(paddle.concat([detail, coarse], axis=1)))
