"""The tube annotation of UCF101-24: pyannot.pkl, or finalAnnots.mat with the same content."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np

from paddlevideo.formats import mat_reader
from paddlevideo.formats.base import MAX_BOXES, MAX_CLASSES, AnnotatedVideo, Annotation, Format
from paddlevideo.formats.text import check_file, some
from paddlevideo.loader.index import Boxes, check_boxes
from paddlevideo.registry import FORMATS
from paddlevideo.types import IntArray
from paddlevideo.utils.safe_pickle import load_pickle

Places = dict[tuple[int, str], str]  # label from 0 and class name -> a place where they go together


@dataclass(frozen=True)
class TubeAnnotation:
    """What a tube annotation says of one video; boxes and actors as in `VideoEntry`."""

    label: int
    num_frames: int
    boxes: Boxes
    actors: IntArray


@FORMATS.register
class Ucf24Format(Format):
    """Tubes of videos called `Class/video`; each tube is an actor. The size of the frames is that of the media.

    `data/ucf24/build_split.py` reads the same file, and the folders of the YOWO archive.

    Args:
        tube_ends: `drop` leaves out the last box of every tube, as the published label files do; `keep` does not.
    """

    def __init__(self, tube_ends: Literal["drop", "keep"] = "drop") -> None:
        self.tube_ends = tube_ends

    def read(self, source: Path) -> Annotation:
        """Read one annotation file."""
        tubes = read_tubes(source, self.tube_ends)
        classes = tube_classes(tubes, None, source)
        videos = [
            AnnotatedVideo(
                name,
                f"{source}: {name}",
                tube.boxes[:, [0, 2, 3, 4, 5]],
                [classes[tube.label]] * len(tube.boxes),
                [f"{source}: {name}"] * len(tube.boxes),
                tube.actors,
                tube.num_frames,
            )
            for name, tube in tubes.items()
        ]
        return Annotation(videos, source.resolve().parent, classes)


def read_tubes(path: Path, tube_ends: str = "drop") -> dict[str, TubeAnnotation]:
    """Read a tube annotation: `{Class/video: {label, numf, annotations: [{label, sf, ef, boxes}]}}`.

    Args:
        path: of the pickle or of the `.mat` file. Labels and `sf` count from 0, `ef` is exclusive, boxes are
            `x, y, w, h` in pixels.
        tube_ends: `drop` leaves out the last box of every tube, as the published label files do; `keep` does not.

    Raises:
        FileNotFoundError: no such file.
        RuntimeError: a `.mat` file, but SciPy is not installed.
        ValueError: not such a file, or it contradicts itself; names the video.
    """
    check_file(path)
    content = _load_mat(path) if path.suffix == ".mat" else load_pickle(path)
    if not isinstance(content, dict) or not content:
        raise ValueError(f"{path}: expected a dictionary of videos, got {type(content).__name__}; get the file again")
    videos, total = {}, 0
    for key, node in content.items():
        where = f"{path}: {key}"
        if not isinstance(key, str) or key.count("/") != 1:
            raise ValueError(f"{where}: expected names like Class/video; get the file again")
        try:
            total += sum(len(tube["boxes"]) for tube in node["annotations"])
            if total > MAX_BOXES:
                raise ValueError(f"expected at most {MAX_BOXES} boxes up to here")
            label, num_frames, rows = _read_video(node, tube_ends)
        except (TypeError, KeyError, IndexError, ValueError, OverflowError) as error:
            text = f"expected label, numf and tubes ({type(error).__name__}: {error}); get the file again"
            raise ValueError(f"{where}: {text}") from error
        check_boxes(rows[:, :6], num_frames, label + 1, where)
        videos[str(key)] = TubeAnnotation(label, num_frames, rows[:, :6], rows[:, 6].astype(np.int64))
    return videos


def _read_video(node: Mapping[str, Any], tube_ends: str) -> tuple[int, int, np.ndarray]:
    """Label, number of frames, and the rows `[N, 7]` of all tubes."""
    label, num_frames = _integer(node, "label"), _integer(node, "numf")
    if not 0 <= label < MAX_CLASSES:
        raise ValueError(f"the label should be in 0..{MAX_CLASSES - 1}, got {label}")
    tubes = [_tube_boxes(tube, n, label, tube_ends) for n, tube in enumerate(node["annotations"])]
    return label, num_frames, sort_rows(np.concatenate([np.zeros((0, 7)), *tubes]))


def _tube_boxes(tube: Mapping[str, Any], actor: int, label: int, tube_ends: str) -> np.ndarray:
    """Rows `[N, 7]` of a tube: boxes as in `VideoEntry`, then its number."""
    start, end, xywh = _integer(tube, "sf"), _integer(tube, "ef"), tube["boxes"]
    if not isinstance(xywh, np.ndarray):  # lists in each other may stand for endless arrays
        raise TypeError(f"the boxes of a tube should be an array, got {type(xywh).__name__}")
    if xywh.dtype.kind not in "iuf":
        raise TypeError(f"the boxes of a tube should be real numbers, got {xywh.dtype}")
    xywh = xywh.astype(np.float64)
    if end <= start or xywh.shape != (end - start, 4):
        raise ValueError(f"tube {start} to {end} should have {end - start} boxes x, y, w, h, got {xywh.shape}")
    if _integer(tube, "label") != label:
        raise ValueError(f"tube {start} to {end} has label {tube['label']}, its video {label}")
    frames = np.arange(start + 1, end + 1)[:, None]  # frames count from 1
    same = np.ones_like(frames)
    rows = np.hstack([frames, label * same, xywh[:, :2], xywh[:, :2] + xywh[:, 2:], actor * same])
    return rows if tube_ends == "keep" else rows[:-1]


def _integer(node: Mapping[str, Any], key: str) -> int:
    """A number of any type as Python's integer, as arithmetic with uint8 would overflow."""
    value = int(node[key])
    if value != node[key]:
        raise ValueError(f"{key} should be an integer, got {node[key]!r}")
    return value


