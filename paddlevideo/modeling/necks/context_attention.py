"""Long-term context: every cell looks through a bank of features of the whole video (Wu et al. 2019, sec. 3.3)."""

from __future__ import annotations

import paddle
from paddle import Tensor, nn
from paddle.nn import functional as F

from paddlevideo.registry import NECKS


@NECKS.register
class ContextAttention(nn.Layer):
    """A non-local block whose queries are the cells and whose keys and values are the bank; added to its input.

    Args:
        in_channels: channels of the cells, in and out.
        bank_channels: width of a feature of the bank.
        channels: inner width.
        dropout: share of values dropped before they are added, while training.
    """

    def __init__(self, in_channels: int, bank_channels: int, channels: int = 512, dropout: float = 0.2) -> None:
        super().__init__()
        self.query = nn.Conv2D(in_channels, channels, 1)
        self.key = nn.Linear(bank_channels, channels)
        self.value = nn.Linear(bank_channels, channels)
        self.norm = nn.LayerNorm(channels)
        small = nn.initializer.Normal(0.0, 1e-3)  # training starts close to the network without context
        self.project = nn.Conv2D(channels, in_channels, 1, weight_attr=paddle.ParamAttr(initializer=small))
        self.dropout = nn.Dropout(dropout)
        self.scale = channels**-0.5

    def forward(self, x: Tensor, bank: Tensor, present: Tensor) -> Tensor:
        """Cells `[B, in_channels, H, W]`, `bank [B, L, bank_channels]`, `present [B, L]` of 0 and 1, to cells."""
        query = self.query(x)  # [B, C, H, W]
        energy = paddle.bmm(query.flatten(2).transpose([0, 2, 1]), self.key(bank).transpose([0, 2, 1]))  # [B, H * W, L]
        absent = (1 - present).unsqueeze(1)
        share = F.softmax(energy * self.scale - 1e4 * absent, axis=-1) * (1 - absent)
        found = F.relu(self.norm(paddle.bmm(share, self.value(bank))))  # [B, H * W, C]
        found = found.transpose([0, 2, 1]).reshape(paddle.shape(query))
        return x + self.dropout(self.project(found))
