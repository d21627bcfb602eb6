"""Mean average precision of labelled segments of time, counted as in ActivityNet's detection challenge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from paddlevideo.metrics.base import STRICT, MeanAveragePrecision, UnmeasurableError
from paddlevideo.metrics.frame_map import average_precision, check_labels
from paddlevideo.metrics.overlap import BoolArray, Float64Array
from paddlevideo.modeling.segments import segment_iou
from paddlevideo.registry import METRICS
from paddlevideo.types import Arrays, IntArray, Meta, Prediction
from paddlevideo.utils.text_files import load_json


class LabelledRecord(NamedTuple):
    """One video: what was found and what is there, in seconds."""

    segments: Float64Array  # [K, 2]
    labels: IntArray  # [K]
    scores: Float64Array  # [K]
    true_segments: Float64Array  # [N, 2]
    true_labels: IntArray  # [N]


@METRICS.register
class SegmentMAP(MeanAveragePrecision):
    """Mean average precision of segments over the classes that the test set has.

    A detection takes the free truth of its class that it overlaps most; one whose best truths are taken may have the
    next one that reaches the threshold.

    Args:
        classes: class names; the label is the position.
        iou_thresholds: least overlaps of a true positive, each above 0 and up to 1, a number for each.
        video_labels: for models whose segments have no class, a JSON file of classes of whole videos, `{video:
            [{"label": name, "score": number}, ...]}`. A segment becomes a detection of each, with the product of both
            scores; this is how detection results of proposals are published.

    Raises:
        ValueError: no threshold, or one that is no overlap, or a file that is not as described.
        FileNotFoundError: no such file.
    """

    def __init__(
        self, classes: Sequence[str], iou_thresholds: Sequence[float] = STRICT, video_labels: str | None = None
    ) -> None:
        super().__init__(classes, iou_thresholds, mean="segment_map", single="AP")
        self.video_labels = None if video_labels is None else _read_video_labels(Path(video_labels), self.classes)

    def record(self, prediction: Prediction, target: Arrays, meta: Meta) -> LabelledRecord:
        """Detections and truths of one video.

        Args:
            prediction: `segments [K, 2]` in seconds, `scores [K]` and, without `video_labels`, `labels [K]`.
            target: `segments [N, 2]` in seconds, `labels [N]`; rows labelled -1 are padding.
            meta: `id`.

        Raises:
            UnmeasurableError: segments without labels, or a video that is not in `video_labels`.
            ValueError: a label without a class.
        """
        segments, scores = prediction["segments"].astype(np.float64), prediction["scores"].astype(np.float64)
        if self.video_labels is not None:
            if meta["id"] not in self.video_labels:
                raise UnmeasurableError(f"METRIC SegmentMAP: video_labels has no video {meta['id']}; add it")
            labels, shares = self.video_labels[meta["id"]]
            count = len(segments)
            segments, scores = np.tile(segments, (len(labels), 1)), np.outer(shares, scores).ravel()
            labels = np.repeat(labels, count)
        elif "labels" in prediction:
            labels = prediction["labels"]
        else:
            raise UnmeasurableError(
                f"{meta['id']}: METRIC SegmentMAP expects a label for each segment, and this model gives none; name a "
                "file of classes with video_labels, or choose a metric for proposals, such as ProposalRecall"
            )
        real = target["labels"] != -1
        truths, true_labels = target["segments"][real].astype(np.float64), target["labels"][real]
        check_labels(labels, len(self.classes), f"{meta['id']}: prediction")
        check_labels(true_labels, len(self.classes), f"{meta['id']}: annotation")
        return LabelledRecord(segments, labels, scores, truths, true_labels)

    def compute(self, records: dict[str, LabelledRecord]) -> dict[str, float]:
        """`segment_map@<threshold>`, means over the classes that have truths, and `AP/<class>` of these; all in 0..1.

        Raises:
            UnmeasurableError: there is not one truth.
        """
        if not any(len(record.true_labels) for record in records.values()):
            raise UnmeasurableError(
                f"METRIC SegmentMAP: expected annotated segments, but none of the {len(records)} test videos has one; "
                "check the annotation that DATASET.test names"
            )
        return self.numbers(self.table(records))

    def table(self, records: dict[str, LabelledRecord]) -> Float64Array:
        """AP by threshold and class, `[thresholds, classes]`; nan for a class without truths."""
        table = np.full((len(self.iou_thresholds), len(self.classes)), np.nan)
        for label in range(len(self.classes)):
            parts = [_of_class(record, label) for record in records.values()]
            num_truths = sum(len(truths) for _, _, truths in parts)
            if not num_truths:
                continue
            order = np.argsort(-np.concatenate([scores for _, scores, _ in parts]), kind="stable")
            hits = np.concatenate([_hits(*part, np.array(self.iou_thresholds)) for part in parts], axis=1)
            table[:, label] = [average_precision(row[order], num_truths) for row in hits]
        return table


def _of_class(record: LabelledRecord, label: int) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Segments, scores and truths of one class."""
    found = record.labels == label
    return record.segments[found], record.scores[found], record.true_segments[record.true_labels == label]


def _hits(segments: Float64Array, scores: Float64Array, truths: Float64Array, thresholds: Float64Array) -> BoolArray:
    """Which detections of one class in one video are true positives, `[thresholds, K]`."""
    hits = np.zeros((len(thresholds), len(segments)), np.bool_)
    if not len(truths):
        return hits
    overlap = segment_iou(segments[:, None], truths)  # [K, N]
    free = np.ones((len(thresholds), len(truths)), np.bool_)
    for row in np.argsort(-scores, kind="stable").tolist():
        nearest = np.argsort(-overlap[row], kind="stable")
        takes = free[:, nearest] & (overlap[row, nearest] >= thresholds[:, None])  # [thresholds, N]
        hits[:, row] = takes.any(1)
        free[hits[:, row], nearest[takes.argmax(1)][hits[:, row]]] = False
    return hits


def _read_video_labels(path: Path, classes: list[str]) -> dict[str, tuple[IntArray, Float64Array]]:
    """Labels and scores of each video."""
    if not path.is_file():
        raise FileNotFoundError(f"METRIC SegmentMAP: video_labels: no file {path}; give its path as seen from here")
    try:
        return dict(_video_labels(load_json(path), classes))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f'{path}: expected {{video: [{{"label": a class of the config, "score": number}}, ...]}} ({error}); mend it'
        ) from error


def _video_labels(content: dict[str, list[dict[str, object]]], classes: list[str]) -> Iterator[tuple[str, tuple]]:
    for video, nodes in content.items():
        labels = np.array([classes.index(str(node["label"])) for node in nodes], np.int64)
        scores = np.array([float(str(node["score"])) for node in nodes])
        if not np.isfinite(scores).all():
            raise ValueError(f"{video}: score is not finite")
        yield video, (labels, scores)
