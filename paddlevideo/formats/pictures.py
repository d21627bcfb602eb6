"""Annotation with a file for every frame, in a folder for every video."""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from paddlevideo.formats.base import AnnotatedVideo, Annotation, Row, Size
from paddlevideo.formats.structured import parse_integer
from paddlevideo.loader.index import frame_ranges
from paddlevideo.utils.names import visible


@dataclass(frozen=True)
class Picture:
    """What a file says of one frame."""

    size: Size
    rows: Sequence[Row]


def trailing_number(name: str) -> int | None:
    """The number that a name ends in, None if it ends in none."""
    return parse_integer(name[len(name.rstrip(string.digits)) :])


def frame_number(name: str, first: int, place: str) -> int:
    """The frame, from 1, that a picture's name ends in; `first` is the number that the first frame carries.

    Raises:
        ValueError: no number, or one below the first.
    """
    number = trailing_number(name)
    if number is None or number < first:
        raise ValueError(
            f"{place}: the name should end in a frame number from {first}, got {name!r}; rename it, or pass "
            "--from-option first=N if the first frame has number N"
        )
    return number - first + 1


def read_pictures(source: Path, suffix: str, first: int, read: Callable[[Path, int], Picture]) -> Annotation:
    """Read `source/VIDEO/00012.xml` and so on; a video has as many frames as the highest number says.

    Frames without a file are not annotated.

    Args:
        source: folder of the videos' folders.
        suffix: of the files, with its dot, in small letters; capitals are read, too.
        first: number of the first frame.
        read: reads one file, given its path and its frame from 1.

    Raises:
        FileNotFoundError: no such folder, or no such file in it.
        ValueError: a file without a video or number, a frame twice, frames of several sizes, or what `read` raises.
    """
    files: dict[Path, dict[int, Path]] = {}
    for path in visible(source.rglob("*"), source):
        if path.suffix.lower() != suffix:
            continue
        frames = files.setdefault(path.parent, {})
        frame = frame_number(path.stem, first, str(path))
        if path.parent == source:
            raise ValueError(f"{path}: expected a folder for every video, {source}/VIDEO/{path.name}; move it there")
        if frame in frames:
            raise ValueError(f"{path}: frame {frame} is in {frames[frame].name} already; remove one")
        frames[frame] = path
    if not files:
        raise FileNotFoundError(
            f"{source}: expected a folder with VIDEO/00001{suffix} and so on, found none; check the path"
        )
    videos = [_video(folder.relative_to(source).as_posix(), frames, first, read) for folder, frames in files.items()]
    return Annotation(videos, source.resolve())


def _video(id: str, files: dict[int, Path], number: int, read: Callable[[Path, int], Picture]) -> AnnotatedVideo:
    pictures = {path: read(path, frame) for frame, path in sorted(files.items())}
    (first, expected), *_ = pictures.items()
    for path, picture in pictures.items():
        if picture.size != expected.size:
            raise ValueError(
                f"{path}: expected a size of {expected.size} (height, width) as in {first.name}, got {picture.size}; "
                "all frames of a video should have one"
            )
    rows = [row for picture in pictures.values() for row in picture.rows]
    annotated = frame_ranges(np.array(sorted(files)))
    facts = {"num_frames": max(files), "size": expected.size, "annotated": annotated, "first": number}
    return AnnotatedVideo.from_rows(id, str(first.parent), rows, **facts)
