"""Convolutions over the features of a video's snippets (BSN, sec. 3.2; BMN, sec. 4.2)."""

from __future__ import annotations

from itertools import pairwise

from paddle import Tensor, nn

from paddlevideo.modeling.layers import snippet_conv
from paddlevideo.registry import BACKBONES


@BACKBONES.register
class SnippetConvs(nn.Sequential):
    """Convolutions of three snippets with ReLU behind each.

    Args:
        in_channels: width of a feature.
        channels: width of all layers.
        layers: how many.
        groups: of the channels of each.
    """

    def __init__(self, in_channels: int, channels: int = 256, layers: int = 2, groups: int = 4) -> None:
        widths = [in_channels] + [channels] * layers
        pairs = pairwise(widths)
        super().__init__(*(part for a, b in pairs for part in (snippet_conv(a, b, 3, groups), nn.ReLU())))
        self.out_channels = channels

    def forward(self, x: Tensor) -> Tensor:
        """`[B, in_channels, T]` to `[B, channels, T]`."""
        return super().forward(x)
