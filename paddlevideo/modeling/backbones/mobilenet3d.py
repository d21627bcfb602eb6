"""3-D MobileNet for clips (Howard et al. 2017; Köpüklü, Kose, Gunduz and Rigoll 2019)."""

from __future__ import annotations

from typing import Any

from paddle import Tensor, nn
from paddle.nn import functional as F

from paddlevideo.modeling.backbones.clip_backbone import ClipBackbone
from paddlevideo.modeling.layers import conv_norm, uniform_fan_in
from paddlevideo.registry import BACKBONES

STEM_CHANNELS = 32
STAGES = ((64, 1, 2), (128, 2, 2), (256, 2, 2), (512, 6, 2), (1024, 2, 1))  # channels, blocks, stride of the first


class SeparableBlock3D(nn.Layer):
    """A depthwise 3x3x3 and a 1x1x1 convolution, each with batch normalisation and ReLU."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv_norm("3D", in_channels, in_channels, 3, stride=stride, groups=in_channels)
        self.conv2, self.bn2 = conv_norm("3D", in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """`[B, in, T, H, W]` to `[B, out, T/stride, H/stride, W/stride]`."""
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))


@BACKBONES.register
class MobileNet3D(ClipBackbone):
    """3-D MobileNet without its classifier.

    Args:
        width: factor on all channel counts; YOWO uses 2.
    """

    def __init__(self, width: float = 2.0) -> None:
        super().__init__()
        channels = round(STEM_CHANNELS * width)
        layers: list[nn.Layer] = [nn.Sequential(*conv_norm("3D", 3, channels, 3, stride=(1, 2, 2)), nn.ReLU())]
        for base, count, first_stride in STAGES:
            out_channels = round(base * width)
            for block in range(count):
                layers.append(SeparableBlock3D(channels, out_channels, first_stride if block == 0 else 1))
                channels = out_channels
        self.features: Any = nn.Sequential(*layers)
        self.out_channels = channels
        uniform_fan_in(self)

    @property
    def convolution(self) -> Any:
        """See `ClipBackbone`."""
        return self.features[0][0]

    def each(self, x: Tensor) -> Tensor:
        """See `ClipBackbone`."""
        return self.features[0][1:](x)

    def after_stem(self, maps: Tensor) -> Tensor:
        """See `ClipBackbone`."""
        return self.features[1:](maps)
