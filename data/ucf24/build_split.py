"""Write train.jsonl, test.jsonl and classes.txt: the index files of UCF101-24, or of a data set laid out like it.

Without --videos, ROOT is the YOWO archive: rgb-images, labels and splitfiles. With --videos, frames stay in the original
videos and the boxes come from a tube annotation such as pyannot.pkl. See the README.md beside this file.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from paddlevideo.loader.frames import FrameFolder, VideoFile
from paddlevideo.loader.index import ActionIndex, Boxes, VideoEntry, check_boxes, write_index
from paddlevideo.utils.command import run_command
from paddlevideo.utils.files import output_folder, write_atomically
from paddlevideo.utils.safe_pickle import load_pickle

HERE = Path(__file__).resolve().parent
VIDEO_SUFFIXES = (".avi", ".mp4")
SLACK_PX = 1.0  # how far a box may reach over the edge of its frame
TWO_WAYS = (
    "get the YOWO archive (rgb-images, labels, splitfiles) and pass its folder as ROOT, or get the UCF101 videos and "
    f"pyannot.pkl and pass --videos and --annotation; both are described in {HERE / 'README.md'}"
)
Names = dict[str, str]  # `Class/video` -> the place where it is listed
Places = dict[tuple[int, str], str]  # label from 0 and class name -> a place where they go together
Size = tuple[int, int]  # height, width in pixels


@dataclass(frozen=True)
class Annotation:
    """What a tube annotation says of one video; boxes as in `VideoEntry`."""

    label: int
    num_frames: int
    boxes: Boxes


@dataclass(frozen=True)
class Split:
    """Videos of one split, and the listed names that were left out: without media, without annotation."""

    name: str
    videos: tuple[VideoEntry, ...]
    missing: tuple[str, ...]
    unannotated: tuple[str, ...]


@dataclass(frozen=True)
class Dataset:
    """Both splits, and how far the boxes of the whole annotation reach (`[2]`: x, y in pixels)."""

    classes: tuple[str, ...]
    media: Path
    splits: tuple[Split, ...]
    extent: np.ndarray


def read_list(path: Path) -> Names:
    """Read a list of `Class/video` lines.

    Raises:
        FileNotFoundError: no such list.
        ValueError: another kind of line, a name twice, or no name; names file and line.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such split list; it should hold one Class/video a line. To get one, {TWO_WAYS}")
    names: Names = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        name, where = line.strip(), f"{path}:{number}"
        if not name:
            continue
        if not re.fullmatch(r"[^/\s]+/[^/\s]+", name):
            raise ValueError(f"{where}: expected Class/video, such as Biking/v_Biking_g01_c01, got {name!r}")
        if name in names:
            raise ValueError(f"{where}: {name} is listed already at {names[name]}; remove one")
        names[name] = where
    if not names:
        raise ValueError(f"{path}: expected one Class/video a line, got an empty list")
    return names


def complement(known: Iterable[str], test: Names) -> Names:
    """Every known video that is not in the test list, sorted."""
    return {name: "the annotated videos outside the test list" for name in sorted(set(known) - set(test))}


def read_lists(args: argparse.Namespace, annotated: Iterable[str] | None = None) -> dict[str, Names]:
    """Names of the `train` and `test` videos; without a train list, train is what is `annotated` and not in test.

    Raises:
        ValueError: the lists share a video, and are not one file passed for both on purpose.
    """
    folder = args.root / "splitfiles"
    test_path = args.test_list or folder / "testlist01.txt"
    train_path = args.train_list or folder / "trainlist01.txt"
    test = read_list(test_path)
    if annotated is not None and args.train_list is None and not train_path.is_file():
        return {"train": complement(annotated, test), "test": test}
    train = read_list(train_path)
    shared = [name for name in train if name in test]
    if shared and not train_path.samefile(test_path):
        raise ValueError(
            f"{train[shared[0]]}: {shared[0]} is a test video too ({test[shared[0]]}), as are {len(shared) - 1} others; "
            "the splits should share no video. Pass one file as both lists if that is what you want"
        )
    return {"train": train, "test": test}


