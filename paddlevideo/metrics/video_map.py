"""Video-mAP: average precision of action tubes, counted as in the UCF101-24 and JHMDB-21 literature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from paddlevideo.metrics.base import MeanAveragePrecision, UnmeasurableError
from paddlevideo.metrics.frame_map import annotated_pixels, average_precision, check_labels, number_rows, real_truths
from paddlevideo.metrics.overlap import BoolArray, Float64Array, distinct_rows
from paddlevideo.metrics.tubes import LinkedTube, Tube, link_tubes, match_tubes, suppress_tubes, tube_iou
from paddlevideo.registry import METRICS
from paddlevideo.types import Arrays, FloatArray, Meta, Prediction

EPSILON = 1e-5  # the published code adds it to the number of truths


class FrameBoxes(NamedTuple):
    """One frame, boxes as x1, y1, x2, y2 in pixels."""

    boxes: FloatArray  # [K, 4]
    scores: FloatArray  # [K, C]: what the box is worth to each class, nan to those that it is no candidate of
    truths: FloatArray  # [N, 6]: label, box, actor
    num_frames: int  # of the video that are annotated


@METRICS.register
class VideoMAP(MeanAveragePrecision):
    """Mean average precision of action tubes; every annotated frame of every video must be in the test set.

    Of a video that is annotated in part, the annotated frames in their order count as the whole video.

    Frame-mAP is measured on annotated frames only, so the two metrics do not share a test set. The annotated tubes
    should be complete, see the tube ends in data/ucf24/README.md. docs/evaluation.md says whose choices are whose.

    Args:
        classes: class names; the label is the position.
        iou_thresholds: least overlaps of a true positive, each above 0 and up to 1, a number for each.
        candidates: what tubes of a class are linked from: `every_class`, all boxes, with the probability of that class
            alone as score (published code of YOWO); `own_class`, the detections of that class with the score that they
            have, for YOWO objectness times probability (published code of YOWO-Plus).
        max_tubes: largest number of tubes of one class in a video.
        nms: a tube goes if it overlaps a better one of its class by more than this.
        border: whether the last row and column of pixels belong to a box.
        shift: pixels by which detections are moved right and down.
        strict: whether the overlap of a true positive must exceed the threshold.
        trim: whether tubes end where their detections end, see `link_tubes`.
        decimals: of a percent, to which the AP of a class is rounded; null for none.

    Raises:
        ValueError: no threshold, one that is no overlap, or a choice that leaves no tube.
    """

    def __init__(
        self,
        classes: Sequence[str],
        iou_thresholds: Sequence[float] = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75),
        candidates: Literal["every_class", "own_class"] = "every_class",
        max_tubes: int = 3,
        nms: float = 0.3,
        border: bool = True,
        shift: float = 0.0,
        strict: bool = False,
        trim: bool = False,
        decimals: int | None = None,
    ) -> None:
        super().__init__(classes, iou_thresholds, mean="video_map", single="video_AP")
        if max_tubes < 1 or not 0 <= nms <= 1:
            raise ValueError(
                "METRIC VideoMAP: expected max_tubes of at least 1 and nms in 0..1, got "
                f"{max_tubes} and {nms}; usual are 3 and 0.3"
            )
        self.candidates, self.max_tubes, self.nms, self.trim = candidates, max_tubes, nms, trim
        self.border, self.shift, self.strict, self.decimals = float(border), shift, strict, decimals

    def record(self, prediction: Prediction, target: Arrays, meta: Meta) -> FrameBoxes:
        """Detections, clipped to the frame, and truths of one frame, in pixels, as float32.

        Args:
            prediction: `boxes [K, 4]` x1, y1, x2, y2 as fractions of the frame, and for `own_class` `labels [K]` and
                `scores [K]`, for `every_class` `probabilities [K, C]`.
            target: `boxes [N, 4]` in the same form, `labels [N]`, `actors [N]`; rows labelled -1 are padding.
            meta: `id`, `size` (height and width of the annotated frame in pixels), `num_frames` of the video that
                are annotated.

        Raises:
            UnmeasurableError: a target without actors, or a prediction without probabilities.
            ValueError: a label without a class, or a prediction that is not finite.
        """
        if "actors" not in target:
            raise UnmeasurableError(
                f"{meta['id']}: video-mAP expects targets with actors, got {', '.join(target)}; build the index anew "
                "with the tube annotation, as data/ucf24/README.md describes, and leave multi_label out"
            )
        height, width = meta["size"]
        scale = np.array([width, height, width, height], dtype=np.float64)
        check_labels(prediction["labels"], len(self.classes), f"{meta['id']}: prediction")
        found, scores = self._candidates(prediction, meta)
        found = (found * scale).clip(0, scale) + self.shift
        boxes, labels = real_truths(target, len(self.classes), meta)
        truths = np.column_stack([labels, annotated_pixels(boxes, scale), target["actors"][target["labels"] != -1]])
        found, scores, truths = (part.astype(np.float32) for part in (found, scores, truths))
        return FrameBoxes(found, scores, truths, meta["num_frames"])

    def _candidates(self, prediction: Prediction, meta: Meta) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Boxes as fractions `[K, 4]` and their scores `[K, C]`, see `FrameBoxes`."""
        key = {"every_class": "probabilities", "own_class": "scores"}[self.candidates]
        if key not in prediction:
            raise UnmeasurableError(
                f"{meta['id']}: METRIC VideoMAP expects {key} for candidates: {self.candidates}, the prediction has "
                f"{', '.join(prediction)}; use a postprocess that returns them, such as DetectionNMS with rows: best, "
                "or other candidates"
            )
        boxes, worth = prediction["boxes"], prediction[key]
        if not (np.isfinite(boxes).all() and np.isfinite(worth).all()):
            raise ValueError(
                f"{meta['id']}: prediction should be finite, got nan or inf in boxes or {key}; check the weights"
            )
        if self.candidates == "every_class":
            rows = distinct_rows(np.column_stack([boxes, worth]))
            return boxes[rows], worth[rows]
        scores = np.full((len(boxes), len(self.classes)), np.nan)
        scores[np.arange(len(boxes)), prediction["labels"]] = worth
        return boxes, scores

    def compute(self, records: dict[str, FrameBoxes]) -> dict[str, float]:
        """`video_map@<threshold>`, a mean over all classes, and `video_AP/<class>` at the primary one; all in 0..1.

        Raises:
            UnmeasurableError: a video lacks a frame, or there is not one truth.
        """
        return self.numbers(self.average_precisions(records))

    def average_precisions(self, records: dict[str, FrameBoxes]) -> Float64Array:
        """AP in 0..1 by threshold and class, `[thresholds, classes]`; 0 for a class without truths.

        Raises:
            UnmeasurableError: a video lacks a frame, or there is not one truth.
        """
        scores: list[list[float]] = [[] for _ in self.classes]
        hits: list[list[BoolArray]] = [[] for _ in self.classes]  # [thresholds, tubes] of each video
        num_truths = [0 for _ in self.classes]
        for frames in by_video(records).values():
            found, true = self._found_tubes(frames), true_tubes(frames)
            for label in found.keys() | true.keys():
                tubes, truths = found.get(label, []), true.get(label, [])
                scores[label] += [tube.score for tube in tubes]
                hits[label].append(self._hits(tubes, truths))
                num_truths[label] += len(truths)
        if not any(num_truths):
            raise UnmeasurableError(
                f"METRIC VideoMAP: expected annotated tubes, but there is none in the {len(records)} frames of the "
                "test set; check the annotation that DATASET.test names"
            )
        return np.array([self._average_precision(*parts) for parts in zip(scores, hits, num_truths, strict=True)]).T

    def _found_tubes(self, frames: list[FrameBoxes]) -> dict[int, list[LinkedTube]]:
        """The tubes of one video by label, the best first."""
        frame, boxes = number_rows([one.boxes.astype(np.float64) for one in frames])
        scores = np.concatenate([one.scores.astype(np.float64) for one in frames])
        row, label = np.nonzero(~np.isnan(scores))
        linked = link_tubes(
            frame[row] + 1, label, boxes[row], scores[row, label], len(frames), self.max_tubes, self.trim
        )
        return {label: suppress_tubes(tubes, self.nms, self.border) for label, tubes in linked.items()}

    def _hits(self, tubes: list[LinkedTube], truths: list[Tube]) -> BoolArray:
        """Which tubes of one video and class are true positives, `[thresholds, tubes]`."""
        overlap = np.array([tube_iou(tube, truth, self.border) for tube in tubes for truth in truths])
        overlap = overlap.reshape(len(tubes), len(truths))
        return np.array([match_tubes(overlap, threshold, self.strict) for threshold in self.iou_thresholds])

    def _average_precision(self, scores: list[float], hits: list[BoolArray], num_truths: int) -> list[float]:
        """AP of one class at each threshold, from the tubes of all videos."""
        if not num_truths:
            return [0.0 for _ in self.iou_thresholds]
        ranked = np.concatenate(hits, axis=1)[:, np.argsort(-np.array(scores), kind="stable")]
        share = num_truths / (num_truths + EPSILON)
        ap = [share * average_precision(row, num_truths) for row in ranked]
        return ap if self.decimals is None else [round(100 * value, self.decimals) / 100 for value in ap]


