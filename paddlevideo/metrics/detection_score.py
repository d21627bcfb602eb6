"""F-score, classification accuracy and localization recall: what YOWO watches while it trains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from paddlevideo.metrics.base import Metric, UnmeasurableError
from paddlevideo.metrics.frame_map import check_labels, real_truths
from paddlevideo.metrics.overlap import box_iou, distinct_rows
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
        background: whether frames without truths count, see `Metric`.
    """

    primary = "fscore"

    def __init__(
        self,
        classes: Sequence[str],
        proposal_threshold: float = 0.25,
        iou_threshold: float = 0.5,
        background: bool = True,
    ) -> None:
        super().__init__(background)
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
            UnmeasurableError: the prediction has no objectness.
            ValueError: a label without a class.
        """
        if "objectness" not in prediction:
            raise UnmeasurableError(
                f"{meta['id']}: METRIC DetectionScore needs objectness beside boxes and labels, the prediction has "
                f"{', '.join(prediction)}; use a postprocess that returns it, such as DetectionNMS, or another metric"
            )
        check_labels(prediction["labels"], self.num_classes, f"{meta['id']}: prediction")
        truths, truth_labels = real_truths(target, self.num_classes, meta)
        rows = distinct_rows(prediction["boxes"])
        rows = rows[prediction["objectness"][rows] > self.proposal_threshold]
        overlap = np.zeros((1 + len(rows), len(truths)))  # row 0 stands for "no box", of no class
        overlap[1:] = box_iou(prediction["boxes"][rows, None], truths)
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
