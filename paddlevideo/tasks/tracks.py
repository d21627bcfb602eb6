"""Detections linked from frame to frame while a video is read, and the file of the tubes that they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from paddlevideo.metrics.overlap import box_iou
from paddlevideo.metrics.tubes import link_value
from paddlevideo.types import IntArray
from paddlevideo.utils.files import RecordFile, to_json

PART_FRAMES = 1000  # of a tube that are held before they are written


class TubeLinker:
    """Gives detections the number of their track, each class for itself, knowing nothing of later frames.

    On every frame the pair of a track and a detection of its class that is worth most is linked, then the next of those
    that are left. A pair is worth what it is worth in `link_tubes`. Detections that are left begin new tracks. Numbers
    rise from 1 and are not used again.

    Args:
        min_iou: least overlap of a track's last box with the box that continues it.
        patience: frames in a row that a track may miss before it ends.
    """

    def __init__(self, min_iou: float = 0.3, patience: int = 25) -> None:
        if patience < 0 or not 0 < min_iou <= 1:
            raise ValueError(f"expected patience >= 0 and min_iou in 0..1, got {patience} and {min_iou}")
        self.min_iou, self.patience = min_iou, patience
        self.tracks: IntArray = np.zeros(0, np.int64)  # numbers of those that have not ended
        self._labels: IntArray = np.zeros(0, np.int64)
        self._last: IntArray = np.zeros(0, np.int64)
        self._boxes, self._scores = np.zeros((0, 4)), np.zeros(0)
        self._count = 0

    def update(self, frame: int, labels: IntArray, boxes: npt.NDArray[Any], scores: npt.NDArray[Any]) -> IntArray:
        """Link the detections of the next frame.

        Args:
            frame: its number, higher than the one before.
            labels: `[K]`.
            boxes: `[K, 4]`, x1, y1, x2, y2 in the unit of the frames before.
            scores: `[K]`.

        Returns:
            The number of each detection's track, `[K]`.
        """
        self._keep(frame - self._last <= self.patience + 1)
        row, column = self._links(labels, boxes, scores)
        new = np.setdiff1d(np.arange(len(labels)), column)
        found = np.zeros(len(labels), np.int64)
        found[column] = self.tracks[row]
        found[new] = self._count + 1 + np.arange(len(new))
        self._count += len(new)
        self._keep(~np.isin(np.arange(len(self.tracks)), row))  # those that go on come back with their new boxes
        self.tracks = np.concatenate([self.tracks, found])
        self._labels = np.concatenate([self._labels, labels])
        self._boxes = np.concatenate([self._boxes, boxes])
        self._scores = np.concatenate([self._scores, scores])
        self._last = np.concatenate([self._last, np.full(len(labels), frame)])
        return found

    def _links(self, labels: IntArray, boxes: npt.NDArray[Any], scores: npt.NDArray[Any]) -> tuple[IntArray, IntArray]:
        """Places of linked tracks and detections, `[L]` each."""
        overlap = box_iou(self._boxes[:, None], boxes)  # [T, K]
        value = link_value(overlap, self._scores[:, None], scores)
        value[(overlap < self.min_iou) | (self._labels[:, None] != labels)] = -np.inf
        pairs = []
        while value.size and np.isfinite(value.max()):
            row, column = np.unravel_index(value.argmax(), value.shape)
            pairs.append((row, column))
            value[row], value[:, column] = -np.inf, -np.inf
        linked = np.array(pairs, np.int64).reshape(-1, 2)
        return linked[:, 0], linked[:, 1]

    def _keep(self, chosen: npt.NDArray[np.bool_]) -> None:
        for name in ("tracks", "_labels", "_boxes", "_scores", "_last"):
            setattr(self, name, getattr(self, name)[chosen])


@dataclass
class _Tube:
    label: str
    part: int = 1
    frames: list[int] = field(default_factory=list)
    boxes: list[list[float]] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)


class TubeFile:
    """A JSON file of tubes, each written when its track ends; at any time the file is complete.

    Of a tube at most `PART_FRAMES` frames are held: a longer one is written in parts.

    Args:
        path: of the file.
        classes: names.
    """

    def __init__(self, path: Path, classes: Sequence[str]) -> None:
        head = to_json({"classes": list(classes), "tubes": []}, str(path))
        self.file = RecordFile(path, head[:-2].encode(), b"\n]}\n")
        self._open: dict[int, _Tube] = {}
        self._separator = "\n"

    def add(self, frame: int, detections: Sequence[dict[str, Any]], alive: IntArray) -> None:
        """Add the detections of a frame.

        Args:
            frame: its number.
            detections: each with `track`, `label`, `box` and `score`.
            alive: numbers of the tracks that may go on; the others are written.
        """
        for track in set(self._open) - set(alive.tolist()):
            self._write(track, self._open.pop(track))
        for detection in detections:
            tube = self._open.setdefault(detection["track"], _Tube(detection["label"]))
            tube.frames.append(frame)
            tube.boxes.append(detection["box"])
            tube.scores.append(detection["score"])
            if len(tube.frames) == PART_FRAMES:
                self._write(detection["track"], tube)
                self._open[detection["track"]] = _Tube(tube.label, tube.part + 1)

    def close(self) -> None:
        """Write the tubes that have not ended."""
        try:
            for track, tube in self._open.items():
                self._write(track, tube)
        finally:
            self.file.close()

    def _write(self, track: int, tube: _Tube) -> None:
        if tube.frames:
            record = self._separator + to_json({"track": track, **vars(tube)}, str(self.file.path))
            self.file.append(record.encode())
            self._separator = ",\n"
