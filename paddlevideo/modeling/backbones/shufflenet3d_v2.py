"""3-D ShuffleNetV2 for clips (Ma et al. 2018; Köpüklü, Kose, Gunduz and Rigoll 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from paddle import Tensor, nn

from paddlevideo.modeling.backbones.clip_backbone import ClipBackbone, halving_pools
from paddlevideo.modeling.layers import channel_groups, conv_norm, interleave, uniform_fan_in
from paddlevideo.registry import BACKBONES

STEM_CHANNELS = 24
STAGE_CHANNELS = {  # by width
    0.25: (32, 64, 128),
    0.5: (48, 96, 192),
    1.0: (116, 232, 464),
    1.5: (176, 352, 704),
    2.0: (224, 488, 976),
}


class SplitUnit3D(nn.Layer):
    """Two branches of half the channels each, shuffled together.

    With stride 1 the branches take one half of the input each and the first passes it on; with stride 2 both take all.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        half = out_channels // 2
        self.stride = stride
        if stride == 2:
            self.branch1 = nn.Sequential(
                *conv_norm("3D", in_channels, in_channels, 3, stride=2, groups=in_channels),
                *conv_norm("3D", in_channels, half, 1),
                nn.ReLU(),
            )
        self.branch2 = nn.Sequential(
            *conv_norm("3D", half if stride == 1 else in_channels, half, 1),
            nn.ReLU(),
            *conv_norm("3D", half, half, 3, stride=stride, groups=half),
            *conv_norm("3D", half, half, 1),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """`[B, in, T, H, W]` to `[B, out, T/stride, H/stride, W/stride]`."""
        if self.stride == 2:
            return interleave([self.branch1(x), self.branch2(x)])
        kept, changed = channel_groups(x, 2)
        return interleave([kept, self.branch2(changed)])


@BACKBONES.register
class ShuffleNet3DV2(ClipBackbone):
    """3-D ShuffleNetV2 without its classifier.

    Args:
        width: one of the published 0.25, 0.5, 1, 1.5 and 2; YOWO uses 2, YOWO-Nano 1.
        last_channels: channels of a closing 1x1x1 convolution, 2048 in YOWO; none in YOWO-Nano.
        units: in each of the three stages, fewer for small variants; 4, 8, 4 is the published network.

    Raises:
        ValueError: another width, or not three stages.
    """

    def __init__(self, width: float = 1.0, last_channels: int | None = None, units: Sequence[int] = (4, 8, 4)) -> None:
        super().__init__()
        if len(units) != 3 or min(units) < 1:
            raise ValueError(f"ShuffleNet3DV2: units should be three numbers of at least 1, got {list(units)}")
        if width not in STAGE_CHANNELS:
            known = ", ".join(map(str, STAGE_CHANNELS))
            raise ValueError(f"ShuffleNet3DV2: width should be one of {known}, got {width}")
        self.conv1 = nn.Sequential(*conv_norm("3D", 3, STEM_CHANNELS, 3, stride=(1, 2, 2)), nn.ReLU())
        self.pool_space, self.pool_time = halving_pools()
        channels, layers = STEM_CHANNELS, []
        for out_channels, count in zip(STAGE_CHANNELS[width], units, strict=True):
            for unit in range(count):
                layers.append(SplitUnit3D(channels, out_channels, 2 if unit == 0 else 1))
                channels = out_channels
        self.features = nn.Sequential(*layers)
        self.out_channels = channels if last_channels is None else last_channels
        self.conv_last = (
            nn.Identity()
            if last_channels is None
            else nn.Sequential(*conv_norm("3D", channels, last_channels, 1), nn.ReLU())
        )
        uniform_fan_in(self)

    @property
    def convolution(self) -> Any:
        """See `ClipBackbone`."""
        return self.conv1[0]

    def each(self, x: Tensor) -> Tensor:
        """See `ClipBackbone`."""
        return self.pool_space(self.conv1[1:](x))

    def after_stem(self, maps: Tensor) -> Tensor:
        """See `ClipBackbone`."""
        return self.conv_last(self.features(self.pool_time(maps)))
