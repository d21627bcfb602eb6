"""Which predictions answer for which boxes (YOLOv2, sec. 2; YOWO, sec. 3.2).

In numpy: nothing here has a gradient, and of so little work Paddle's operators cost several times as much to start.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from paddlevideo.types import FloatArray, IntArray


@dataclass(frozen=True)
class Assignment:
    """What predictions should have said; R is the number of boxes that one answers for."""

    box: IntArray  # [R], the row of each in the boxes [B * N]
    index: IntArray  # [R], the one that answers in the flattened (sample, anchor, row, column) axis
    xywh: FloatArray  # [R, 4]: offset in the cell, logarithm of the size over the anchor's
    confidence: FloatArray  # [B, A, H, W]: overlap with the box, 0 where there is none
    is_ignored: npt.NDArray[np.bool_]  # [B, A, H, W], where nobody asks whether there is an object
    recall: float  # share of all boxes that the prediction which answers for them has found


def assign(
    raw: FloatArray, boxes: FloatArray, is_box: npt.NDArray[np.bool_], anchors: FloatArray, ignore_threshold: float
) -> Assignment:
    """Match boxes to predictions: the cell of the centre, and the anchor of nearest shape.

    Of several boxes with the same cell and anchor the last one stays.

    Args:
        raw: predictions `[B, A, 4 or more, H, W]`: x, y, w, h.
        boxes: `[B, N, 4]`, centre and size as fractions of the frame.
        is_box: `[B, N]`, False for padding.
        anchors: `[A, 2]`, width and height in grid cells.
        ignore_threshold: predictions that overlap any box by more than this are ignored, unless they answer for one.
    """
    batch, num_anchors, _, height, width = raw.shape
    box = np.flatnonzero(is_box)
    sample = box // is_box.shape[1]
    frame = np.array([width, height], np.float32)
    centre, size = (boxes.reshape(-1, 2, 2)[box] * frame).transpose(1, 0, 2)  # [R, 2] each, in grid cells
    cell = centre.astype(np.int64).clip(0, (width - 1, height - 1))
    anchor = _nearest_shape(size, anchors)
    place = (anchor * height + cell[:, 1]) * width + cell[:, 0]  # in the sample
    cells = num_anchors * height * width
    index = sample * cells + place

    grids = (axis[:, None, :, None, None] for axis in (centre, size))
    overlap = _overlaps(_box(*_decode(raw, anchors)), sample, _box(*grids)).reshape(len(box), cells)
    own = overlap[np.arange(len(box)), place]
    is_ignored = np.zeros((batch, cells), bool)
    number, near = np.nonzero(overlap > ignore_threshold)
    is_ignored[sample[number], near] = True
    is_ignored.reshape(-1)[index] = False
    confidence = np.zeros(is_ignored.size, np.float32)
    confidence[index] = own  # the last of equal indices counts
    last = np.zeros(is_ignored.size, np.int64)
    last[index] = box
    stays = last[index] == box
    xywh = np.concatenate([centre - cell, np.log(size.clip(1e-9) / anchors[anchor])], -1, dtype=np.float32)
    grid = (batch, num_anchors, height, width)
    return Assignment(
        box=box[stays],
        index=index[stays],
        xywh=xywh[stays],
        confidence=confidence.reshape(grid),
        is_ignored=is_ignored.reshape(grid),
        recall=np.count_nonzero(own > 0.5) / max(len(box), 1),
    )


def sigmoid(x: FloatArray) -> FloatArray:
    """Of any number without an overflow."""
    return np.tanh(x * 0.5) * 0.5 + 0.5


def _nearest_shape(size: FloatArray, anchors: FloatArray) -> IntArray:
    """The anchor of the greatest overlap with a box `[R, 2]` around the same centre: `[R]`."""
    width, height = np.minimum(size[:, None], anchors).transpose(2, 0, 1)
    shared = width * height
    return (shared / ((size[:, 0] * size[:, 1])[:, None] + anchors[:, 0] * anchors[:, 1] - shared)).argmax(-1)


def _decode(raw: FloatArray, anchors: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Centre and size in grid cells, `[B, A, 2, H, W]` each; see `YOWOHead.decode`."""
    height, width = raw.shape[3:]
    centre = sigmoid(raw[:, :, :2])
    centre[:, :, 0] += np.arange(width, dtype=np.float32)
    centre[:, :, 1] += np.arange(height, dtype=np.float32)[:, None]
    return centre, np.exp(raw[:, :, 2:4]) * anchors[:, :, None, None]


def _box(centre: FloatArray, size: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Low and high corner `[N, A, 2, H, W]` and area `[N, A, H, W]` of boxes."""
    half = size * 0.5
    return centre - half, centre + half, size[:, :, 0] * size[:, :, 1]


def _overlaps(
    predicted: tuple[FloatArray, FloatArray, FloatArray],
    sample: IntArray,
    truth: tuple[FloatArray, FloatArray, FloatArray],
) -> FloatArray:
    """Intersection over union of the predictions of a box's sample with the box.

    Args:
        predicted: see `_box`; N is the number of samples.
        sample: of each box, `[R]`.
        truth: see `_box`, `[R, 1, 2, 1, 1]` and `[R, 1, 1, 1]`.

    Returns:
        `[R, A, H, W]` in 0..1; 0 where either box has no area.
    """
    low_p, high_p, area_p = (part[sample] for part in predicted)
    low, high, area = truth
    sides = np.maximum(np.minimum(high_p, high) - np.maximum(low_p, low), 0)
    shared = sides[:, :, 0] * sides[:, :, 1]
    return shared / np.maximum(area_p + area - shared, 1e-12)
