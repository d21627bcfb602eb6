"""What became of the detections of a test: curves, confusions, counts of each video, and the worst mistakes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from paddlevideo.metrics.frame_map import BoxTable, DetectionTable, nearest_truths, number_rows, true_positives
from paddlevideo.metrics.overlap import BoolArray, Float64Array, box_iou
from paddlevideo.types import Arrays, IntArray, Prediction

IOU = 0.5  # least overlap of a detection with the truth that it finds
Table = TypeVar("Table", bound=BoxTable)


@dataclass(frozen=True)
class Outcome:
    """The detections and truths of all samples, boxes as fractions of the frame, and how they go together.

    Args:
        detections: one with several labels a box has a row for each.
        truths: likewise.
        found: `[N]`, row of the truth of its class that each detection finds, or -1.
        threshold: the score from which on detections have the best F-score.
        partner: `[N]`, row of the truth that a detection from the threshold on lies on, or -1: that of its class, or
            one of another class that is left over.
    """

    detections: DetectionTable
    truths: BoxTable
    found: IntArray
    threshold: float
    partner: IntArray

    @property
    def counted(self) -> BoolArray:
        """Which detections `[N]` reach the threshold."""
        return np.asarray(self.detections.score >= self.threshold)

    @property
    def right(self) -> BoolArray:
        """Which detections `[N]` reach the threshold and find a truth of their class."""
        return self.counted & (self.found >= 0)


def judge(predictions: Sequence[Prediction], targets: Sequence[Arrays]) -> Outcome:
    """Match the detections of all samples.

    Args:
        predictions: `boxes [K, 4]`, `labels [K]`, `scores [K]` of each sample.
        targets: `boxes [N, 4]`, `labels [N]` or, of 0 and 1, `[N, C]` of each sample; -1 is padding.
    """
    image, rows = number_rows(
        [np.column_stack([p["labels"], p["boxes"], p["scores"]]).astype(np.float64) for p in predictions]
    )
    detections = DetectionTable(image, rows[:, 0].astype(np.int64), rows[:, 1:5], rows[:, 5])
    image, rows = number_rows([truth_rows(target) for target in targets])
    truths = BoxTable(image, rows[:, 0].astype(np.int64), rows[:, 1:])
    found = _find(detections, truths)
    threshold = best_threshold(detections.score, found >= 0, len(truths.label))
    partner = np.where(detections.score >= threshold, found, -1)
    return Outcome(detections, truths, found, threshold, _pair_the_rest(detections, truths, threshold, partner))


def _find(detections: DetectionTable, truths: BoxTable) -> IntArray:
    """Row of the truth of its image and class that each detection `[N]` finds, or -1."""
    truth, overlap = nearest_truths(detections, truths, border=0)
    turns = np.argsort(-detections.score, kind="stable")
    return np.where(true_positives(truth, overlap, turns, IOU), truth, -1)


def truth_rows(target: Arrays) -> Float64Array:
    """Rows `[M, 5]` of label and box of a target, one for each label, without padding."""
    labels = target["labels"]
    several = labels if labels.ndim == 2 else labels[:, None] == np.arange(1 + labels.max(initial=0))
    row, label = np.nonzero(several > 0)
    return np.column_stack([label, target["boxes"][row]]).astype(np.float64)


def best_threshold(scores: Float64Array, hits: BoolArray, num_truths: int) -> float:
    """The score from which on detections have the highest F-score; 0 if none of them is right.

    Args:
        scores: `[N]`.
        hits: `[N]`, right or not.
        num_truths: how many there are to be found.
    """
    if not hits.any():
        return 0.0
    order = np.argsort(-scores, kind="stable")
    fscore = 2 * hits[order].cumsum() / (np.arange(1, len(scores) + 1) + num_truths)
    complete = np.append(np.diff(scores[order]) < 0, True)  # equal scores come in together
    return float(scores[order][np.where(complete, fscore, -1).argmax()])


def _pair_the_rest(detections: DetectionTable, truths: BoxTable, threshold: float, partner: IntArray) -> IntArray:
    """`partner`, and for detections from the threshold on that have none a truth that is left, of whatever class."""
    partner = partner.copy()
    while True:
        free = np.flatnonzero((partner < 0) & (detections.score >= threshold))
        left = np.setdiff1d(np.arange(len(truths.label)), partner)
        found = _find(_as_one_class(detections, free), _as_one_class(truths, left))
        if (found < 0).all():
            return partner
        partner[free[found >= 0]] = left[found[found >= 0]]


def _as_one_class(table: Table, rows: IntArray) -> Table:
    """These rows of a table, all with label 0."""
    columns = {field.name: getattr(table, field.name)[rows] for field in dataclasses.fields(table)}
    return dataclasses.replace(table, **{**columns, "label": np.zeros_like(rows)})


def curve(outcome: Outcome, label: int, num_points: int = 100) -> Float64Array:
    """Recall and precision `[P, 2]` of a class at falling scores, at most `num_points` of them, evenly spread."""
    own = np.flatnonzero(outcome.detections.label == label)
    hits = outcome.found[own[np.argsort(-outcome.detections.score[own], kind="stable")]] >= 0
    num_truths = np.count_nonzero(outcome.truths.label == label)
    points = np.column_stack([hits.cumsum() / max(num_truths, 1), hits.cumsum() / np.arange(1, len(hits) + 1)])
    return points[np.unique(np.linspace(0, len(points) - 1, num_points).round().astype(int))] if len(own) else points


def confusion(outcome: Outcome, num_classes: int) -> npt.NDArray[np.int64]:
    """How often a truth of a class (row) is detected as one of a class (column): `[C + 1, C + 1]`.

    The last row counts detections without a truth, the last column truths without a detection.
    """
    counted = np.flatnonzero(outcome.counted)
    alone = missed(outcome)
    true = np.append(outcome.truths.label, num_classes)  # the row of partner -1 is the last one
    row = np.concatenate([true[outcome.partner[counted]], true[alone]])
    column = np.concatenate([outcome.detections.label[counted], np.full(len(alone), num_classes)])
    side = num_classes + 1
    return np.bincount(row * side + column, minlength=side * side).reshape(side, side)


def missed(outcome: Outcome) -> IntArray:
    """Rows of the truths on which no detection from the threshold on lies."""
    return np.setdiff1d(np.arange(len(outcome.truths.label)), outcome.partner)


def video_counts(outcome: Outcome, video: IntArray) -> npt.NDArray[np.int64]:
    """Truths, those that are found, and false detections of each video: `[V, 3]`.

    Args:
        outcome: of the test.
        video: `[S]`, number of the video of each sample.
    """
    length = video.max(initial=-1) + 1
    images = (
        outcome.truths.image,
        outcome.detections.image[outcome.right],
        outcome.detections.image[outcome.counted & ~outcome.right],
    )
    return np.stack([np.bincount(video[image], minlength=length) for image in images], axis=1)


def reason(outcome: Outcome, row: int, classes: Sequence[str]) -> str:
    """Why a detection is false, in a few words."""
    there = np.flatnonzero(outcome.truths.image == outcome.detections.image[row])
    overlap = box_iou(outcome.detections.boxes[row], outcome.truths.boxes[there])
    best = overlap.max(initial=0)
    if best < IOU:
        return f"overlaps a truth by {best:.2f} only" if best > 0 else "no truth is there"
    labels = outcome.truths.label[there[overlap >= IOU]].tolist()
    if outcome.detections.label[row] in labels:
        return "a surer detection has this truth"
    return f"annotated as {', '.join(classes[label] for label in labels)}"


def worst_false(outcome: Outcome, video: IntArray, count: int) -> IntArray:
    """Rows of the false detections of the highest scores, the best of them of each video."""
    false = np.flatnonzero(outcome.found < 0)
    order = false[np.argsort(-outcome.detections.score[false], kind="stable")]
    return _first_of_each(order, video[outcome.detections.image[order]])[:count]


def worst_misses(outcome: Outcome, video: IntArray, count: int) -> IntArray:
    """Rows of the largest truths without a detection, the largest of them of each video."""
    rows = missed(outcome)
    area = (outcome.truths.boxes[rows, 2:] - outcome.truths.boxes[rows, :2]).prod(1)
    order = rows[np.argsort(-area, kind="stable")]
    return _first_of_each(order, video[outcome.truths.image[order]])[:count]


def _first_of_each(rows: IntArray, group: IntArray) -> IntArray:
    """The first of the rows of each group, in their order."""
    _, first = np.unique(group, return_index=True)
    return rows[np.sort(first)]
