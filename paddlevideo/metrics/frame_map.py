"""Frame-mAP: average precision of the boxes on single frames, counted as in the UCF101-24 and JHMDB-21 literature.

The rules are those of the PASCAL VOC tool from 2010 on (area under the whole curve); the last row and column of pixels
belong to a box.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from paddlevideo.metrics.base import Metric
from paddlevideo.registry import METRICS
from paddlevideo.types import Arrays, IntArray, Meta, Prediction

Float64Array: TypeAlias = npt.NDArray[np.float64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
FrameRecord: TypeAlias = tuple[Float64Array, Float64Array]  # detections [K, 6], truths [N, 5]: label, box, score

SNAP = 64  # steps a pixel


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


@METRICS.register
class FrameMAP(Metric):
    """Mean average precision of boxes on annotated frames at one IoU threshold.

    Args:
        classes: class names; the label is the position.
        iou_threshold: least overlap of a true positive, above 0 and up to 1.
        round_boxes: round detections to whole pixels, as the official text files of detections do.

    Raises:
        ValueError: a threshold that is no overlap.
    """

    def __init__(self, classes: Sequence[str], iou_threshold: float = 0.5, round_boxes: bool = True) -> None:
        super().__init__()
        if not 0 < iou_threshold <= 1:
            raise ValueError(
                f"METRIC FrameMAP: iou_threshold should be above 0 and at most 1, got {iou_threshold}; usual is 0.5"
            )
        self.classes = list(classes)
        self.iou_threshold = iou_threshold
        self.round_boxes = round_boxes
        self.primary = f"frame_map@{iou_threshold:g}"

    def record(self, prediction: Prediction, target: Arrays, meta: Meta) -> FrameRecord:
        """Detections and truths of one frame, in pixels and not clipped to the frame.

        Args:
            prediction: `boxes [K, 4]` x1, y1, x2, y2 as fractions of the frame, `labels [K]`, `scores [K]`.
            target: `boxes [N, 4]` in the same form, `labels [N]`; rows labelled -1 are padding.
            meta: `id`, and `size`, height and width of the annotated frame in pixels.

        Returns:
            Rows of label, x1, y1, x2, y2, score and of label, x1, y1, x2, y2.

        Raises:
            ValueError: a label without a class, or a prediction that is not finite.
        """
        height, width = meta["size"]
        scale = np.array([width, height, width, height], dtype=np.float64)
        check_labels(prediction["labels"], len(self.classes), f"{meta['id']}: prediction")
        boxes = prediction["boxes"] * scale
        boxes = np.rint(boxes) if self.round_boxes else boxes  # half to even
        detections = np.column_stack([prediction["labels"], boxes, prediction["scores"]])
        if not np.isfinite(detections).all():
            raise ValueError(
                f"{meta['id']}: prediction should be finite, got nan or inf in boxes or scores; check the weights"
            )
        truth_boxes, truth_labels = real_truths(target, len(self.classes), meta)
        # A float32 fraction misses the annotated pixel by some 1e-5, and whether an IoU of exactly one half passes
        # would be luck. The nearest 64th is the annotated pixel again, and where that was no whole pixel it is off by
        # less than a hundredth.
        truths = np.column_stack([truth_labels, np.rint(truth_boxes * scale * SNAP) / SNAP])
        return detections, truths

    def compute(self, records: dict[str, FrameRecord]) -> dict[str, float]:
        """Mean over the classes that have truths, and `AP/<class>` of each of them; all in 0..1.

        Raises:
            ValueError: there is not one truth.
        """
        # Detections of equal score count in the order in which the official tool reads its files, which are called
        # Class_video_00012.txt; the underscore sorts after the letters of a longer class name, the slash before.
        ids = sorted(records, key=lambda name: name.replace("/", "_"))
        image, rows = number_rows([records[name][0] for name in ids])
        detections = DetectionTable(image, rows[:, 0].astype(np.int64), rows[:, 1:5], rows[:, 5])
        image, rows = number_rows([records[name][1] for name in ids])
        truths = BoxTable(image, rows[:, 0].astype(np.int64), rows[:, 1:])
        if not len(rows):
            raise ValueError(
                f"METRIC FrameMAP: expected annotated boxes, but the test set has no boxes in its {len(ids)} frames; "
                "check the annotation that DATASET.test names"
            )
        results = evaluate(detections, truths, self.iou_threshold)
        ap = {f"AP/{self.classes[label]}": result.ap for label, result in results.items() if result.num_truths}
        return {self.primary: float(np.mean(list(ap.values()))), **ap}


def evaluate(
    detections: DetectionTable, truths: BoxTable, iou_threshold: float, hits: BoolArray | None = None
) -> dict[int, ClassResult]:
    """Counts and average precision of every class that has a detection or a truth, by label.

    Args:
        detections: of all images.
        truths: of all images.
        iou_threshold: least overlap of a true positive.
        hits: which detections are true positives, if not those that `match` finds.
    """
    hits = match(detections, truths, iou_threshold) if hits is None else hits
    order = np.argsort(-detections.score, kind="stable")
    hits, labels = hits[order], detections.label[order]
    results = {}
    for label in np.union1d(labels, truths.label).tolist():
        ranked = hits[labels == label]
        num_truths = int((truths.label == label).sum())
        found = int(ranked.sum())
        results[label] = ClassResult(num_truths, found, len(ranked) - found, average_precision(ranked, num_truths))
    return results


def pixel_iou(a: Float64Array, b: Float64Array) -> Float64Array:
    """IoU of row i of `a` with row i of `b`.

    Args:
        a: `[P, 4]`, x1, y1, x2, y2 in pixels. The last pixel belongs to the box: its width is x2 - x1 + 1.
        b: `[P, 4]`, likewise.

    Returns:
        `[P]` in 0..1; 0 where one box starts beyond the end of the other.
    """
    gap = np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2])
    shared = np.where(gap >= 0, gap + 1, 0).prod(axis=1)
    area_a, area_b = ((box[:, 2:] - box[:, :2] + 1).prod(axis=1) for box in (a, b))
    return shared / (area_a + area_b - shared)


def match(
    detections: DetectionTable,
    truths: BoxTable,
    iou_threshold: float,
    iou: Callable[[Float64Array, Float64Array], Float64Array] = pixel_iou,
) -> BoolArray:
    """Which detections are true positives, `[N]` in table order.

    A detection stands for the truth of its image and class that it overlaps most, the first of equals. It is a true
    positive if that IoU reaches the threshold and no detection of a higher score has that truth already; it never
    falls back on its second-best truth.
    """
    detection, truth = _pairs(detections, truths)  # [P]
    overlap = iou(detections.boxes[detection], truths.boxes[truth])
    order = np.lexsort((-overlap, detection))  # stable, so the first of equal overlaps stays first
    _, start = np.unique(detection[order], return_index=True)
    best = order[start]  # one pair for each detection that has any truth
    best = best[overlap[best] >= iou_threshold]
    best = best[np.argsort(-detections.score[detection[best]], kind="stable")]
    _, first = np.unique(truth[best], return_index=True)
    hits = np.zeros(len(detections.image), dtype=np.bool_)
    hits[detection[best[first]]] = True
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
        ValueError: a label without a class.
    """
    real = target["labels"] != -1
    boxes, labels = target["boxes"][real], target["labels"][real]
    check_labels(labels, num_classes, f"{meta['id']}: annotation")
    return boxes, labels


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


def _pairs(detections: BoxTable, truths: BoxTable) -> tuple[IntArray, IntArray]:
    """Rows of every detection and truth that share image and class: `[P]`, `[P]`, both in table order."""
    num_labels = 1 + max(detections.label.max(initial=0), truths.label.max(initial=0))
    key = detections.image * num_labels + detections.label
    truth_key = truths.image * num_labels + truths.label
    by_key = np.argsort(truth_key, kind="stable")
    start = np.searchsorted(truth_key[by_key], key, side="left")
    count = np.searchsorted(truth_key[by_key], key, side="right") - start
    detection = np.repeat(np.arange(len(key)), count)
    offset = np.arange(len(detection)) - np.repeat(count.cumsum() - count, count)
    return detection, by_key[np.repeat(start, count) + offset]


def number_rows(frames: list[Float64Array]) -> tuple[IntArray, Float64Array]:
    """All rows of all frames, and the position of the frame that each row came from."""
    return np.repeat(np.arange(len(frames)), [len(rows) for rows in frames]), np.concatenate(frames)
