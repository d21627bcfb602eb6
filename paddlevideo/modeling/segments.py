"""Arithmetic of segments of time, on arrays and tensors alike.

Segments are `[..., 2]`, start and end in any one unit.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import paddle
from paddle import Tensor

from paddlevideo.types import IntArray

Values = TypeVar("Values", npt.NDArray[Any], Tensor)


def segment_iou(a: Values, b: Values) -> Values:
    """Intersection over union of segments, broadcast over all axes but the last.

    Args:
        a: `[..., 2]`.
        b: `[..., 2]`, in the unit of `a`.

    Returns:
        `[...]` in 0..1; 0 where they do not overlap, as where one ends before it starts.
    """
    shared = shared_length(a, b)
    return shared / (a[..., 1] - a[..., 0] + b[..., 1] - b[..., 0] - shared).clip(min=1e-12)


def shared_length(a: Values, b: Values) -> Values:
    """How long two segments are there together, `[..., 2]` and `[..., 2]` to `[...]`."""
    library: Any = paddle if isinstance(a, Tensor) else np
    shared: Values = library.minimum(a[..., 1], b[..., 1]) - library.maximum(a[..., 0], b[..., 0])
    return shared.clip(min=0)


def soft_nms(
    segments: npt.NDArray[np.float64],
    scores: npt.NDArray[np.float64],
    decay: float,
    thresholds: tuple[float, float],
    count: int,
) -> tuple[IntArray, npt.NDArray[np.float64]]:
    """Take the best segment again and again; those that overlap it much lose score (Bodla et al. 2017).

    As in the published code the segment that is left last is not taken, unless it is the only one.

    Args:
        segments: `[N, 2]`, fractions of the video.
        scores: `[N]`; of equal ones the first goes first.
        decay: a score is multiplied by `exp(-IoU ** 2 / decay)`.
        thresholds: overlap above which it is, for a taken segment without length and for one as long as the video.
        count: segments taken at most.

    Returns:
        Rows of the taken segments in this order and their scores by then, `[K]` and `[K]`.
    """
    left, kept = scores.copy(), scores.copy()
    narrow, wide = thresholds
    order: list[int] = []
    for _ in range(min(count, len(scores) - 1 if len(scores) > 1 else len(scores))):
        best = int(left.argmax())
        order.append(best)
        kept[best], left[best] = left[best], -np.inf
        iou = segment_iou(segments, segments[best])
        close = iou > narrow + (wide - narrow) * (segments[best, 1] - segments[best, 0])
        left[close] *= np.exp(-np.square(iou[close]) / decay)
    rows = np.array(order, np.int64)
    return rows, kept[rows]