def class_names(seen: Places, chosen: tuple[str, ...] | None) -> tuple[str, ...]:
    """Class names by label.

    Args:
        seen: every pair of label and name in the data.
        chosen: the names that the user says are right; without them, the data tell.

    Raises:
        ValueError: the data contradict these names or themselves, or a label has no name.
    """
    names = {label: name for label, name in reversed(seen)}
    if chosen is None:
        gaps = sorted(set(range(max(names, default=0) + 1)) - set(names))
        if gaps:
            numbers = ", ".join(str(gap + 1) for gap in gaps)
            raise ValueError(f"nothing tells the name of class {numbers} (counted from 1); pass --classes FILE")
    classes = chosen or tuple(names[label] for label in sorted(names))
    for (label, name), where in seen.items():
        if label >= len(classes) or classes[label] != name or classes.index(name) != label:
            known = f"{classes[label]} elsewhere" if label < len(classes) else f"beyond the {len(classes)} classes"
            again = f", and {name} has number {classes.index(name) + 1}" if name in classes else ""
            raise ValueError(
                f"{where}: class number {label + 1} (counted from 1) goes with {name} here, but is {known}{again}; "
                "mend the data or the list of classes (--classes FILE)"
            )
    return classes


def read_tubes(path: Path, tube_ends: str = "drop") -> dict[str, Annotation]:
    """Read a tube annotation: `{Class/video: {label, numf, annotations: [{label, sf, ef, boxes}]}}`.

    Args:
        path: of the pickle. Labels and `sf` count from 0, `ef` is exclusive, boxes are `x, y, w, h` in pixels.
        tube_ends: `drop` leaves out the last box of every tube, as the published label files do; `keep` does not.

    Raises:
        ValueError: not such a file, or it contradicts itself; names the video.
    """
    content = load_pickle(path)
    if not isinstance(content, dict) or not content:
        raise ValueError(f"{path}: expected a dictionary of videos, got {type(content).__name__}")
    videos = {}
    for key, node in content.items():
        where = f"{path}: {key}"
        if not isinstance(key, str) or key.count("/") != 1:
            raise ValueError(f"{where}: expected names like Class/video")
        try:
            label, num_frames = int(node["label"]), int(node["numf"])  # arithmetic with their uint8 would overflow
            tubes = [_tube_boxes(tube, label, tube_ends) for tube in node["annotations"]]
            boxes = _sorted(np.concatenate([np.zeros((0, 6)), *tubes]))
        except (TypeError, KeyError, IndexError, ValueError) as error:
            raise ValueError(f"{where}: not label, numf and tubes ({type(error).__name__}: {error})") from error
        check_boxes(boxes, num_frames, label + 1, where)
        videos[str(key)] = Annotation(label, num_frames, boxes)
    return videos


def _tube_boxes(tube: Mapping[str, Any], label: int, tube_ends: str) -> Boxes:
    start, end, xywh = int(tube["sf"]), int(tube["ef"]), np.asarray(tube["boxes"]).astype(np.float64)
    if end <= start or xywh.shape != (end - start, 4):
        raise ValueError(f"tube {start} to {end} should have {end - start} boxes x, y, w, h, got {xywh.shape}")
    if int(tube["label"]) != label:
        raise ValueError(f"tube {start} to {end} has label {tube['label']}, its video {label}")
    frames = np.arange(start + 1, end + 1)[:, None]  # frames count from 1
    rows = np.hstack([frames, np.full_like(frames, label), xywh[:, :2], xywh[:, :2] + xywh[:, 2:]])
    return rows if tube_ends == "keep" else rows[:-1]


def _sorted(boxes: Boxes) -> Boxes:
    return boxes[np.lexsort(boxes.T[::-1])]


