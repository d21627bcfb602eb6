"""Box arithmetic on tensors. Boxes are `[..., 4]`, in any one unit."""

from __future__ import annotations

import paddle
from paddle import Tensor
from paddle.nn import functional as F

EPSILON = 1.1920929e-7  # of float32


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
    shape = paddle.broadcast_shape(a.shape, b.shape)[:-1]
    # Copies of the whole shape, as Paddle is twenty times slower at operators that broadcast.
    left_a, top_a, right_a, bottom_a, area_a = (part.expand(shape).contiguous() for part in _edges(a))
    left_b, top_b, right_b, bottom_b, area_b = (part.expand(shape).contiguous() for part in _edges(b))
    width = F.relu(paddle.minimum(right_a, right_b) - paddle.maximum(left_a, left_b))
    height = F.relu(paddle.minimum(bottom_a, bottom_b) - paddle.maximum(top_a, top_b))
    shared = width * height
    return shared / (area_a + area_b - shared).clip(min=1e-12)


def giou(a: Tensor, b: Tensor) -> Tensor:
    """Generalised intersection over union of boxes, row by row (Rezatofighi et al. 2019).

    Args:
        a: `[..., 4]`, corners in any one unit.
        b: `[..., 4]`, corners in the unit of `a`.

    Returns:
        `[...]` in -1..1.
    """
    low, high = paddle.minimum(a[..., :2], b[..., :2]), paddle.maximum(a[..., 2:], b[..., 2:])
    hull = _area(high - low)
    shared = _area((paddle.minimum(a[..., 2:], b[..., 2:]) - paddle.maximum(a[..., :2], b[..., :2])).clip(min=0))
    union = sum(_area((box[..., 2:] - box[..., :2]).clip(min=0)) for box in (a, b)) - shared
    return shared / union.clip(min=EPSILON) - (hull - union) / hull.clip(min=EPSILON)


def _edges(boxes: Tensor) -> tuple[Tensor, ...]:
    """Left, top, right, bottom and area of boxes in centre form, `[..., 4]` to `[...]` each."""
    x, y, width, height = boxes.unbind(-1)
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2, width * height


def _area(sides: Tensor) -> Tensor:
    """Width times height, `[..., 2]` to `[...]`; not `prod`, whose gradient divides by a side that may be 0."""
    return sides[..., 0] * sides[..., 1]
