"""Video-mAP: average precision of action tubes, counted as in the UCF101-24 and JHMDB-21 literature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from paddlevideo.metrics.base import Metric
from paddlevideo.metrics.frame_map import SNAP, Float64Array, average_precision, check_labels, number_rows, real_truths
from paddlevideo.metrics.tubes import LinkedTube, Tube, link_tubes, match_tubes, suppress_tubes, tube_iou
from paddlevideo.registry import METRICS
from paddlevideo.types import Arrays, FloatArray, Meta, Prediction

EPSILON = 1e-5  # the published code adds it to the number of truths


class FrameBoxes(NamedTuple):
    """One frame: rows of label, x1, y1, x2, y2, score and of label, x1, y1, x2, y2, actor, in pixels."""

    detections: FloatArray  # [K, 6]
    truths: FloatArray  # [N, 6]
    num_frames: int  # of the video


@METRICS.register
class VideoMAP(Metric):
    """Mean average precision of action tubes; every frame of every video must be in the test set.

    Frame-mAP is measured on annotated frames only, so the two metrics do not share a test set. The annotated tubes
    should be complete, see the tube ends in data/ucf24/README.md.

    A detection counts for its own class only, with its own score, which for YOWO is objectness times class probability;
    so does the published code of YOWO-Plus. The published code of YOWO puts each detection into the lists of all
    classes, with the class probability alone as its score; that is not done here.

    Args:
        classes: class names; the label is the position.
        iou_thresholds: least overlaps of a true positive, each above 0 and up to 1, a number for each.
        max_tubes: largest number of tubes of one class in a video.
        nms: a tube goes if it overlaps a better one of its class by more than this.

    Raises:
        ValueError: no threshold, one that is no overlap, or a choice that leaves no tube.
    """

    def __init__(
        self,
        classes: Sequence[str],
        iou_thresholds: Sequence[float] = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75),
        max_tubes: int = 3,
        nms: float = 0.3,
    ) -> None:
        super().__init__()
        if not iou_thresholds or not all(0 < threshold <= 1 for threshold in iou_thresholds):
            raise ValueError(
                "METRIC VideoMAP: iou_thresholds should be numbers above 0 and at most 1, got "
                f"{list(iou_thresholds)}; usual are 0.2 and 0.5"
            )
        if max_tubes < 1 or not 0 <= nms <= 1:
            raise ValueError(
                "METRIC VideoMAP: expected max_tubes of at least 1 and nms in 0..1, got "
                f"{max_tubes} and {nms}; usual are 3 and 0.3"
            )
        self.classes, self.iou_thresholds = list(classes), list(iou_thresholds)
        self.max_tubes, self.nms = max_tubes, nms
        self.decisive = self.iou_thresholds.index(0.5) if 0.5 in self.iou_thresholds else 0
        self.primary = f"video_map@{self.iou_thresholds[self.decisive]:g}"

    def record(self, prediction: Prediction, target: Arrays, meta: Meta) -> FrameBoxes:
        """Detections, clipped to the frame, and truths of one frame, in pixels, as float32.

        Args:
            prediction: `boxes [K, 4]` x1, y1, x2, y2 as fractions of the frame, `labels [K]`, `scores [K]`.
            target: `boxes [N, 4]` in the same form, `labels [N]`, `actors [N]`; rows labelled -1 are padding.
            meta: `id`, `size` (height and width of the annotated frame in pixels), `num_frames` of the video.

        Raises:
            ValueError: a label without a class, a prediction that is not finite, or a target without actors.
        """
        if "actors" not in target:
            raise ValueError(
                f"{meta['id']}: video-mAP expects targets with actors, got {', '.join(target)}; build the index anew "
                "with the tube annotation, as data/ucf24/README.md describes, and leave multi_label out"
            )
        height, width = meta["size"]
        scale = np.array([width, height, width, height], dtype=np.float64)
        check_labels(prediction["labels"], len(self.classes), f"{meta['id']}: prediction")
        boxes = (prediction["boxes"] * scale).clip(0, scale)
        detections = np.column_stack([prediction["labels"], boxes, prediction["scores"]])
        if not np.isfinite(detections).all():
            raise ValueError(
                f"{meta['id']}: prediction should be finite, got nan or inf in boxes or scores; check the weights"
            )
        boxes, labels = real_truths(target, len(self.classes), meta)
        boxes = np.rint(boxes * scale * SNAP) / SNAP  # the annotated pixels, see FrameMAP
        truths = np.column_stack([labels, boxes, target["actors"][target["labels"] != -1]])
        return FrameBoxes(detections.astype(np.float32), truths.astype(np.float32), meta["num_frames"])

    def compute(self, records: dict[str, FrameBoxes]) -> dict[str, float]:
        """`video_map@<threshold>`, a mean over all classes, and `video_AP/<class>` at the primary one; all in 0..1.

        Raises:
            ValueError: a video lacks a frame, or there is not one truth.
        """
        table = self.average_precisions(records)
        means = {f"video_map@{t:g}": float(ap.mean()) for t, ap in zip(self.iou_thresholds, table, strict=True)}
        return means | {f"video_AP/{n}": float(ap) for n, ap in zip(self.classes, table[self.decisive], strict=True)}

    def average_precisions(self, records: dict[str, FrameBoxes]) -> Float64Array:
        """AP in 0..1 by threshold and class, `[thresholds, classes]`; 0 for a class without truths.

        Raises:
            ValueError: a video lacks a frame, or there is not one truth.
        """
        scores: list[list[float]] = [[] for _ in self.classes]
        blocks: list[list[Float64Array]] = [[] for _ in self.classes]  # [tubes, truths] of each video
        for frames in by_video(records).values():
            found, true = self._found_tubes(frames), true_tubes(frames)
            for label in found.keys() | true.keys():
                tubes, truths = found.get(label, []), true.get(label, [])
                scores[label] += [tube.score for tube in tubes]
                overlap = [tube_iou(tube, truth) for tube in tubes for truth in truths]
                blocks[label].append(np.array(overlap).reshape(len(tubes), len(truths)))
        ranked = [_ranked(*parts) for parts in zip(scores, blocks, strict=True)]
        if not any(overlap.shape[1] for overlap in ranked):
            raise ValueError(
                f"METRIC VideoMAP: expected annotated tubes, but there is none in the {len(records)} frames of the "
                "test set; check the annotation that DATASET.test names"
            )
        return np.array([[_average_precision(overlap, t) for overlap in ranked] for t in self.iou_thresholds])

    def _found_tubes(self, frames: list[FrameBoxes]) -> dict[int, list[LinkedTube]]:
        """The tubes of one video by label, the best first."""
        frame, rows = number_rows([boxes.detections.astype(np.float64) for boxes in frames])
        linked = link_tubes(
            frame + 1, rows[:, 0].astype(np.int64), rows[:, 1:5], rows[:, 5], len(frames), self.max_tubes
        )
        return {label: suppress_tubes(tubes, self.nms) for label, tubes in linked.items()}


def by_video(records: dict[str, FrameBoxes]) -> dict[str, list[FrameBoxes]]:
    """The records `<video>/<frame>` of each video, its frames from the first to the last; videos by name.

    Raises:
        ValueError: another kind of id, or a video lacks a frame.
    """
    videos: dict[str, dict[int, FrameBoxes]] = {}
    for name in sorted(records):
        video, _, frame = name.rpartition("/")
        if not video or not frame.isdecimal():
            raise ValueError(
                f"METRIC VideoMAP: expected sample ids like Biking/v_1/00012, a video and a frame, got {name!r}; "
                "use a dataset of key frames, such as ActionDataset"
            )
        videos.setdefault(video, {})[int(frame)] = records[name]
    return {video: _in_order(video, frames) for video, frames in videos.items()}


def _in_order(video: str, frames: dict[int, FrameBoxes]) -> list[FrameBoxes]:
    wanted = range(1, 1 + next(iter(frames.values())).num_frames)
    missing = [number for number in wanted if number not in frames]
    if missing:
        raise ValueError(
            f"{video}, frame {missing[0]}: video-mAP expects all {len(wanted)} frames of a video, but {len(missing)} "
            "were not evaluated; set DATASET.test.every_frame=true"
        )
    return [frames[number] for number in wanted]


def true_tubes(frames: list[FrameBoxes]) -> dict[int, list[Tube]]:
    """The annotated tubes of one video by label; the boxes of an actor are a tube."""
    position, rows = number_rows([boxes.truths.astype(np.float64) for boxes in frames])
    tubes: dict[int, list[Tube]] = {}
    for label, actor in np.unique(rows[:, [0, 5]], axis=0):
        own = (rows[:, 0] == label) & (rows[:, 5] == actor)
        tubes.setdefault(int(label), []).append(Tube(position[own] + 1, rows[own, 1:5]))
    return tubes


def _ranked(scores: list[float], blocks: list[Float64Array]) -> Float64Array:
    """The overlaps of all tubes of a class, by falling score, with all truths; `blocks` are those of single videos."""
    whole = np.zeros((len(scores), sum(block.shape[1] for block in blocks)))
    row = column = 0
    for block in blocks:
        next_row, next_column = row + len(block), column + block.shape[1]
        whole[row:next_row, column:next_column] = block
        row, column = next_row, next_column
    return whole[np.argsort(-np.array(scores), kind="stable")]


def _average_precision(overlap: Float64Array, iou_threshold: float) -> float:
    num_truths = overlap.shape[1]
    if not num_truths:
        return 0.0
    share = num_truths / (num_truths + EPSILON)
    return share * average_precision(match_tubes(overlap, iou_threshold), num_truths)
