"""3-D ResNeXt for clips (Hara et al. 2018)."""

from __future__ import annotations

from collections.abc import Sequence

from paddle import Tensor, nn
from paddle.nn import functional as F

from paddlevideo.modeling.layers import conv_norm, kaiming_fan_out
from paddlevideo.registry import BACKBONES


class GroupedBottleneck(nn.Layer):
    """1x1x1, grouped 3x3x3, 1x1x1; twice the inner channels come out."""

    expansion = 2

    def __init__(self, in_channels: int, channels: int, stride: int, cardinality: int) -> None:
        super().__init__()
        out_channels = channels * self.expansion
        self.conv1, self.bn1 = conv_norm("3D", in_channels, channels, 1)
        self.conv2, self.bn2 = conv_norm("3D", channels, channels, 3, stride=stride, groups=cardinality)
        self.conv3, self.bn3 = conv_norm("3D", channels, out_channels, 1)
        changes = stride != 1 or in_channels != out_channels
        self.downsample = (
            nn.Sequential(*conv_norm("3D", in_channels, out_channels, 1, stride=stride)) if changes else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        """`[B, in, T, H, W]` to `[B, 2 * channels, T/stride, H/stride, W/stride]`."""
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + self.downsample(x))


@BACKBONES.register
class ResNeXt3D(nn.Layer):
    """3-D ResNeXt without its classifier.

    Args:
        blocks: residual blocks in each of the four stages; 3, 4, 23, 3 is ResNeXt-101.
        cardinality: groups of every 3x3x3 convolution.
        width: factor on all channel counts, for small variants; 1 is the published network.
    """

    def __init__(self, blocks: Sequence[int] = (3, 4, 23, 3), cardinality: int = 32, width: float = 1.0) -> None:
        super().__init__()
        if len(blocks) != 4:
            raise ValueError(f"ResNeXt3D: blocks should be four numbers, one a stage, got {list(blocks)}")
        channels = round(64 * width)
        self.conv1, self.bn1 = conv_norm("3D", 3, channels, 7, stride=(1, 2, 2))
        self.pool = nn.MaxPool3D(3, 2, 1)
        for stage, count in enumerate(blocks):
            inner = round(128 * width) * 2**stage
            layers = []
            for block in range(count):
                stride = 2 if stage > 0 and block == 0 else 1
                layers.append(GroupedBottleneck(channels, inner, stride, cardinality))
                channels = inner * GroupedBottleneck.expansion
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layers))
        self.out_channels = channels
        kaiming_fan_out(self)

    def forward(self, x: Tensor) -> Tensor:
        """Clips `[B, 3, T, H, W]` to features `[B, out_channels, ceil(T/16), H/32, W/32]`."""
        x = self.pool(F.relu(self.bn1(self.conv1(x))))
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))