def _load_mat(path: Path) -> dict[str, Any]:
    """The content of `finalAnnots.mat`, read by another process."""
    if find_spec("scipy") is None:
        raise RuntimeError(
            f"{path}: reading .mat files needs SciPy: pip install scipy (the extra `mat`); or take pyannot.pkl, "
            "which has the same boxes"
        )
    done = subprocess.run([sys.executable, "-I", mat_reader.__file__, str(path)], capture_output=True, check=False)
    if done.returncode:
        told = done.stderr.decode(errors="replace").strip().splitlines() or [f"ended with {done.returncode}"]
        raise ValueError(
            f"{path}: expected the struct `annot` with name, num_imgs and tubes ({told[-1]}); get the file again"
        )
    content: dict[str, Any] = json.loads(done.stdout)
    for tube in (tube for video in content.values() for tube in video["annotations"]):
        tube["boxes"] = np.array(tube["boxes"])
    return content


def sort_rows(rows: np.ndarray) -> np.ndarray:
    """Rows in the order of their first column, then of the second, and so on."""
    return rows[np.lexsort(rows.T[::-1])]


def tube_classes(tubes: Mapping[str, TubeAnnotation], chosen: tuple[str, ...] | None, source: Path) -> tuple[str, ...]:
    """Class names by label, as `class_names`, from the folders in the names of the videos in the file `source`."""
    seen = {(tube.label, name.split("/")[0]): f"{source}: {name}" for name, tube in tubes.items()}
    return class_names(seen, 1 + max(label for label, _ in seen), chosen)


def class_names(seen: Places, num_classes: int, chosen: tuple[str, ...] | None) -> tuple[str, ...]:
    """Class names by label.

    Args:
        seen: every pair of label and name in the data.
        num_classes: how many names to find in the data.
        chosen: the names that the user says are right; without them, the data tell.

    Raises:
        ValueError: the data contradict these names or themselves, or a label has no name.
    """
    first = dict(reversed(seen))  # the first name seen with each label
    gaps = list(islice((str(label + 1) for label in range(num_classes) if label not in first), 10))
    if chosen is None and gaps:
        place = next(iter(seen.values()), "the data")
        raise ValueError(
            f"{place}: no box here or elsewhere tells the name of class {some(gaps)} of 1..{num_classes}; "
            "pass --classes FILE"
        )
    classes = chosen or tuple(first[label] for label in range(num_classes))
    for (label, name), where in seen.items():
        right = classes.index(name) if name in classes else None
        if right != label:
            known = f"the number of {name} is {right + 1}" if right is not None else f"{name} is none of the classes"
            number = f"number {label + 1} is that of {classes[label]}" if label < len(classes) else "that is too high"
            raise ValueError(
                f"{where}: class number {label + 1} (from 1) goes with {name} here, but {known} and {number}; "
                "mend the data, or pass the right names in --classes FILE"
            )
    return classes
