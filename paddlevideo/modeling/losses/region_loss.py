"""YOWO's loss: where, how sure, and what (YOWO, sec. 3.2; weights and reductions as in the published network)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from paddle import Tensor, nn

from paddlevideo.modeling.losses.assignment import Assignment, assign, sigmoid
from paddlevideo.modeling.losses.known_gradient import focal, smooth_l1, with_gradient
from paddlevideo.registry import LOSSES
from paddlevideo.types import FloatArray, IntArray, Tensors

PARTS = ("x", "y", "w", "h", "confidence", "class")


@LOSSES.register
class RegionLoss(nn.Layer):
    """Smooth L1 on boxes, weighted squares on confidence, focal loss on the class; all are sums over the batch.

    Computed in numpy together with its gradient, since starting Paddle's operators would take most of its time.

    Args:
        anchors: `[A, 2]`, width and height in grid cells.
        coord_scale: weight of the four box terms.
        object_scale: weight of the confidence where a prediction answers for a box.
        noobject_scale: weight of the confidence elsewhere.
        class_scale: weight of the class term.
        ignore_threshold: predictions that overlap any box by more than this need not say "nothing here".
        focal_gamma: exponent of the focal loss.
    """

    def __init__(
        self,
        anchors: Sequence[Sequence[float]],
        coord_scale: float = 1.0,
        object_scale: float = 5.0,
        noobject_scale: float = 1.0,
        class_scale: float = 1.0,
        ignore_threshold: float = 0.6,
        focal_gamma: float = 2.0,
    ) -> None:
        super().__init__()
        self.anchors = np.asarray(anchors, np.float32)
        self.coord_scale = coord_scale
        self.object_scale = object_scale
        self.noobject_scale = noobject_scale
        self.class_scale = class_scale
        self.ignore_threshold = ignore_threshold
        self.focal_gamma = focal_gamma

    def forward(self, raw: Tensor, targets: Tensors) -> Tensors:
        """The loss and its parts.

        Args:
            raw: `[B, A, 5 + C, H, W]`.
            targets: `boxes [B, N, 4]` corners as fractions of the frame, `labels [B, N]`, -1 for padding; N >= 1.

        Returns:
            Scalars: `loss`, its summands `x, y, w, h, confidence, class`, and the share of boxes already found,
            `recall`.
        """
        boxes = targets["boxes"].numpy()
        low, high = boxes[..., :2], boxes[..., 2:]
        return self.from_centres(raw, np.concatenate([(low + high) / 2, high - low], -1), targets["labels"].numpy())

    def from_centres(self, raw: Tensor, boxes: FloatArray, labels: IntArray) -> Tensors:
        """As `forward`, for boxes given as centre and size, fractions of the frame."""
        said = raw.detach().astype("float32").numpy()
        with np.errstate(over="ignore", invalid="ignore"):  # whoever trains looks at the loss
            costs, gradient, recall = self.measure(said, boxes, labels)
        numbers = dict(zip((*PARTS, "recall"), np.array([*costs, recall], np.float32), strict=True))
        return {"loss": with_gradient(raw, sum(costs), gradient), **numbers}

    def measure(self, raw: FloatArray, boxes: FloatArray, labels: IntArray) -> tuple[list[float], FloatArray, float]:
        """The parts of the loss, the gradient of their sum by the predictions, and the share of boxes that are found.

        Args:
            raw: `[B, A, 5 + C, H, W]`.
            boxes: `[B, N, 4]`, centre and size as fractions of the frame.
            labels: see `forward`.
        """
        labels = labels.reshape(*boxes.shape[:2], -1)  # [B, N, 1 or C]
        found = assign(raw, boxes, labels[..., 0] >= 0, self.anchors, self.ignore_threshold)
        gradient = np.zeros(raw.shape, np.float32)
        confidence, gradient[:, :, 4] = self._confidence(raw[:, :, 4], found)

        cells, slopes = (array.reshape(-1, raw.shape[2], raw[0, 0, 0].size) for array in (raw, gradient))
        grid, cell = np.divmod(found.index, cells.shape[2])
        said = cells[grid, :, cell]  # [R, 5 + C]
        xywh, slopes[grid, :4, cell] = self._coordinates(said[:, :4], found)
        cost, slopes[grid, 5:, cell] = self._classes(said[:, 5:], labels.reshape(-1, labels.shape[2])[found.box])
        return [*xywh, confidence, cost], gradient, found.recall

    def _coordinates(self, said: FloatArray, found: Assignment) -> tuple[FloatArray, FloatArray]:
        """Cost `[4]` of x, y, w and h, and gradient `[R, 4]`."""
        xy = sigmoid(said[:, :2])
        cost, slope = smooth_l1(np.concatenate([xy, said[:, 2:]], -1) - found.xywh)
        slope[:, :2] *= xy * (1 - xy)
        return 0.5 * self.coord_scale * cost.sum(0), 0.5 * self.coord_scale * slope

    def _confidence(self, said: FloatArray, found: Assignment) -> tuple[float, FloatArray]:
        """Cost, and gradient `[B, A, H, W]`."""
        weight = np.where(found.is_ignored, np.float32(0), np.float32(self.noobject_scale))
        weight.reshape(-1)[found.index] = self.object_scale
        confidence = sigmoid(said)
        error = confidence - found.confidence
        slope = weight * error
        return 0.5 * float((slope * error).sum()), slope * confidence * (1 - confidence)

    def _classes(self, logits: FloatArray, labels: IntArray) -> tuple[float, FloatArray]:
        """Cost, and gradient `[R, C]`, of `logits [R, C]` where `labels [R, 1]` should be."""
        cost, slope = focal(logits, labels[:, 0], self.focal_gamma)
        return self.class_scale * float(cost.sum()), self.class_scale * slope
