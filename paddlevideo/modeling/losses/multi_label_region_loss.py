"""YOWO's loss where a box has several labels, as on AVA."""

from __future__ import annotations

from collections.abc import Sequence

import paddle

from paddlevideo.modeling.heads.yowo_head import ClassProbabilities
from paddlevideo.modeling.losses.class_terms import balanced_focal, class_shares
from paddlevideo.modeling.losses.region_loss import RegionLoss
from paddlevideo.registry import LOSSES
from paddlevideo.types import FloatArray, IntArray


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

    def _classes(self, logits: FloatArray, labels: IntArray) -> tuple[float, FloatArray]:
        """Cost, and gradient `[R, C]`, of `logits [R, C]` with `labels [R, C]`."""
        if not len(logits):
            return 0.0, logits
        with paddle.enable_grad(), paddle.amp.auto_cast(enable=False):
            said = paddle.to_tensor(logits, stop_gradient=False)
            ratio = paddle.to_tensor(self.class_ratio, said.dtype)
            cost = balanced_focal(self.probabilities(said), paddle.to_tensor(labels), ratio, self.focal_gamma)
            cost = self.class_scale * cost.mean()
            (gradient,) = paddle.grad(cost, said)
        return float(cost), gradient.numpy()