def find_video(folder: Path, name: str) -> Path | None:
    """The file of `Class/video`, in the class's folder or directly in `folder`; None if there is none."""
    bases = (folder / name, folder / name.split("/")[1])
    found = [path for base in bases for suffix in VIDEO_SUFFIXES if (path := Path(f"{base}{suffix}")).is_file()]
    if len(found) > 1:
        raise ValueError(f"{name}: expected one file, found {' and '.join(map(str, found))}; remove one")
    return found[0] if found else None


def from_videos(args: argparse.Namespace, chosen: tuple[str, ...] | None) -> Dataset:
    """Read a tube annotation and the videos that it is about, as far as they are present.

    Raises:
        FileNotFoundError: no video is present, or one is absent and --require-all was given.
        ValueError: a video has another number of frames than its annotation says.
    """
    if not args.videos.is_dir():
        raise FileNotFoundError(f"{args.videos}: no such folder of videos; {TWO_WAYS}")
    annotation = read_tubes(args.annotation or args.root / "splitfiles" / "pyannot.pkl", args.tube_ends)
    classes = class_names({(a.label, name.split("/")[0]): name for name, a in annotation.items()}, chosen)
    check_class_file(args.output, classes)
    splits = []
    for split, names in read_lists(args, annotation).items():
        paths = {name: find_video(args.videos, name) for name in names if name in annotation}
        missing = tuple(name for name, path in paths.items() if path is None)
        if missing and args.require_all:
            raise FileNotFoundError(f"{args.videos}: no file for {_first(missing)} ({split}), as --require-all asks")
        present = {name: path for name, path in paths.items() if path is not None}
        print(f"{split}: reading {len(present)} videos")
        videos = tuple(_video_entry(name, path, annotation[name], args) for name, path in present.items())
        splits.append(Split(split, videos, missing, tuple(name for name in names if name not in annotation)))
    if not any(split.videos for split in splits):
        raise FileNotFoundError(f"{args.videos}: holds none of the listed videos; {TWO_WAYS}")
    return Dataset(classes, args.videos, tuple(splits), _extent(annotation.values()))


def _video_entry(name: str, path: Path, annotation: Annotation, args: argparse.Namespace) -> VideoEntry:
    video = VideoFile(path)
    if len(video) != annotation.num_frames:
        raise ValueError(
            f"{name}: the annotation says {annotation.num_frames} frames, {path} has {len(video)}; "
            "it is truncated or another version of the video: get it again"
        )
    return _entry(name, path, len(video), args.annotation_size or video.size, annotation.boxes)


def from_archive(args: argparse.Namespace, chosen: tuple[str, ...] | None) -> Dataset:
    """Read folders of pictures and of label files.

    Raises:
        FileNotFoundError: no archive, a listed video without a folder, or a label file without a picture.
        ValueError: a wrong row in a label file.
    """
    images = args.root / "rgb-images"
    if not images.is_dir():
        raise FileNotFoundError(f"{images}: no such folder; {TWO_WAYS}")
    if args.annotation or args.tube_ends == "keep" or args.require_all:
        raise ValueError("--annotation, --tube-ends keep and --require-all need --videos DIR")
    num_classes = len(chosen or [f for f in images.iterdir() if f.is_dir() and not f.name.startswith(".")])
    seen: Places = {}
    splits = []
    for split, names in read_lists(args).items():
        print(f"{split}: reading {len(names)} folders")
        labelled = [name for name in names if (args.root / "labels" / name).is_dir()]
        videos = tuple(_folder_entry(name, names[name], args, num_classes, seen) for name in labelled)
        splits.append(Split(split, videos, (), tuple(name for name in names if name not in labelled)))
    classes = class_names(seen, chosen)
    check_class_file(args.output, classes)
    return Dataset(classes, args.root, tuple(splits), _extent(v for split in splits for v in split.videos))
