"""The detections of YOWO-Plus and YOWO-Nano where a box has one label (Yang 2022): every class on its own."""

from __future__ import annotations

import numpy as np

from paddlevideo.modeling.postprocess.detection_nms import check_thresholds, finite_scores, suppress
from paddlevideo.registry import POSTPROCESS
from paddlevideo.types import Arrays, FloatArray, Meta, Prediction


@POSTPROCESS.register
class TopKNMS:
    """Of all pairs of a box and a class take the best few, and drop those that a better one of their class overlaps.

    Args:
        score_threshold: pairs whose objectness times probability does not exceed this are dropped.
        iou_threshold: overlap with a kept pair of the same class above which a pair is dropped.
        top_k: how many pairs are looked at; never more than there are boxes.

    Raises:
        ValueError: a threshold is not in 0..1.
    """

    answers = "BoxAnswers"

    def __init__(self, score_threshold: float = 0.005, iou_threshold: float = 0.5, top_k: int = 40) -> None:
        check_thresholds(type(self).__name__, score_threshold=score_threshold, iou_threshold=iou_threshold)
        self.score_threshold = np.float32(score_threshold)
        self.iou_threshold = iou_threshold
        self.top_k = top_k

    def __call__(self, decoded: Arrays, meta: list[Meta]) -> list[Prediction]:
        """Detections of a batch, highest score first; a box may answer for several classes.

        Args:
            decoded: `boxes [B, M, 4]`, `objectness [B, M]`, `probabilities [B, M, C]`.
            meta: of each sample; not needed here.

        Returns:
            For each sample `boxes [K, 4]` as fractions of the frame, `labels [K]`, `scores [K]`, `objectness [K]` and
            `probabilities [K, C]`.

        Raises:
            ValueError: a score is not finite.
        """
        every = finite_scores(decoded, meta)  # [B, M, C]
        num_boxes, num_classes = every.shape[1:]
        scores: FloatArray = every.reshape(len(every), -1)
        best = np.argsort(-scores, axis=1, kind="stable")[:, : min(self.top_k, num_boxes)]  # [B, P]
        scores = np.take_along_axis(scores, best, axis=1)
        row, labels = best // num_classes, best % num_classes
        boxes = np.take_along_axis(decoded["boxes"], row[..., None], axis=1)
        kept = suppress(boxes, scores, scores > self.score_threshold, self.iou_threshold, labels)
        return [
            {
                "boxes": boxes[i, k],
                "labels": labels[i, k],
                "scores": scores[i, k],
                "objectness": decoded["objectness"][i, row[i, k]],
                "probabilities": decoded["probabilities"][i, row[i, k]],
            }
            for i, k in enumerate(kept)
        ]
