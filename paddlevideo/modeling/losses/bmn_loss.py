"""BMN's loss: where segments start and end, and how well every segment of the map fits an action (BMN, sec. 4.3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import paddle
from paddle import Tensor, nn

from paddlevideo.modeling.losses.class_terms import exists
from paddlevideo.modeling.segments import segment_iou, shared_length
from paddlevideo.registry import LOSSES
from paddlevideo.types import Tensors

EPSILON = 1e-6  # below a logarithm
REGION = 3  # snippets around a start or end that belong to it


@dataclass(frozen=True)
class MatchingMaps:
    """What the network should answer; nothing here has a gradient.

    `start` and `end` `[B, T]` are the share of a snippet that belongs to a start or end, `iou [B, D, T]` the largest
    overlap of the segment of d + 1 snippets from snippet t with an action.
    """

    start: Tensor
    end: Tensor
    iou: Tensor


@LOSSES.register
class BMNLoss(nn.Layer):
    """Balanced log-likelihood of starts, ends and good segments, and squares of the overlap on a balanced choice.

    Args:
        overlap_scale: weight of the squares.
    """

    def __init__(self, overlap_scale: float = 10.0) -> None:
        super().__init__()
        self.overlap_scale = overlap_scale
        self.draw: Callable[[list[int]], Tensor] = paddle.rand  # once for the middle and once for the low overlaps

    def forward(self, outputs: Tensors, targets: Tensors) -> Tensors:
        """The loss of a batch.

        Args:
            outputs: probabilities `start [B, T]`, `end [B, T]`, `map [B, 2, D, T]`, see `BMNHead`.
            targets: `segments [B, N, 2]` and `duration [B]` in seconds, `labels [B, N]`; rows labelled -1 are padding.

        Returns:
            `loss` and its parts, of which each is finite without an action.
        """
        durations, snippets = outputs["map"].shape[2:]
        segments = targets["segments"].astype("float64") / targets["duration"].astype("float64").reshape([-1, 1, 1])
        return self.of_maps(outputs, matching_maps(segments, exists(targets["labels"]), durations, snippets))

    def of_maps(self, outputs: Tensors, maps: MatchingMaps) -> Tensors:
        """The loss against maps that are known already."""
        start, end, overlap, good = (
            part.astype("float32")
            for part in (outputs["start"], outputs["end"], outputs["map"][:, 0], outputs["map"][:, 1])
        )
        inside = ends_within(*overlap.shape[1:])
        iou = maps.iou * inside
        starts, ends = (
            balanced_log_loss(found, true > 0.5, true <= 0.5) for found, true in ((start, maps.start), (end, maps.end))
        )
        boundary = starts + ends
        regression = self._overlap_loss(overlap, iou, inside)
        classification = balanced_log_loss(good, iou > 0.9, (iou <= 0.9) & (inside > 0))
        return {
            "loss": boundary + self.overlap_scale * regression + classification,
            "tem": boundary.detach(),
            "pem_reg": regression.detach(),
            "pem_cls": classification.detach(),
        }

    def _overlap_loss(self, overlap: Tensor, iou: Tensor, inside: Tensor) -> Tensor:
        """Half the mean square of the error over high overlaps and about as many middle and low ones.

        A group that is smaller than that of the high overlaps adds a weight of 1 everywhere, as in the published code.
        """
        high = (iou > 0.7).astype("float32")
        middle = ((iou > 0.3) & (iou <= 0.7)).astype("float32")
        low = ((iou >= 0) & (iou <= 0.3)).astype("float32") * inside
        weight = high
        for group in (middle, low):
            ratio = high.sum() / group.sum().clip(min=1)
            weight = weight + (self.draw(iou.shape[1:]) * group > 1 - ratio).astype("float32")
        return 0.5 * (weight * (overlap - iou).square()).sum() / weight.sum().clip(min=1)


def balanced_log_loss(probability: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    """Half the mean surprise over positives and half that over negatives; 0 for a half that is empty.

    Args:
        probability: any shape, 0..1.
        positive: the same shape, boolean.
        negative: likewise; what is in neither does not count.
    """
    return 0.5 * (mean_surprise(probability, positive) + mean_surprise(1 - probability, negative))


def mean_surprise(probability: Tensor, counted: Tensor) -> Tensor:
    """Mean of `-log(probability)` where a boolean tensor of its shape says so, 0 if that is nowhere."""
    weight = counted.astype("float32")
    return -((probability + EPSILON).log() * weight).sum() / weight.sum().clip(min=1)


def ends_within(durations: int, snippets: int) -> Tensor:
    """`[D, T]`, 1 for segments that end within the video, else 0."""
    return (paddle.arange(durations).unsqueeze(1) + paddle.arange(snippets) < snippets).astype("float32")


@paddle.no_grad()
def matching_maps(segments: Tensor, present: Tensor, durations: int, snippets: int) -> MatchingMaps:
    """What a network should answer for the actions of a batch (BMN, sec. 4.3).

    Args:
        segments: `[B, N, 2]` float64, fractions of the video; what leaves 0..1 is cut off.
        present: `[B, N]`, which of them exist.
        durations: D.
        snippets: T.

    Returns:
        Maps in float32, computed in float64, since overlaps are compared with round numbers.
    """
    segments = paddle.where(present.unsqueeze(-1), segments.clip(0, 1), paddle.full_like(segments, -1))  # -1: nowhere
    begins = paddle.arange(snippets, dtype="float64") / snippets
    snippet = paddle.stack([begins, begins + 1 / snippets], -1)  # [T, 2]
    half = REGION / snippets / 2
    shares = [
        shared_length(paddle.stack([edge - half, edge + half], -1).unsqueeze(2), snippet).max(1) * snippets
        for edge in segments.unbind(-1)
    ]  # [B, N, 1, 2] and [T, 2] to [B, T]
    first, count = paddle.meshgrid(paddle.arange(snippets), paddle.arange(1, durations + 1))
    cells = paddle.stack([first, first + count], -1).transpose([1, 0, 2]).astype("float64") / snippets  # [D, T, 2]
    iou = segment_iou(segments.unsqueeze([2, 3]), cells).max(1)
    return MatchingMaps(*(part.astype("float32") for part in (*shares, iou)))
