"""Frame-mAP: average precision of the boxes on single frames, counted as in the UCF101-24 and JHMDB-21 literature.

The rules are those of the PASCAL VOC tool from 2010 on (area under the whole curve); the last row and column of pixels
belong to a box.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from paddlevideo.metrics.base import MeanAveragePrecision, UnmeasurableError
from paddlevideo.metrics.overlap import BoolArray, Float64Array, box_iou
from paddlevideo.registry import METRICS
from paddlevideo.types import Arrays, IntArray, Meta, Prediction

SNAP = 64  # steps a pixel
CHUNK = 1 << 20  # detections that are compared with their truths together


@dataclass(frozen=True)
class BoxTable:
    """Boxes of many images, one a row: `image [N]`, `label [N]`, `boxes [N, 4]` as x1, y1, x2, y2 in pixels."""

    image: IntArray
    label: IntArray
    boxes: Float64Array


@dataclass(frozen=True)
class DetectionTable(BoxTable):
    """A `BoxTable` with `score [N]`; of equal scores the earlier row goes first."""

    score: Float64Array


@dataclass(frozen=True)
class ClassResult:
    """What became of one class: `ap` is in 0..1, and nan for a class without truths."""

    num_truths: int
    true_positives: int
    false_positives: int
    ap: float


class FrameRecord(NamedTuple):
    """One frame: what was found and what is there, boxes as fractions; `size` is height, width in pixels."""

    boxes: npt.NDArray[Any]  # [K, 4]
    labels: npt.NDArray[Any]  # [K]
    scores: npt.NDArray[Any]  # [K]
    true_boxes: npt.NDArray[Any]  # [N, 4], with padding rows
    true_labels: npt.NDArray[Any]  # [N], -1 is padding
    size: Sequence[int]


@METRICS.register
class FrameMAP(MeanAveragePrecision):
    """Mean average precision of boxes on frames.

    Args:
        classes: class names; the label is the position.
        iou_thresholds: least overlaps of a true positive, each above 0 and up to 1, a number for each.
        round_boxes: round detections to whole pixels, as the official text files of detections do.
        background: whether frames without truths count, on which every detection is false, see `Metric`.

    Raises:
        ValueError: no threshold, or one that is no overlap.
    """

    def __init__(
        self,
        classes: Sequence[str],
        iou_thresholds: Sequence[float] = (0.5,),
        round_boxes: bool = True,
        background: bool = True,
    ) -> None:
        super().__init__(classes, iou_thresholds, mean="frame_map", single="AP", background=background)
        self.round_boxes = round_boxes

    def record(self, prediction: Prediction, target: Arrays, meta: Meta) -> FrameRecord:
        """Detections and truths of one frame, as they are.

        Args:
            prediction: `boxes [K, 4]` x1, y1, x2, y2 as fractions of the frame, `labels [K]`, `scores [K]`.
            target: `boxes [N, 4]` in the same form, `labels [N]`; rows labelled -1 are padding.
            meta: `id`, and `size`, height and width of the annotated frame in pixels.

        Raises:
            UnmeasurableError: truths with several labels each.
        """
        check_single_labels(target, meta)
        found = (prediction["boxes"], prediction["labels"], prediction["scores"])
        return FrameRecord(*found, target["boxes"], target["labels"], meta["size"])

    def compute(self, records: dict[str, FrameRecord]) -> dict[str, float]:
        """`frame_map@<threshold>`, means over the classes that have truths, and `AP/<class>` of these; all in 0..1.

        Raises:
            UnmeasurableError: there is not one truth.
            ValueError: a label without a class, or a prediction that is not finite.
        """
        detections, truths = self.tables(records)
        if not len(truths.label):
            raise UnmeasurableError(
                f"METRIC FrameMAP: expected annotated boxes, but the test set has no boxes in its {len(records)} "
                "frames; check the annotation that DATASET.test names"
            )
        table = np.full((len(self.iou_thresholds), len(self.classes)), np.nan)
        for row, results in zip(table, evaluate(detections, truths, self.iou_thresholds), strict=True):
            row[list(results)] = [result.ap for result in results.values()]
        return self.numbers(table)

    def tables(self, records: dict[str, FrameRecord]) -> tuple[DetectionTable, BoxTable]:
        """Detections and truths of all frames, in pixels.

        Raises:
            ValueError: a label without a class, or a prediction that is not finite.
        """
        # Detections of equal score count in the order in which the official tool reads its files, which are called
        # Class_video_00012.txt; the underscore sorts after the letters of a longer class name, the slash before.
        names = sorted(records, key=lambda name: name.replace("/", "_"))
        frames = zip(*(records[name] for name in names), strict=True)
        boxes, labels, scores, true_boxes, true_labels, sizes = map(list, frames)
        scale = np.array(sizes, dtype=np.float64)[:, [1, 0, 1, 0]]
        truths = self._truths(names, scale, true_boxes, np.concatenate(true_labels))
        image, rows = number_rows(boxes)
        label, score = np.concatenate(labels), np.concatenate(scores)
        _check_finite(names, image, rows, score)
        self._check_labels(names, image, label, "prediction")
        pixels = rows * scale[image]
        pixels = np.rint(pixels) if self.round_boxes else pixels  # half to even; not clipped to the frame
        return DetectionTable(image, label, pixels, score.astype(np.float64)), truths

    def _truths(
        self, names: list[str], scale: Float64Array, boxes: list[npt.NDArray[Any]], label: IntArray
    ) -> BoxTable:
        """Truths of all frames, without padding."""
        image, rows = number_rows(boxes)
        real = label != -1
        image, rows, label = image[real], rows[real], label[real]
        self._check_labels(names, image, label, "annotation")
        return BoxTable(image, label, annotated_pixels(rows, scale[image]))

    def _check_labels(self, names: list[str], image: IntArray, label: IntArray, kind: str) -> None:
        wrong = np.flatnonzero((label < 0) | (label >= len(self.classes)))[:1]
        if len(wrong):
            check_labels(label[wrong], len(self.classes), f"{names[image[wrong[0]]]}: {kind}")


def _check_finite(names: list[str], image: IntArray, boxes: npt.NDArray[Any], score: npt.NDArray[Any]) -> None:
    finite = np.isfinite(boxes).all(1) & np.isfinite(score)
    if not finite.all():
        raise ValueError(
            f"{names[image[finite.argmin()]]}: prediction should be finite, got nan or inf in boxes or scores; check "
            "the weights"
        )


def evaluate(
    detections: DetectionTable,
    truths: BoxTable,
    iou_thresholds: Sequence[float],
    turns: IntArray | None = None,
    border: float = 1.0,
) -> list[dict[int, ClassResult]]:
    """Counts and average precision of every class that has a detection or a truth, by label, for each threshold.

    A detection stands for the truth of its image and class that it overlaps most, the first of equals. It is a true
    positive if that IoU reaches the threshold and no detection before it has that truth already; it never falls back on
    its second-best truth.

    Args:
        detections: of all images.
        truths: of all images.
        iou_thresholds: least overlaps of a true positive, above 0.
        turns: `[N]`, rows of the detections in the order in which they take their truths, if not by falling score.
        border: see `box_iou`.
    """
    truth, overlap = nearest_truths(detections, truths, border)
    num_labels = _num_labels(detections, truths)
    num_truths = np.bincount(truths.label, minlength=num_labels).tolist()
    ranked = _ranked_by_label(detections, num_labels)
    turns = np.concatenate(ranked) if turns is None else turns
    labels = [label for label in range(num_labels) if num_truths[label] or len(ranked[label])]
    results = []
    for threshold in iou_thresholds:
        hits = true_positives(truth, overlap, turns, threshold)
        results.append({label: _class_result(hits[ranked[label]], num_truths[label]) for label in labels})
    return results


def _ranked_by_label(detections: DetectionTable, num_labels: int) -> list[IntArray]:
    """Rows of each label by falling score, of equals the earlier first."""
    by_label = np.argsort(detections.label.astype(np.min_scalar_type(num_labels)), kind="stable")  # small keys: linear
    counts = np.bincount(detections.label, minlength=num_labels)
    of_label = np.split(by_label, counts.cumsum()[:-1])
    return [rows[np.argsort(-detections.score[rows], kind="stable")] for rows in of_label]


def _class_result(hits: BoolArray, num_truths: int) -> ClassResult:
    found = int(hits.sum())
    return ClassResult(num_truths, found, len(hits) - found, average_precision(hits, num_truths))


def nearest_truths(detections: BoxTable, truths: BoxTable, border: float = 1.0) -> tuple[IntArray, Float64Array]:
    """The truth of its image and class that each detection overlaps most, the first of equals.

    Args:
        detections: N boxes.
        truths: of the same images.
        border: see `box_iou`.

    Returns:
        Row of the truth and IoU with it, `[N]` and `[N]`; -1 and 0 for a detection that overlaps none.
    """
    num_labels = _num_labels(detections, truths)
    key = detections.image * num_labels + detections.label
    truth_key = truths.image * num_labels + truths.label
    by_key = np.argsort(truth_key, kind="stable")
    start, stop = (np.searchsorted(truth_key[by_key], key, side=side) for side in ("left", "right"))
    nearest, best = np.full(len(key), -1), np.zeros(len(key))
    for first in range(0, len(key), CHUNK):
        detection, place = _pairs(start[first : first + CHUNK], stop[first : first + CHUNK])
        detection, truth = detection + first, by_key[place]
        overlap = box_iou(detections.boxes[detection], truths.boxes[truth], border)
        np.maximum.at(best, detection, overlap)
        largest = np.flatnonzero((overlap == best[detection]) & (overlap > 0))[::-1]
        nearest[detection[largest]] = truth[largest]  # what is assigned last stays, which is the first of equals
    return nearest, best


def _num_labels(detections: BoxTable, truths: BoxTable) -> int:
    return 1 + int(max(detections.label.max(initial=0), truths.label.max(initial=0)))


def _pairs(start: IntArray, stop: IntArray) -> tuple[IntArray, IntArray]:
    """Number of each range and every place in it, `start` to `stop` without it: `[P]`, `[P]`."""
    count = stop - start
    number = np.repeat(np.arange(len(count)), count)
    return number, np.arange(len(number)) + np.repeat(start - (count.cumsum() - count), count)


def true_positives(truth: IntArray, overlap: Float64Array, turns: IntArray, iou_threshold: float) -> BoolArray:
    """Which detections are the first to take their truth with enough overlap, `[N]`.

    Args:
        truth: `[N]`, see `nearest_truths`.
        overlap: `[N]`, likewise.
        turns: `[N]`, see `evaluate`.
        iou_threshold: least overlap, above 0.
    """
    taking = turns[overlap[turns] >= iou_threshold][::-1]
    owner = np.full(1 + truth.max(initial=0), -1)
    owner[truth[taking]] = taking  # what is assigned last stays, which is the first in turn
    hits = np.zeros(len(truth), dtype=np.bool_)
    hits[owner[owner >= 0]] = True
    return hits


def average_precision(hits: BoolArray, num_truths: int) -> float:
    """Area under the precision-recall curve, precision being the best at this recall or any higher one.

    Args:
        hits: `[N]`, true positive or not, by falling score.
        num_truths: of the class.

    Returns:
        0..1, or nan without truths. Each true positive is a step of `1 / num_truths` along the recall axis.
    """
    if num_truths == 0:
        return float("nan")
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(envelope[hits].sum() / num_truths)


def real_truths(target: Arrays, num_classes: int, meta: Meta) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """`boxes [N, 4]` and `labels [N]` of a target without its padding rows.

    Raises:
        UnmeasurableError: boxes with several labels each.
        ValueError: a label without a class.
    """
    check_single_labels(target, meta)
    real = target["labels"] != -1
    boxes, labels = target["boxes"][real], target["labels"][real]
    check_labels(labels, num_classes, f"{meta['id']}: annotation")
    return boxes, labels


def check_single_labels(target: Arrays, meta: Meta) -> None:
    """Refuse a target whose boxes have several labels each.

    Raises:
        UnmeasurableError: they do.
    """
    if target["labels"].ndim != 1:
        raise UnmeasurableError(
            f"{meta['id']}: expected one label a box, [N], got {list(target['labels'].shape)}; leave multi_label out "
            "of DATASET.test, or choose a metric for several labels, such as AVAMAP"
        )


def annotated_pixels(boxes: npt.NDArray[Any], scale: Float64Array) -> Float64Array:
    """Truths `[N, 4]` in pixels from float32 fractions of frames `scale`, width, height, width, height.

    A float32 fraction misses the annotated pixel by some 1e-5, and whether an IoU of exactly one half passes would be
    luck. The nearest 64th is the annotated pixel again, and where that was no whole pixel it is off by less than a
    hundredth.
    """
    pixels: Float64Array = np.rint(boxes * scale * SNAP) / SNAP
    return pixels


def check_labels(labels: npt.NDArray[Any], num_classes: int, where: str) -> None:
    """Refuse labels `[N]` that name no class.

    Raises:
        ValueError: a label is negative or not below `num_classes`.
    """
    wrong = labels[(labels < 0) | (labels >= num_classes)]
    if len(wrong):
        raise ValueError(
            f"{where} has label {wrong[0]}, expected 0..{num_classes - 1} as the dataset names {num_classes} classes; "
            "the annotation, the class names and num_classes of the model must agree"
        )


def number_rows(frames: Sequence[npt.NDArray[Any]]) -> tuple[IntArray, npt.NDArray[Any]]:
    """All rows of all frames, and the position of the frame that each row came from."""
    return np.repeat(np.arange(len(frames)), list(map(len, frames))), np.concatenate(frames)
