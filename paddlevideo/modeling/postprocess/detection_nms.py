"""Decoded boxes to detections: threshold, non-maximum suppression, one answer a sample."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from paddlevideo.registry import POSTPROCESS
from paddlevideo.types import Arrays, Meta, Prediction


@POSTPROCESS.register
class DetectionNMS:
    """Keep confident boxes, drop those that overlap a more certain one whatever their class.

    Args:
        score_threshold: boxes whose score does not exceed this are dropped.
        iou_threshold: overlap with a kept box above which a box is dropped.
        score: what the threshold looks at: `official`, objectness times the best class probability; `paddlevideo`,
            objectness alone.
        rows: `best`, one detection a box; `official`, further detections of the same box and class, with the lower
            scores of all other classes above the threshold; `every_class`, one detection for each class, for boxes
            with several labels.

    Raises:
        ValueError: a threshold is not in 0..1.
    """

    answers = "BoxAnswers"

    def __init__(
        self,
        score_threshold: float = 0.005,
        iou_threshold: float = 0.4,
        score: Literal["official", "paddlevideo"] = "official",
        rows: Literal["best", "official", "every_class"] = "best",
    ) -> None:
        check_thresholds(type(self).__name__, score_threshold=score_threshold, iou_threshold=iou_threshold)
        self.score_threshold = np.float32(score_threshold)
        self.iou_threshold = iou_threshold
        self.score = score
        self.rows = rows

    def __call__(self, decoded: Arrays, meta: list[Meta]) -> list[Prediction]:
        """Detections of a batch, most certain first.

        Args:
            decoded: `boxes [B, M, 4]`, `objectness [B, M]`, `probabilities [B, M, C]`.
            meta: of each sample; not needed here.

        Returns:
            For each sample `boxes [K, 4]` as fractions of the frame, `labels [K]`, `scores [K]`, `objectness [K]` and,
            unless there is a row for every class, `probabilities [K, C]`.

        Raises:
            ValueError: a score is not finite.
        """
        boxes, objectness = decoded["boxes"], decoded["objectness"]
        scores = finite_scores(decoded, meta)
        kept = suppress(boxes, objectness, self._passes(objectness, scores), self.iou_threshold)
        order = np.argsort(-objectness, axis=1, kind="stable")
        return [self._detections(b, o[kept[b][o]], decoded, scores) for b, o in enumerate(order)]

    def _passes(self, objectness: npt.NDArray[np.float32], scores: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
        return (objectness if self.score == "paddlevideo" else scores.max(-1)) > self.score_threshold

    def _detections(
        self, sample: int, rows: npt.NDArray[np.intp], decoded: Arrays, scores: npt.NDArray[np.float32]
    ) -> Prediction:
        """Detections of one sample from the boxes `rows`, most certain first."""
        labels = decoded["probabilities"][sample, rows].argmax(-1)
        best = labels[:, None] == np.arange(scores.shape[-1])
        passes = scores[sample, rows] > self.score_threshold
        mask = {"best": best, "official": best | passes, "every_class": np.ones_like(best)}[self.rows]
        row, column = np.nonzero(mask)
        first = np.lexsort((column, ~best[row, column], row))  # a box's own class before its further classes
        row, column = row[first], column[first]
        detections = {
            "boxes": decoded["boxes"][sample, rows[row]],
            "labels": column,
            "scores": scores[sample, rows[row], column],
            "objectness": decoded["objectness"][sample, rows[row]],
        }
        if self.rows == "every_class":
            return detections
        return {**detections, "labels": labels[row], "probabilities": decoded["probabilities"][sample, rows[row]]}


def finite_scores(decoded: Arrays, meta: list[Meta]) -> npt.NDArray[np.float32]:
    """Objectness times probability of every box and class, `[B, M, C]`.

    Raises:
        ValueError: one is not finite.
    """
    scores: npt.NDArray[np.float32] = decoded["objectness"][..., None] * decoded["probabilities"]
    if not np.isfinite(scores).all():
        ids = ", ".join(str(one.get("id")) for one in meta)
        raise ValueError(f"{ids}: the network's answer is nan or inf; check the weights and the input")
    return scores


def check_thresholds(name: str, **thresholds: float) -> None:
    """Refuse thresholds that every score or overlap exceeds, or none.

    Raises:
        ValueError: one is not in 0..1; names it and `name`, that of the class.
    """
    for key, value in thresholds.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name}: {key} should be in 0..1, got {value}")


def suppress(
    boxes: npt.NDArray[np.float32],
    scores: npt.NDArray[np.float32],
    candidates: npt.NDArray[np.bool_],
    iou_threshold: float,
    labels: npt.NDArray[np.int64] | None = None,
) -> npt.NDArray[np.bool_]:
    """Greedy non-maximum suppression of a whole batch at once.

    A box stays when no staying box of a higher score overlaps it by more than the threshold. Starting from "all
    stay", applying that rule settles boxes from the highest score down; the result no longer changes after as many
    rounds as the longest chain of boxes that suppress each other, usually three or four.

    Args:
        boxes: `[B, M, 4]`, corners.
        scores: `[B, M]`; of equal scores the first goes first.
        candidates: `[B, M]`, boxes that take part.
        iou_threshold: 0..1.
        labels: `[B, M]`, if only boxes of the same label suppress each other.

    Returns:
        `[B, M]`, which boxes stay.
    """
    rank = np.argsort(np.argsort(-scores, axis=1, kind="stable"), axis=1)
    wins = (rank[:, :, None] < rank[:, None, :]) & candidates[:, :, None] & candidates[:, None, :]
    wins &= pairwise_iou(boxes) > iou_threshold  # [B, M, M]: the first suppresses the second, if it stays itself
    if labels is not None:
        wins &= labels[:, :, None] == labels[:, None, :]
    stays = candidates
    while True:
        settled = candidates & ~(wins & stays[:, :, None]).any(1)
        if (settled == stays).all():
            return settled
        stays = settled


def pairwise_iou(boxes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Intersection over union of every box with every other of its sample.

    Args:
        boxes: `[B, M, 4]`, corners in any one unit.

    Returns:
        `[B, M, M]` in 0..1; 0 where either box has no area.
    """
    low = np.maximum(boxes[:, :, None, :2], boxes[:, None, :, :2])
    high = np.minimum(boxes[:, :, None, 2:], boxes[:, None, :, 2:])
    shared = (high - low).clip(min=0).prod(-1)
    area = (boxes[..., 2:] - boxes[..., :2]).clip(min=0).prod(-1)
    union = area[:, :, None] + area[:, None, :] - shared
    return shared / np.maximum(union, np.float32(1e-12))
