"""The reference detections of `metrics/` as what datasets and networks give: prediction, target and meta of each frame.

Truths are real tubes of UCF101-24, split 1; the detections are made up.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from paddlevideo.metrics.frame_map import BoxTable, DetectionTable
from paddlevideo.types import Arrays, IntArray, Meta, Prediction
from tests.conftest import read_npz

HEIGHT, WIDTH = 240, 320  # of the annotated frames
FRAMES = 1 << 16  # frame numbers are 16 bits wide, so video * FRAMES + frame is the number of an image
SCALE = np.array([WIDTH, HEIGHT, WIDTH, HEIGHT])
Samples: TypeAlias = tuple[list[Prediction], list[Arrays], list[Meta]]


def read_arrays(path: Path) -> Arrays:
    """The arrays of an npz file; truths also with the tube of every box, `box_tube`."""
    arrays = read_npz(path)
    if "tube_offset" in arrays and "tube_start" in arrays:
        lengths = np.diff(arrays["tube_offset"].astype(np.int64))
        arrays["box_tube"] = np.repeat(np.arange(len(lengths)), lengths)
    return arrays


def class_names(truth: Arrays) -> list[str]:
    """Names by label."""
    names = dict(zip(truth["video_label"].tolist(), map(str, truth["video_name"]), strict=True))
    return [names[label].partition("/")[0] for label in sorted(names)]


def image_numbers(video: npt.NDArray[Any], frame: npt.NDArray[Any]) -> IntArray:
    """A number for each frame of each video."""
    return video.astype(np.int64) * FRAMES + frame


def frame_tables(found: Arrays, truth: Arrays) -> tuple[DetectionTable, BoxTable]:
    """All detections and the truths of their videos."""
    video = truth["tube_video"][truth["box_tube"]]
    used = truth["box_in_frame_gt"] & np.isin(video, found["video_index"])
    image, label = image_numbers(video, truth["box_frame"]), truth["video_label"][video].astype(np.int64)
    truths = BoxTable(image[used], label[used], truth["box_xyxy"][used] * 1.0)
    detections = DetectionTable(
        image_numbers(found["det_video"], found["det_frame"]),
        found["det_class"].astype(np.int64) - 1,
        found["det_box"] * 1.0,
        found["det_score"] / 65536,
    )
    return detections, truths


def frame_samples(found: Arrays, truth: Arrays) -> Samples:
    """Every frame that has a detection or a truth."""
    detections, truths = frame_tables(found, truth)
    images = np.union1d(detections.image, truths.image)
    predictions = split(images, detections.image, {**_boxes(detections), "scores": detections.score.astype(np.float32)})
    return predictions, split(images, truths.image, _boxes(truths)), _meta(images, truth)


def _boxes(table: BoxTable) -> Arrays:
    return {"boxes": (table.boxes / SCALE).astype(np.float32), "labels": table.label}


def video_samples(found: Arrays, truth: Arrays) -> Samples:
    """Every frame of every video, with complete tubes."""
    counts = truth["video_numf"].astype(np.int64)
    images = np.concatenate([image_numbers(v, np.arange(1, counts[v] + 1)) for v in found["video_index"]])
    video = truth["tube_video"][truth["box_tube"]]
    true_image = image_numbers(video, truth["box_frame"])
    used = np.isin(true_image, images)
    prediction = {
        "boxes": (found["det_box_q4"] / 4 / SCALE).astype(np.float32),
        "labels": found["det_class"].astype(np.int64) - 1,
        "scores": (found["det_score"] / 65536).astype(np.float32),
    }
    target = {
        "boxes": (truth["box_xyxy"] / SCALE).astype(np.float32)[used],
        "labels": truth["video_label"][video].astype(np.int64)[used],
        "actors": truth["box_tube"][used],
    }
    predictions = split(images, image_numbers(found["det_video"], found["det_frame"]), prediction)
    return predictions, split(images, true_image[used], target), _meta(images, truth)


def split(images: IntArray, image: IntArray, columns: Mapping[str, npt.NDArray[Any]]) -> list[Arrays]:
    """The rows of each of `images`, in their order; `image [N]` is that of each row."""
    order = np.argsort(image, kind="stable")
    start, stop = (np.searchsorted(image[order], images, side=side) for side in ("left", "right"))
    ordered = {key: rows[order] for key, rows in columns.items()}
    return [{key: rows[a:b] for key, rows in ordered.items()} for a, b in zip(start, stop, strict=True)]


def _meta(images: IntArray, truth: Arrays) -> list[Meta]:
    names, counts = [str(name) for name in truth["video_name"]], truth["video_numf"].tolist()
    places = (divmod(image, FRAMES) for image in images.tolist())
    return [{"id": f"{names[v]}/{f:05d}", "size": [HEIGHT, WIDTH], "num_frames": counts[v]} for v, f in places]


def ava_samples(folder: Path, num_classes: int, mini: bool = False) -> Samples:
    """Every key frame of the csv files in `folder` that is not excluded; `mini` takes every fourth second."""
    excluded = {_key(row) for row in _rows(folder / "ava_excluded.csv")}
    truths, found = (_by_frame(_rows(folder / f"ava_{side}.csv"), excluded, mini) for side in ("gt", "det"))
    keys = list({**truths, **found})
    nothing = np.zeros((0, 6))
    predictions, targets = [], []
    for true, rows in ((truths.get(key, nothing), found.get(key, nothing)) for key in keys):
        predictions.append({"boxes": rows[:, :4], "labels": rows[:, 4].astype(int) - 1, "scores": rows[:, 5]})
        targets.append({"boxes": true[:, :4], "labels": (np.arange(num_classes) == true[:, 4:5] - 1).astype(int)})
    return predictions, targets, [{"id": key} for key in keys]


def label_map(path: Path) -> tuple[list[int], list[str]]:
    """Numbers and names of a label map's classes."""
    text = path.read_text(encoding="utf-8")
    return [int(number) for number in re.findall(r"label_id: (\d+)", text)], re.findall(r'name: "(.*)"', text)


def _rows(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return [row for row in csv.reader(file) if row]


def _key(row: Sequence[str]) -> str:
    return f"{row[0]},{int(float(row[1])):04d}"


def _by_frame(rows: list[list[str]], excluded: set[str], mini: bool) -> dict[str, npt.NDArray[np.float64]]:
    """Rows `x1, y1, x2, y2, class id, last column` of every frame, in file order."""
    frames: dict[str, list[list[float]]] = {}
    for row in rows:
        if _key(row) not in excluded and not (mini and int(float(row[1])) % 4):
            frames.setdefault(_key(row), []).append([float(number) for number in row[2:]])
    return {key: np.array(rows) for key, rows in frames.items()}
