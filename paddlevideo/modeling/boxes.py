"""Box arithmetic on tensors. Boxes are `[..., 4]`, in any one unit."""

from __future__ import annotations

import paddle
from paddle import Tensor


def cxcywh_to_xyxy(boxes: Tensor) -> Tensor:
    """Centre and size to corners x1, y1, x2, y2."""
    centre, half = boxes[..., :2], boxes[..., 2:] / 2
    return paddle.concat([centre - half, centre + half], axis=-1)


def xyxy_to_cxcywh(boxes: Tensor) -> Tensor:
    """Corners x1, y1, x2, y2 to centre and size."""
    low, high = boxes[..., :2], boxes[..., 2:]
    return paddle.concat([(low + high) / 2, high - low], axis=-1)


def centred_iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of boxes in centre form, shapes broadcast against each other.

    Args:
        a: `[..., 4]`, centre x, centre y, width, height in any one unit.
        b: `[..., 4]`, in the unit of `a`.

    Returns:
        `[...]` in 0..1; 0 where either box has no area.
    """
    low = paddle.maximum(a[..., :2] - a[..., 2:] / 2, b[..., :2] - b[..., 2:] / 2)
    high = paddle.minimum(a[..., :2] + a[..., 2:] / 2, b[..., :2] + b[..., 2:] / 2)
    shared = (high - low).clip(min=0)
    shared = shared[..., 0] * shared[..., 1]
    union = a[..., 2] * a[..., 3] + b[..., 2] * b[..., 3] - shared
    return shared / union.clip(min=1e-12)
