"""The temporal and the proposal evaluation of BMN (sec. 4.2)."""

from __future__ import annotations

from paddle import Tensor, nn
from paddle.nn import functional as F

from paddlevideo.modeling.layers import snippet_conv
from paddlevideo.registry import HEADS
from paddlevideo.types import Tensors


@HEADS.register
class BMNHead(nn.Layer):
    """How likely segments start and end at a snippet, and how well every segment fits an action.

    Args:
        in_channels: channels of a snippet.
        map_channels: channels of a segment.
        channels: inner width for snippets.
        groups: of these channels.
    """

    def __init__(self, in_channels: int, map_channels: int, channels: int = 256, groups: int = 4) -> None:
        super().__init__()
        self.start, self.end = (
            nn.Sequential(snippet_conv(in_channels, channels, 3, groups), nn.ReLU(), snippet_conv(channels, 1, 1))
            for _ in range(2)
        )
        self.map = nn.Sequential(
            nn.Conv2D(map_channels, map_channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv2D(map_channels, map_channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv2D(map_channels, 2, 1),
        )

    def forward(self, snippets: Tensor, segments: Tensor) -> Tensors:
        """Probabilities from `snippets [B, C, T]` and `segments [B, E, D, T]`.

        Returns:
            `start [B, T]`, `end [B, T]` and `map [B, 2, D, T]`, in which channel 0 is the overlap with an action and
            channel 1 the probability that it is large.
        """
        return {
            "start": F.sigmoid(self.start(snippets)).squeeze(1),
            "end": F.sigmoid(self.end(snippets)).squeeze(1),
            "map": F.sigmoid(self.map(segments)),
        }
