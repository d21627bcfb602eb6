"""What the 3-D backbones have in common."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from paddle import Tensor, nn


class ClipBackbone(nn.Layer):
    """A network for clips in two parts: the stem, whose work clips that overlap can share, and what looks at motion.

    `modeling/sliding.py` shares it, so a subclass should put as much into the stem as possible.
    """

    out_channels: int

    @property
    @abstractmethod
    def convolution(self) -> Any:
        """The first layer, a `Conv3D` of one group with "same" padding, no dilation and a stride of 1 in time."""

    @abstractmethod
    def each(self, x: Tensor) -> Tensor:
        """The rest of the stem, on every time step alone: `[B, C, T, H, W]` to maps `[B, C', T, H', W']`."""

    @abstractmethod
    def after_stem(self, maps: Tensor) -> Tensor:
        """Maps of the stem to features."""

    def forward(self, x: Tensor) -> Tensor:
        """Clips `[B, 3, T, H, W]` to features `[B, out_channels, ceil(T/16), H/32, W/32]`."""
        return self.after_stem(self.each(self.convolution(x)))


def halving_pools() -> tuple[nn.MaxPool3D, nn.MaxPool3D]:
    """Max pooling by 3x3x3 with a stride of 2 in two steps, the first within frames, the second over time."""
    return nn.MaxPool3D((1, 3, 3), (1, 2, 2), (0, 1, 1)), nn.MaxPool3D((3, 1, 1), (2, 1, 1), (1, 0, 0))
