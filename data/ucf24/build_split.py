"""Write train.jsonl, test.jsonl and classes.txt: the index files of UCF101-24, or of a data set laid out like it.

Without --videos, ROOT is the YOWO archive: rgb-images, labels and splitfiles. With --videos, frames stay in the
original videos and boxes come from a tube annotation such as pyannot.pkl. See the README.md beside this file.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from paddlevideo.formats.base import SLACK_PX, Size, parse_size
from paddlevideo.formats.media import find_media
from paddlevideo.formats.report import print_table, size_doubt
from paddlevideo.formats.splits import read_video_names
from paddlevideo.formats.text import check_class_file, read_classes, read_lines, some, write_classes
from paddlevideo.formats.ucf24 import Places, TubeAnnotation, class_names, read_tubes, sort_rows, tube_classes
from paddlevideo.loader.index import ActionIndex, Boxes, VideoEntry, write_index
from paddlevideo.loader.media.frame_folder import FrameFolder
from paddlevideo.loader.media.open_source import open_source
from paddlevideo.types import IntArray
from paddlevideo.utils.command import run_command
from paddlevideo.utils.files import output_folder
from paddlevideo.utils.names import visible

HERE = Path(__file__).resolve().parent
TWO_WAYS = (
    "get the YOWO archive (rgb-images, labels, splitfiles) and pass its folder as ROOT, or get the UCF101 videos and "
    f"pyannot.pkl and pass --videos and --annotation; both are described in {HERE / 'README.md'}"
)
Names = dict[str, str]  # `Class/video` -> the place where it is listed


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
    """Read a list of `Class/video` lines, see `read_video_names`.

    Raises:
        FileNotFoundError: no such list.
        ValueError: another kind of line, a name twice, or no name; names file and line.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such split list; it should hold one Class/video a line. To get one, {TWO_WAYS}"
        )
    names = read_video_names(path)
    for name, where in names.items():
        if not re.fullmatch(r"[^/]+/[^/]+", name) or {".", ".."} & set(name.split("/")):
            raise ValueError(
                f"{where}: expected Class/video, such as Biking/v_Biking_g01_c01, or Class/video.avi 1, got {name!r}"
            )
    return names


def complement(known: Iterable[str], test: Names) -> Names:
    """Every known video that is not in the test list, sorted."""
    return dict.fromkeys(sorted(set(known) - set(test)), "the annotated videos outside the test list")


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
            f"{train[shared[0]]}: {shared[0]} is a test video too ({test[shared[0]]}), {len(shared)} videos in all; "
            "the splits should share no video. Pass one file as both lists if that is what you want"
        )
    return {"train": train, "test": test}


def from_videos(args: argparse.Namespace, chosen: tuple[str, ...] | None) -> Dataset:
    """Read a tube annotation and the videos that it is about, as far as they are present.

    Raises:
        FileNotFoundError: no video is present, or one is absent and --require-all was given.
        ValueError: a video has another number of frames than its annotation says.
    """
    if not args.videos.is_dir():
        raise FileNotFoundError(f"{args.videos}: no such folder of videos; {TWO_WAYS}")
    source = args.annotation or args.root / "splitfiles" / "pyannot.pkl"
    annotation = read_tubes(source, args.tube_ends)
    classes = tube_classes(annotation, chosen, source)
    check_class_file(args.output, classes)
    splits = []
    for split, names in read_lists(args, annotation).items():
        paths = {name: find_media(args.videos, name) for name in names if name in annotation}
        missing = tuple(name for name, path in paths.items() if path is None)
        if missing and args.require_all:
            raise FileNotFoundError(f"{args.videos}: no file for {some(missing)} ({split}), as --require-all asks")
        present = {name: path for name, path in paths.items() if path is not None}
        print(f"{split}: reading {len(present)} videos")
        videos = tuple(_video_entry(name, path, annotation[name], args) for name, path in present.items())
        splits.append(Split(split, videos, missing, tuple(name for name in names if name not in annotation)))
    if not any(split.videos for split in splits):
        raise FileNotFoundError(f"{args.videos}: holds none of the listed videos; {TWO_WAYS}")
    return Dataset(classes, args.videos, tuple(splits), _extent(annotation.values()))


