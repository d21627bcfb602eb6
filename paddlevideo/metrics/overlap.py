"""How much boxes overlap, for every metric."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from paddlevideo.types import IntArray

Float64Array: TypeAlias = npt.NDArray[np.float64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]


def box_iou(a: npt.NDArray[Any], b: npt.NDArray[Any], border: float = 0.0) -> Float64Array:
    """Intersection over union of boxes x1, y1, x2, y2, broadcast over all axes but the last.

    Args:
        a: `[..., 4]`, in any one unit.
        b: `[..., 4]`, in the unit of `a`.
        border: what a box is wider and higher than its corners say: 1 for pixels of which the last belongs to the box.

    Returns:
        `[...]` in 0..1; 0 where one box starts beyond the end of the other, or neither has an area.
    """
    a, b = a.astype(np.float64, copy=False), b.astype(np.float64, copy=False)
    gap = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    shared = _area(np.where(gap >= 0, gap + border, 0))
    union = _area(a[..., 2:] - a[..., :2] + border) + _area(b[..., 2:] - b[..., :2] + border) - shared
    overlap: Float64Array = shared / np.maximum(union, np.finfo(np.float64).tiny)
    return overlap


def distinct_rows(rows: npt.NDArray[Any]) -> IntArray:
    """First row of each different one of `[K, D]`: a box that is listed again for further classes is one box."""
    return np.sort(np.unique(rows, axis=0, return_index=True)[1])


def _area(sides: Float64Array) -> Float64Array:
    return sides[..., 0] * sides[..., 1]
