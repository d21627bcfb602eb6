"""F-score, classification accuracy and localization recall: what YOWO watches while it trains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from paddlevideo.metrics.base import Metric
from paddlevideo.metrics.frame_map import check_labels, real_truths
from paddlevideo.registry import METRICS
from paddlevideo.types import Arrays, Meta, Prediction

EPSILON = 1e-5  # added to each denominator by the official code; part of the number


class Counts(NamedTuple):
    """Of one frame: truths, confident boxes, truths that a box lies on, and of these the ones of the right class."""

    total: int
    proposals: int
    detected: int
    correct: int


@METRICS.register
class DetectionScore(Metric):
    """Precision, recall and their harmonic mean at one confidence, from counts over the whole test set.

    Args:
        classes: class names; the label is the position.
        proposal_threshold: boxes whose objectness exceeds this are counted.
        iou_threshold: a truth is detected when its best box overlaps it by more than this.
    """

    primary = "fscore"

    def __init__(self, classes: Sequence[str], proposal_threshold: float = 0.25, iou_threshold: float = 0.5) -> None:
        super().__init__()
        self.num_classes = len(classes)
        self.proposal_threshold = proposal_threshold
        self.iou_threshold = iou_threshold

    def record(self, prediction: Prediction, target: Arrays, meta: Meta) -> Counts:
        """Counts of one frame; a box may serve several truths.

        Args:
            prediction: `boxes [K, 4]` x1, y1, x2, y2 as fractions of the frame, `labels [K]`, `objectness [K]`.
            target: `boxes [N, 4]` in the same form, `labels [N]`; rows labelled -1 are padding.
            meta: `id`.

        Raises:
            KeyError: the prediction has no objectness.
            ValueError: a label without a class.
        """
        if "objectness" not in prediction:
            raise KeyError(
                f"{meta['id']}: METRIC DetectionScore needs objectness beside boxes and labels, the prediction has "
                f"{', '.join(prediction)}; use a postprocess that returns it, such as DetectionNMS, or another metric"
            )
        check_labels(prediction["labels"], self.num_classes, f"{meta['id']}: prediction")
        truths, truth_labels = real_truths(target, self.num_classes, meta)
        rows = _distinct(prediction["boxes"])
        rows = rows[prediction["objectness"][rows] > self.proposal_threshold]
        overlap = np.zeros((1 + len(rows), len(truths)))  # row 0 stands for "no box", of no class
        overlap[1:] = _pairwise_iou(prediction["boxes"][rows], truths)
        labels = np.append(-1, prediction["labels"][rows])
        detected = overlap.max(axis=0) > self.iou_threshold  # [N]
        correct = detected & (labels[overlap.argmax(axis=0)] == truth_labels)
        return Counts(len(truths), len(rows), int(detected.sum()), int(correct.sum()))

    def compute(self, records: dict[str, Counts]) -> dict[str, float]:
        """Ratios of the summed counts, all in 0..1."""
        total, proposals, detected, correct = np.array(list(records.values())).sum(axis=0).tolist()
        precision = correct / (proposals + EPSILON)
        recall = correct / (total + EPSILON)
        return {
            "fscore": 2 * precision * recall / (precision + recall + EPSILON),
            "precision": precision,
            "recall": recall,
            "classification_accuracy": correct / (detected + EPSILON),
            "localization_recall": detected / (total + EPSILON),
        }


def _distinct(boxes: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """First row of each different box: one that is listed again for further classes is still one proposal."""
    return np.sort(np.unique(boxes, axis=0, return_index=True)[1])


def _pairwise_iou(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """IoU `[K, N]` of corner boxes `a [K, 4]` and `b [N, 4]`, without area for the border; 0 where they are apart."""
    a, b = a[:, None].astype(np.float64), b[None].astype(np.float64)
    shared = (np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])).clip(min=0).prod(axis=-1)
    area_a, area_b = ((box[..., 2:] - box[..., :2]).prod(axis=-1) for box in (a, b))
    return shared / np.maximum(area_a + area_b - shared, np.finfo(np.float64).tiny)
