"""Action tubes: boxes of single frames linked through a video, and how much two tubes overlap.

The rules are those of video-mAP on UCF101-24 (Gkioxari and Malik 2015, as counted by the published code of YOWO).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paddlevideo.metrics.overlap import BoolArray, Float64Array, box_iou
from paddlevideo.types import IntArray

CHUNK = 1 << 18  # pairs of boxes that are compared together


@dataclass(frozen=True)
class Tube:
    """One actor in one video: `frames [F]`, rising, and `boxes [F, 4]` as x1, y1, x2, y2 in pixels."""

    frames: IntArray
    boxes: Float64Array


@dataclass(frozen=True)
class LinkedTube(Tube):
    """A tube of detections, with the score of each, `scores [F]`."""

    scores: Float64Array

    @property
    def score(self) -> float:
        """Of the whole tube: the mean."""
        return float(self.scores.mean())


def link_tubes(
    frame: IntArray,
    label: IntArray,
    boxes: Float64Array,
    scores: Float64Array,
    num_frames: int,
    max_tubes: int = 3,
    trim: bool = False,
) -> dict[int, list[LinkedTube]]:
    """Link the detections of one video to tubes, each class for itself.

    A tube takes one detection of its class on every frame of the video, so that the sum over all pairs of neighbours
    of IoU(a, b) + s_a + s_b + s_a s_b / 2 is the largest; then its detections are gone for the next tube. A frame
    without a detection borrows those of the nearest frame that has one, the earlier of two. Of equal choices the
    earlier row wins, so in a video of one frame, where there is no sum, the first row is the first tube.

    Args:
        frame: `[N]`, from 1 to `num_frames`, in any order.
        label: `[N]`.
        boxes: `[N, 4]`, x1, y1, x2, y2 in any unit.
        scores: `[N]`.
        num_frames: of the video.
        max_tubes: per class; there are fewer where a frame runs out of detections.
        trim: whether tubes begin and end with detections of their class instead of borrowed ones.

    Returns:
        The tubes of each class that has a detection, in the order in which they were found.
    """
    labels, column = np.unique(label, return_inverse=True)
    if not len(labels):
        return {}
    rows = _rows_by_group((frame - 1) * len(labels) + column, num_frames * len(labels))
    rows = rows.reshape(num_frames, len(labels), -1)
    spans = [_span(seen) if trim else slice(None) for seen in (rows[..., 0] >= 0).T]
    rows = _borrow(rows)  # [T, C, K]
    edges = _edge_scores(boxes[rows], scores[rows])
    free = rows >= 0
    tubes: dict[int, list[LinkedTube]] = {int(name): [] for name in labels}
    frames, columns = np.arange(1, num_frames + 1), np.arange(len(labels))
    for _ in range(max_tubes):
        complete = free.any(2).all(0)  # [C]: the class has a detection left on every frame
        if not complete.any():
            break
        path = _best_paths(edges, free)  # [T, C]
        taken = np.take_along_axis(rows, path[..., None], 2)[..., 0]
        for c in columns[complete]:
            own = taken[spans[c], c]
            tubes[int(labels[c])].append(LinkedTube(frames[spans[c]], boxes[own], scores[own]))
        free[frames[:, None] - 1, columns, path] = False
    return tubes


def link_value(overlap: Float64Array, s: Float64Array, t: Float64Array) -> Float64Array:
    """What it is worth to link two boxes of neighbouring frames, from their IoU and scores; broadcast."""
    value: Float64Array = overlap + (s + t) + 0.5 * s * t
    return value


def _span(seen: BoolArray) -> slice:
    """From the first to the last frame of `seen [T]` that is True."""
    frames = np.flatnonzero(seen)
    return slice(int(frames[0]), int(frames[-1]) + 1)


def _rows_by_group(group: IntArray, num_groups: int) -> IntArray:
    """Rows of each group, in order: `[N]` to `[G, K]`, filled up with -1."""
    order = np.argsort(group, kind="stable")
    count = np.bincount(group, minlength=num_groups)
    place = np.arange(len(group)) - np.repeat(count.cumsum() - count, count)
    rows = np.full((num_groups, count.max()), -1)
    rows[group[order], place] = order
    return rows


def _borrow(rows: IntArray) -> IntArray:
    """`rows [T, C, K]` with every empty frame of a class filled from the nearest one that is not."""
    lent = rows.copy()
    frames = np.arange(len(rows))
    for c in range(rows.shape[1]):
        filled = np.flatnonzero(rows[:, c, 0] >= 0)
        after = np.searchsorted(filled, frames).clip(max=len(filled) - 1)
        before = (after - 1).clip(min=0)
        is_earlier = np.abs(frames - filled[before]) <= np.abs(filled[after] - frames)
        lent[:, c] = rows[filled[np.where(is_earlier, before, after)], c]
    return lent


def _edge_scores(boxes: Float64Array, scores: Float64Array) -> Float64Array:
    """What it is worth to go from box i of a frame to box j of the next.

    Args:
        boxes: `[T, C, K, 4]`.
        scores: `[T, C, K]`.

    Returns:
        `[T - 1, C, K, K]`; IoU without the border pixel.
    """
    num_frames, num_classes, most = scores.shape
    edges = np.empty((num_frames - 1, num_classes, most, most))
    step = max(1, CHUNK // edges[:1].size) if edges.size else 1
    for first in range(0, len(edges), step):  # some frames together, or what is between would take ten times the memory
        these, following = slice(first, first + step), slice(first + 1, first + step + 1)
        overlap = box_iou(boxes[:-1][these, :, :, None], boxes[following, :, None, :])
        edges[these] = link_value(overlap, scores[:-1][these, :, :, None], scores[following, :, None, :])
    return edges


def _best_paths(edges: Float64Array, free: BoolArray) -> IntArray:
    """The path of the largest sum of `edges [T - 1, C, K, K]` over boxes `free [T, C, K]`, by class.

    Returns:
        `[T, C]`, box 0..K-1; meaningless for a class without a free box on some frame.
    """
    value = np.where(free, 0.0, -np.inf)  # best sum from a box to the end of the video
    step = np.zeros(free.shape, np.int64)
    for t in range(len(edges) - 1, -1, -1):
        total = edges[t] + value[t + 1, :, None]
        step[t] = total.argmax(2)
        value[t] += total.max(2)
    path = np.zeros(free.shape[:2], np.int64)
    path[0] = value[0].argmax(1)
    columns = np.arange(free.shape[1])
    for t in range(1, len(path)):
        path[t] = step[t - 1, columns, path[t - 1]]
    return path


def suppress_tubes(tubes: Sequence[LinkedTube], iou_threshold: float, border: float = 1.0) -> list[LinkedTube]:
    """Those tubes of one class and video, by falling score, that overlap no better one by more than the threshold."""
    kept: list[LinkedTube] = []
    for tube in sorted(tubes, key=lambda tube: -tube.score):
        if all(tube_iou(tube, better, border) <= iou_threshold for better in kept):
            kept.append(tube)
    return kept


def tube_iou(a: Tube, b: Tube, border: float = 1.0) -> float:
    """Mean IoU on the frames that two tubes share, times the share of these frames in the time that both cover.

    Returns:
        0..1; 0 for tubes that share one frame only. For `border` see `box_iou`.
    """
    common, in_a, in_b = np.intersect1d(a.frames, b.frames, assume_unique=True, return_indices=True)
    if len(common) < 2:
        return 0.0
    span = max(a.frames[-1], b.frames[-1]) - min(a.frames[0], b.frames[0]) + 1
    overlap = box_iou(a.boxes[in_a], b.boxes[in_b], border)
    return float(overlap.mean() * len(common) / span)


def match_tubes(overlap: Float64Array, iou_threshold: float, strict: bool = False) -> BoolArray:
    """Which tubes of one class and video are true positives.

    Each takes the true tube that it overlaps most of those that no tube before it took, the first of equals.

    Args:
        overlap: `[N, M]`, IoU of each tube, by falling score, with each true one.
        iou_threshold: least overlap of a true positive, above 0.
        strict: whether the overlap must exceed the threshold.

    Returns:
        `[N]`.
    """
    free, hits = overlap.copy(), np.zeros(len(overlap), np.bool_)
    if free.size:
        for number, row in enumerate(free):
            best = row.argmax()
            if row[best] > iou_threshold or (row[best] == iou_threshold and not strict):
                hits[number] = True
                free[:, best] = 0
    return hits
