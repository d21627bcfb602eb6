"""3-D MobileNetV2 for clips (Sandler et al. 2018; Köpüklü, Kose, Gunduz and Rigoll 2019)."""

from __future__ import annotations

from typing import Any

from paddle import Tensor, nn

from paddlevideo.modeling.backbones.clip_backbone import ClipBackbone
from paddlevideo.modeling.layers import conv_norm, kaiming_fan_out
from paddlevideo.registry import BACKBONES

STEM_CHANNELS = 32
LAST_CHANNELS = 1280
STAGES = (  # expansion, channels, blocks, stride of the first
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class InvertedResidual3D(nn.Layer):
    """1x1x1 to more channels, depthwise 3x3x3, 1x1x1 to few channels without activation; a shortcut where shapes agree.

    With expansion 1 the first convolution is left out.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, expansion: int) -> None:
        super().__init__()
        self.has_shortcut = stride == 1 and in_channels == out_channels
        inner = in_channels * expansion
        layers = [*conv_norm("3D", in_channels, inner, 1), nn.ReLU6()] if expansion != 1 else []
        self.conv = nn.Sequential(
            *layers,
            *conv_norm("3D", inner, inner, 3, stride=stride, groups=inner),
            nn.ReLU6(),
            *conv_norm("3D", inner, out_channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """`[B, in, T, H, W]` to `[B, out, T/stride, H/stride, W/stride]`."""
        y = self.conv(x)
        return x + y if self.has_shortcut else y


@BACKBONES.register
class MobileNet3DV2(ClipBackbone):
    """3-D MobileNetV2 without its classifier.

    Args:
        width: factor on all channel counts, but the last layer never has fewer than 1280; YOWO uses 1.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        channels = round(STEM_CHANNELS * width)
        self.out_channels = round(LAST_CHANNELS * max(1.0, width))
        layers: list[nn.Layer] = [nn.Sequential(*conv_norm("3D", 3, channels, 3, stride=(1, 2, 2)), nn.ReLU6())]
        for expansion, base, count, first_stride in STAGES:
            out_channels = round(base * width)
            for block in range(count):
                stride = first_stride if block == 0 else 1
                layers.append(InvertedResidual3D(channels, out_channels, stride, expansion))
                channels = out_channels
        layers.append(nn.Sequential(*conv_norm("3D", channels, self.out_channels, 1), nn.ReLU6()))
        self.features: Any = nn.Sequential(*layers)
        kaiming_fan_out(self)

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