def _video_entry(name: str, path: Path, annotation: TubeAnnotation, args: argparse.Namespace) -> VideoEntry:
    video = open_source(path)
    if len(video) != annotation.num_frames:
        raise ValueError(
            f"{name}: the annotation says {annotation.num_frames} frames, {path} has {len(video)}; "
            "it is truncated or another version of the video: get it again"
        )
    entry = _entry(name, path, len(video), args.annotation_size or video.size, annotation.boxes)
    return replace(entry, actors=annotation.actors)


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
    num_classes = len(chosen or [folder for folder in visible(images.iterdir(), images) if folder.is_dir()])
    seen: Places = {}
    splits = []
    for split, names in read_lists(args).items():
        print(f"{split}: reading {len(names)} folders")
        for name, where in names.items():
            if not (images / name).is_dir():
                raise FileNotFoundError(
                    f"{where}: no folder {images / name}; extract the archive again or mend the list"
                )
        labelled = [name for name in names if (args.root / "labels" / name).is_dir()]
        videos = tuple(_folder_entry(name, args, num_classes, seen) for name in labelled)
        splits.append(Split(split, videos, (), tuple(name for name in names if name not in labelled)))
    if not seen:
        raise FileNotFoundError(f"{args.root / 'labels'}: holds no box of any listed video; {TWO_WAYS}")
    classes = class_names(seen, num_classes, chosen)
    check_class_file(args.output, classes)
    told = add_actors(splits, args.root / "splitfiles" / "pyannot.pkl")
    return Dataset(classes, args.root, tuple(told), _extent(v for split in splits for v in split.videos))


def add_actors(splits: Sequence[Split], path: Path) -> Sequence[Split]:
    """The splits with the tube of each box, if the tube annotation is there and has all of the boxes.

    Raises:
        ValueError: the file is there, but is no tube annotation.
    """
    problem = "is not there"
    if path.is_file():
        annotation = read_tubes(path, "keep")
        told = {v.id: _actors(v.boxes, annotation.get(v.id)) for split in splits for v in split.videos}
        strange = [name for name, actors in told.items() if actors is None]
        if not strange:
            return [replace(s, videos=tuple(replace(v, actors=told[v.id]) for v in s.videos)) for s in splits]
        problem = f"has other boxes than the labels of {some(strange)}"
    print(f"note: the boxes have no actors, which video-mAP needs: the tube annotation {path} {problem}")
    return splits


def _actors(boxes: Boxes, annotation: TubeAnnotation | None) -> IntArray | None:
    """The tube of each box `[N]`, or None if a box is in no tube; of equal boxes each has its own tube."""
    tubes: dict[tuple[float, ...], list[int]] = {}
    if annotation is not None:
        for row, actor in zip(annotation.boxes.tolist(), annotation.actors.tolist(), strict=True):
            tubes.setdefault(tuple(row), []).append(actor)
    found = [tubes[key].pop(0) if tubes.get(key := tuple(row)) else -1 for row in boxes.tolist()]
    return None if -1 in found else np.array(found, np.int64)


def _folder_entry(name: str, args: argparse.Namespace, num_classes: int, seen: Places) -> VideoEntry:
    """One video of the archive; notes in `seen` which label goes with its class folder."""
    images, labels = args.root / "rgb-images" / name, args.root / "labels" / name
    pictures = FrameFolder(images)
    if pictures.first_number != 1:
        raise ValueError(
            f"{images}: expected pictures numbered from 1, as the label files are, got {pictures.first_number} as the "
            "first number; extract the archive again"
        )
    rows: list[list[float]] = []
    for path in visible(labels.iterdir(), labels):
        if not re.fullmatch(r"\d+\.txt", path.name):
            continue
        frame = int(path.stem)
        if not 1 <= frame <= len(pictures):
            raise FileNotFoundError(
                f"{path}: there is no picture {images / path.stem}.jpg for this label file, the folder has "
                f"{len(pictures)}; extract the archive again"
            )
        for number, line in enumerate(read_lines(path), start=1):
            if line.strip():
                row = _label_row(line, num_classes, f"{path}:{number}")
                seen.setdefault((int(row[0]), name.split("/")[0]), f"{path}:{number}")
                rows.append([frame, *row])
    boxes = sort_rows(np.array(rows, np.float64).reshape(-1, 6))
    return _entry(name, images, len(pictures), args.annotation_size or pictures.size, boxes)


def _label_row(line: str, num_classes: int, where: str) -> list[float]:
    """Label from 0 and the box of one line `class x1 y1 x2 y2`, where classes count from 1."""
    try:
        values = [float(value) for value in line.split()]
    except ValueError:
        values = []
    if len(values) != 5 or not all(map(math.isfinite, values)):
        raise ValueError(f"{where}: expected 5 finite numbers, class x1 y1 x2 y2, got {line!r}")
    label, x1, y1, x2, y2 = values
    if label % 1 or not 1 <= label <= num_classes:
        raise ValueError(f"{where}: the class should be an integer in 1..{num_classes}, got {line!r}")
    if x2 <= x1 or y2 <= y1:
        raise ValueError(f"{where}: x1 should be less than x2 and y1 less than y2, got {line!r}")
    return [label - 1, x1, y1, x2, y2]