def by_video(records: dict[str, FrameBoxes]) -> dict[str, list[FrameBoxes]]:
    """The records `<video>/<frame>` of each video, its frames from the first to the last; videos by name.

    Raises:
        UnmeasurableError: another kind of id, or a video lacks a frame.
    """
    videos: dict[str, dict[int, FrameBoxes]] = {}
    for name in sorted(records):
        video, _, frame = name.rpartition("/")
        if not video or not frame.isdecimal():
            raise UnmeasurableError(
                f"METRIC VideoMAP: expected sample ids like Biking/v_1/00012, a video and a frame, got {name!r}; "
                "use a dataset of key frames, such as ActionDataset"
            )
        videos.setdefault(video, {})[int(frame)] = records[name]
    return {video: _in_order(video, frames) for video, frames in videos.items()}


def _in_order(video: str, frames: dict[int, FrameBoxes]) -> list[FrameBoxes]:
    wanted = next(iter(frames.values())).num_frames
    if len(frames) != wanted:
        first = next(number for number in range(1, wanted + 2) if number not in frames)
        where = f"{video}, frame {first}" if max(frames) <= wanted else video  # else it is annotated in part
        raise UnmeasurableError(
            f"{where}: video-mAP expects all {wanted} frames of a video that are annotated, but "
            f"{wanted - len(frames)} were not evaluated; set DATASET.test.every_frame=true"
        )
    return [frames[number] for number in sorted(frames)]


def true_tubes(frames: list[FrameBoxes]) -> dict[int, list[Tube]]:
    """The annotated tubes of one video by label; the boxes of an actor are a tube."""
    position, rows = number_rows([boxes.truths.astype(np.float64) for boxes in frames])
    tubes: dict[int, list[Tube]] = {}
    for label, actor in np.unique(rows[:, [0, 5]], axis=0):
        own = (rows[:, 0] == label) & (rows[:, 5] == actor)
        tubes.setdefault(int(label), []).append(Tube(position[own] + 1, rows[own, 1:5]))
    return tubes
