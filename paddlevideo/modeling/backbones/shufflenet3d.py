"""3-D ShuffleNet for clips (Zhang et al. 2018; Köpüklü, Kose, Gunduz and Rigoll 2019)."""

from __future__ import annotations

from typing import Any

import paddle
from paddle import Tensor, nn
from paddle.nn import functional as F

from paddlevideo.modeling.backbones.clip_backbone import ClipBackbone, halving_pools
from paddlevideo.modeling.layers import channel_groups, conv_norm, interleave, uniform_fan_in
from paddlevideo.registry import BACKBONES

STEM_CHANNELS = 24
FIRST_STAGE_CHANNELS = {1: 144, 2: 200, 3: 240, 4: 272, 8: 384}  # by groups; they double from stage to stage
UNITS = (4, 8, 4)
TIME_STRIDE = 16


class ShuffleUnit3D(nn.Layer):
    """Grouped 1x1x1, shuffle, depthwise 3x3x3, grouped 1x1x1; added to the input, or set beside it where it is halved.

    Args:
        in_channels: channels in.
        out_channels: channels out.
        stride: of the depthwise convolution, in time and space; 2 halves the input by average pooling.
        groups: of the 1x1x1 convolutions.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, groups: int) -> None:
        super().__init__()
        inner = out_channels // 4
        beside = in_channels if stride == 2 else 0
        self.groups = groups
        first_groups = 1 if in_channels == STEM_CHANNELS else groups  # too few channels to be grouped
        self.conv1, self.bn1 = conv_norm("3D", in_channels, inner, 1, groups=first_groups)
        self.conv2, self.bn2 = conv_norm("3D", inner, inner, 3, stride=stride, groups=inner)
        self.conv3, self.bn3 = conv_norm("3D", inner, out_channels - beside, 1, groups=groups)
        # In time there is no padding, so an odd number of frames would come out one shorter than the convolutions'.
        self.pool = nn.AvgPool3D((2, 3, 3), 2, (0, 1, 1), exclusive=False) if stride == 2 else None

    def forward(self, x: Tensor) -> Tensor:
        """`[B, in, T, H, W]` to `[B, out, T/stride, H/stride, W/stride]`."""
        y = F.relu(self.bn1(self.conv1(x)))
        y = interleave(channel_groups(y, self.groups))
        y = self.bn3(self.conv3(self.bn2(self.conv2(y))))
        return F.relu(y + x if self.pool is None else paddle.concat([y, self.pool(x)], axis=1))


@BACKBONES.register
class ShuffleNet3D(ClipBackbone):
    """3-D ShuffleNet without its classifier.

    Args:
        width: factor on all channel counts; YOWO uses 2.
        groups: of the 1x1x1 convolutions: 1, 2, 3, 4 or 8.

    Raises:
        ValueError: another number of groups, or a width whose channels cannot be grouped.
    """

    def __init__(self, width: float = 2.0, groups: int = 3) -> None:
        super().__init__()
        if groups not in FIRST_STAGE_CHANNELS:
            known = ", ".join(map(str, FIRST_STAGE_CHANNELS))
            raise ValueError(f"ShuffleNet3D: groups should be one of {known}, got {groups}")
        channels, out_channels = round(STEM_CHANNELS * width), round(FIRST_STAGE_CHANNELS[groups] * width)
        if channels % groups or out_channels % (4 * groups):
            raise ValueError(
                f"ShuffleNet3D: width {width} gives {channels} channels and then {out_channels}, which should be "
                f"multiples of {groups} and {4 * groups} (groups, four times groups); choose another width or groups"
            )
        self.conv1 = nn.Sequential(*conv_norm("3D", 3, channels, 3, stride=(1, 2, 2)), nn.ReLU())
        self.pool_space, self.pool_time = halving_pools()
        for stage, count in enumerate(UNITS):
            layers = []
            for unit in range(count):
                layers.append(ShuffleUnit3D(channels, out_channels, 2 if unit == 0 else 1, groups))
                channels = out_channels
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layers))
            out_channels *= 2
        self.out_channels = channels
        uniform_fan_in(self)

    def forward(self, x: Tensor) -> Tensor:
        """Clips `[B, 3, T, H, W]` to features `[B, out_channels, T/16, H/32, W/32]`.

        Raises:
            ValueError: T is no multiple of 16.
        """
        if x.shape[2] % TIME_STRIDE:
            raise ValueError(
                f"ShuffleNet3D: a clip should have a multiple of {TIME_STRIDE} frames, got {x.shape[2]}; "
                "change MODEL.input.num_frames or take another 3-D backbone"
            )
        return super().forward(x)

    @property
    def convolution(self) -> Any:
        """See `ClipBackbone`."""
        return self.conv1[0]

    def each(self, x: Tensor) -> Tensor:
        """See `ClipBackbone`."""
        return self.pool_space(self.conv1[1:](x))

    def after_stem(self, maps: Tensor) -> Tensor:
        """See `ClipBackbone`."""
        return self.layer3(self.layer2(self.layer1(self.pool_time(maps))))