def _entry(name: str, source: Path, num_frames: int, size: Size, boxes: Boxes) -> VideoEntry:
    height, width = size
    low, high = boxes[:, 2:4].min(1, initial=0), boxes[:, 4:] - [width, height]
    outside = np.maximum(-low, high.max(1, initial=-np.inf)) > SLACK_PX
    if outside.any():
        box = boxes[outside][0].tolist()
        raise ValueError(
            f"{name}, frame {box[0]:.0f}: box {box[2:]} (x1, y1, x2, y2) is outside of the frame of {width}x{height}; "
            "pass --annotation-size WIDTHxHEIGHT if the boxes were drawn at another size"
        )
    return VideoEntry(name, source, num_frames, size, boxes)


def _extent(annotated: Iterable[TubeAnnotation | VideoEntry]) -> np.ndarray:
    return np.concatenate([np.zeros((1, 2)), *(item.boxes[:, 4:] for item in annotated)]).max(0)


def write(dataset: Dataset, folder: Path) -> None:
    """Write the class names, and every split that has a video with boxes."""
    write_classes(folder, dataset.classes)
    for split in dataset.splits:
        path = folder / f"{split.name}.jsonl"
        if any(len(video.boxes) for video in split.videos):
            write_index(path, ActionIndex(dataset.classes, split.videos), dataset.media)
            print(f"wrote {path}")
        else:
            old = "; the file of that name is from an earlier run" if path.exists() else ""
            print(f"note: {path} is not written, none of its videos is present with boxes{old}")


def report(dataset: Dataset, annotation_size: Size | None) -> None:
    """Print what was found, what was left out, and what looks wrong."""
    print_table(dataset.classes, {split.name: split.videos for split in dataset.splits})
    for split in dataset.splits:
        _report_absent(split)
    train, test = ({video.id for video in split.videos} for split in dataset.splits)
    shared = len(train & test)
    print(
        f"note: train and test share {shared} videos, as the same list says"
        if shared
        else "train and test share no video"
    )
    sizes = {video.size for split in dataset.splits for video in split.videos}
    doubt = None if annotation_size else size_doubt(sizes, dataset.extent)
    if doubt:
        print(f"warning: {doubt}", file=sys.stderr)


def _report_absent(split: Split) -> None:
    listed = len(split.videos) + len(split.missing) + len(split.unannotated)
    if split.missing:
        print(
            f"note: present {len(split.videos)} of {listed} {split.name} videos; "
            f"no file for {len(split.missing)}: {some(split.missing)}"
        )
    if split.unannotated:
        print(
            f"note: {len(split.unannotated)} of {listed} listed {split.name} videos have no annotation and are left "
            f"out: {some(split.unannotated)}"
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add: Callable[..., Any] = parser.add_argument
    add("root", type=Path, nargs="?", default=HERE, help="folder of the data (default: the folder of this script)")
    add("-o", "--output", type=Path, default=HERE, help="where to write (default: the folder of this script)")
    add("--videos", type=Path, help="folder of videos, Class/video.avi or video.avi (or .mp4)")
    add("--annotation", type=Path, help="tubes, with --videos (default: ROOT/splitfiles/pyannot.pkl)")
    add(
        "--train-list",
        type=Path,
        help="default: ROOT/splitfiles/trainlist01.txt; with --videos, if there is none: all "
        "annotated videos outside the test list",
    )
    add("--test-list", type=Path, help="default: ROOT/splitfiles/testlist01.txt")
    add("--classes", type=Path, help="class names in the order of their numbers; default: found in the data")
    add(
        "--annotation-size",
        type=parse_size,
        help="WIDTHxHEIGHT of the frames that were annotated (default: the media's own)",
    )
    add(
        "--tube-ends",
        choices=("drop", "keep"),
        default="drop",
        help="the last box of every tube: leave it out as the "
        "published label files do, or keep it (with --videos; default: drop)",
    )
    add("--require-all", action="store_true", help="with --videos: a listed video without a file is an error")
    return parser


def run(arguments: Sequence[str] | None) -> None:
    """Parse the command line, read, write and report."""
    args = _parser().parse_args(arguments)
    output_folder(args.output)
    chosen = read_classes(args.classes) if args.classes else None
    dataset = from_videos(args, chosen) if args.videos else from_archive(args, chosen)
    write(dataset, args.output)
    report(dataset, args.annotation_size)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    return run_command(lambda: run(arguments))


if __name__ == "__main__":
    sys.exit(main())
