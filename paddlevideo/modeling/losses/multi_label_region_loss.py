"""YOWO's loss where a box has several labels, as on AVA."""

from __future__ import annotations

from collections.abc import Sequence

import paddle
from paddle import Tensor

from paddlevideo.modeling.heads.yowo_head import ClassProbabilities
from paddlevideo.modeling.losses.class_terms import balanced_focal, class_shares
from paddlevideo.modeling.losses.region_loss import Assignment, RegionLoss
from paddlevideo.registry import LOSSES


@LOSSES.register
class MultiLabelRegionLoss(RegionLoss):
    """`RegionLoss` for labels `[B, N, C]`, 0 or 1; the class term is a mean over the boxes, the others are sums.

    Args:
        anchors: see `RegionLoss`.
        probabilities: of the head.
        class_ratio: share of each class among the labels of the training boxes, or a file with one number a line;
            None if all classes are rare.
        coord_scale: see `RegionLoss`.
        object_scale: see `RegionLoss`.
        noobject_scale: see `RegionLoss`.
        class_scale: see `RegionLoss`.
        ignore_threshold: see `RegionLoss`.
        focal_gamma: exponent of the focal loss.
    """

    def __init__(
        self,
        anchors: Sequence[Sequence[float]],
        probabilities: ClassProbabilities,
        class_ratio: str | Sequence[float] | None = None,
        coord_scale: float = 1.0,
        object_scale: float = 5.0,
        noobject_scale: float = 1.0,
        class_scale: float = 1.0,
        ignore_threshold: float = 0.6,
        focal_gamma: float = 0.5,
    ) -> None:
        super().__init__(anchors, coord_scale, object_scale, noobject_scale, class_scale, ignore_threshold, focal_gamma)
        self.probabilities = probabilities
        self.class_ratio = class_shares(class_ratio, probabilities.num_classes, "MultiLabelRegionLoss")

    def _classes(self, logits: Tensor, labels: Tensor, found: Assignment) -> Tensor:
        ratio = paddle.to_tensor(self.class_ratio, logits.dtype)
        cost = balanced_focal(self.probabilities(logits), labels, ratio, self.focal_gamma)
        return self.class_scale * (cost * found.owns).sum() / found.owns.sum().clip(min=1)
