"""3-D ResNet for clips (Hara et al. 2018), and the trunk that it shares with ResNeXt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import paddle
from paddle import Tensor, nn
from paddle.nn import functional as F

from paddlevideo.modeling.backbones.clip_backbone import ClipBackbone, halving_pools
from paddlevideo.modeling.layers import conv_norm, kaiming_fan_out
from paddlevideo.registry import BACKBONES

LAYOUTS = {18: (2, 2, 2, 2), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}


class BasicBlock3D(nn.Layer):
    """Two 3x3x3 convolutions around a shortcut without parameters (type A).

    Args:
        in_channels: channels in.
        channels: channels out, `stride * in_channels`.
        stride: 1, or 2 to halve time and space.
    """

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.out_channels = channels
        self.conv1, self.bn1 = conv_norm("3D", in_channels, channels, 3, stride=stride)
        self.conv2, self.bn2 = conv_norm("3D", channels, channels, 3)
        self.shortcut = nn.Identity() if stride == 1 else HalvingShortcut()

    def forward(self, x: Tensor) -> Tensor:
        """`[B, in, T, H, W]` to `[B, channels, T/stride, H/stride, W/stride]`."""
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class HalvingShortcut(nn.Layer):
    """Every second position, and behind its channels as many of zeros.

    The official code builds it from detached values and its weights were trained so: no gradient passes.
    """

    def forward(self, x: Tensor) -> Tensor:
        """`[B, C, T, H, W]` to `[B, 2C, T/2, H/2, W/2]`."""
        kept = x[:, :, ::2, ::2, ::2].detach()
        # not `F.pad`, which crashes Paddle Inference 3.3 when oneDNN pads channels
        return paddle.concat([kept, paddle.zeros_like(kept)], axis=1)


class Bottleneck3D(nn.Layer):
    """1x1x1, 3x3x3, 1x1x1 around a shortcut, which is a convolution where the shape changes (type B).

    Args:
        in_channels: channels in.
        channels: inner channels.
        stride: of the 3x3x3 convolution, in time and space.
        expansion: channels out for each inner channel.
        groups: of the 3x3x3 convolution; more than one makes it a ResNeXt block.
    """

    def __init__(self, in_channels: int, channels: int, stride: int, expansion: int = 4, groups: int = 1) -> None:
        super().__init__()
        self.out_channels = channels * expansion
        self.conv1, self.bn1 = conv_norm("3D", in_channels, channels, 1)
        self.conv2, self.bn2 = conv_norm("3D", channels, channels, 3, stride=stride, groups=groups)
        self.conv3, self.bn3 = conv_norm("3D", channels, self.out_channels, 1)
        changes = stride != 1 or in_channels != self.out_channels
        self.downsample = (
            nn.Sequential(*conv_norm("3D", in_channels, self.out_channels, 1, stride=stride))
            if changes
            else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        """`[B, in, T, H, W]` to `[B, expansion * channels, T/stride, H/stride, W/stride]`."""
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + self.downsample(x))


class ResidualTrunk3D(ClipBackbone):
    """Stem, max pooling and four stages of residual blocks; every stage but the first halves time and space.

    Args:
        block: makes a block from channels in, inner channels and stride; it tells its `out_channels`.
        blocks: how many blocks each of the four stages has.
        stem_channels: channels of the first convolution.
        channels: inner channels of the first stage; they double from stage to stage.
    """

    def __init__(
        self, block: Callable[[int, int, int], nn.Layer], blocks: Sequence[int], stem_channels: int, channels: int
    ) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv_norm("3D", 3, stem_channels, 7, stride=(1, 2, 2))
        self.pool_space, self.pool_time = halving_pools()
        self.out_channels = stem_channels
        for stage, count in enumerate(blocks):
            layers = []
            for number in range(count):
                stride = 2 if stage > 0 and number == 0 else 1
                layers.append(block(self.out_channels, channels * 2**stage, stride))
                self.out_channels = layers[-1].out_channels
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layers))
        kaiming_fan_out(self)

    @property
    def convolution(self) -> Any:
        """See `ClipBackbone`."""
        return self.conv1

    def each(self, x: Tensor) -> Tensor:
        """See `ClipBackbone`."""
        return self.pool_space(F.relu(self.bn1(x)))

    def after_stem(self, maps: Tensor) -> Tensor:
        """See `ClipBackbone`."""
        return self.layer4(self.layer3(self.layer2(self.layer1(self.pool_time(maps)))))


@BACKBONES.register
class ResNet3D(ResidualTrunk3D):
    """3-D ResNet without its classifier.

    Args:
        depth: 18 has basic blocks, 50 and 101 have bottlenecks.
        width: factor on all channel counts, for small variants; 1 is the published network.

    Raises:
        ValueError: another depth.
    """

    def __init__(self, depth: Literal[18, 50, 101] = 50, width: float = 1.0) -> None:
        if depth not in LAYOUTS:
            raise ValueError(f"ResNet3D: depth should be one of {', '.join(map(str, LAYOUTS))}, got {depth}")
        channels = round(64 * width)
        super().__init__(BasicBlock3D if depth == 18 else Bottleneck3D, LAYOUTS[depth], channels, channels)
