"""One answer for all frames of a clip: the mean of what they look like, then a linear classifier (TSN, sec. 3.1)."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from paddle import Tensor, nn
from paddle.nn import functional as F

from paddlevideo.registry import HEADS
from paddlevideo.types import IntArray


@HEADS.register
class ConsensusHead(nn.Layer):
    """Mean over each frame's positions, dropout, mean over frames, a linear layer.

    As the layer is linear, this is the mean of the frames' scores before softmax. It is written as a convolution, so
    that the rows of its weights are classes, as in every other head.

    Args:
        in_channels: of the features.
        num_classes: classes.
        dropout: share of each frame's features that is dropped in training.
        dropout_mode: how that is made up for. Weights of Paddle's old video models want `downscale_in_infer`, which
            multiplies features by `1 - dropout` when it answers; otherwise they are scaled up in training.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        dropout: float = 0.0,
        dropout_mode: Literal["upscale_in_train", "downscale_in_infer"] = "upscale_in_train",
    ) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout, mode=dropout_mode)
        bound = 1 / math.sqrt(in_channels)
        self.fc = nn.Conv2D(
            in_channels,
            num_classes,
            1,
            weight_attr=nn.initializer.Uniform(-bound, bound),
            bias_attr=nn.initializer.Constant(0.0),
        )

    def pool(self, features: Tensor, frames: int) -> Tensor:
        """`[B * frames, C, H, W]` to `[B, frames, C]`."""
        pooled = F.adaptive_avg_pool2d(features, 1)
        return pooled.reshape([-1, frames, features.shape[1]])

    def forward(self, features: Tensor, frames: int) -> Tensor:
        """`[B * frames, C, H, W]` to logits `[B, classes]`."""
        pooled = self.dropout(self.pool(features, frames)).mean(1)  # [B, C]
        return self.fc(pooled.unsqueeze([2, 3])).flatten(1)

    def spoken_classes(self, rows: int) -> IntArray:
        """The class of each row of the linear layer's weights."""
        return np.arange(rows)
