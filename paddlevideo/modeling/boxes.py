"""Box arithmetic on tensors. Boxes are `[..., 4]`, in any one unit."""

from __future__ import annotations

import paddle
from paddle import Tensor

EPSILON = 1.1920929e-7  # of float32


def cxcywh_to_xyxy(boxes: Tensor) -> Tensor:
    """Centre and size to corners x1, y1, x2, y2."""
    centre, half = boxes[..., :2], boxes[..., 2:] / 2
    return paddle.concat([centre - half, centre + half], axis=-1)


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


def _area(sides: Tensor) -> Tensor:
    """Width times height, `[..., 2]` to `[...]`; not `prod`, whose gradient divides by a side that may be 0."""
    return sides[..., 0] * sides[..., 1]
