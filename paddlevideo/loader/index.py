"""The annotation file of action datasets: JSON lines, a header and then one video a line.

    {"format": "action-boxes", "version": 1, "classes": ["Basketball", ...], "root": "videos"}
    {"id": "Basketball/v_1", "source": "Basketball/v_1.avi", "num_frames": 41, "size": [240, 320], "boxes": [...]}

`root` is where the media are, relative to the folder of the file, and `source` is relative to `root`. A box is
`frame, label, x1, y1, x2, y2`: frames from 1, labels from 0, pixels of a frame of `size` (height, width), which is the
size that was annotated and need not be that of the media.

A box may have a 7th number, its `actor`: an integer from 0. The boxes of a video with one actor are one tube: they have
one label, and no two are on one frame. Either all boxes of a file have an actor or none has.

A video may have `annotated`, rising ranges `[first, last, step]` of the frames that an annotator has looked at; all
boxes are on these. Other frames are neither background for training nor evaluated. Without it all are annotated.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from paddlevideo.types import IntArray
from paddlevideo.utils.files import parse_json_line, to_json, write_text
from paddlevideo.utils.names import check_path, check_text
from paddlevideo.utils.text_files import text_lines

FORMAT, VERSION = "action-boxes", 1
REMEDY = "build the index anew"
MEND = "mend the file or make it anew"
MAX_COUNT = 10**7  # frames of a video, which are more than four days of 25 a second, and pixels of a side
_HEADER_KEYS = {"format", "version", "classes", "root"}
_VIDEO_KEYS = {"id", "source", "num_frames", "size", "boxes"}
_OPTIONAL_KEYS = {"annotated"}
Boxes = npt.NDArray[np.float64]  # [N, 6]: frame, label, x1, y1, x2, y2
FrameRanges = tuple[range, ...]  # frames from 1, rising from range to range


@dataclass(frozen=True)
class VideoEntry:
    """One video and its boxes `[N, 6]`, see the top of this file; `size` is height, width.

    `actors [N]` are the tubes that the boxes belong to, None in a file that does not tell. `annotated` are the frames
    that were annotated, with or without a box; None if all were.
    """

    id: str
    source: Path
    num_frames: int
    size: tuple[int, int]
    boxes: Boxes
    actors: IntArray | None = None
    annotated: FrameRanges | None = None

    @property
    def num_annotated(self) -> int:
        """How many frames were annotated."""
        return self.num_frames if self.annotated is None else sum(map(len, self.annotated))

    def annotated_frames(self) -> IntArray:
        """The frames that were annotated, from 1 and rising, `[A]`."""
        return frame_numbers([range(1, self.num_frames + 1)] if self.annotated is None else self.annotated)


@dataclass(frozen=True)
class ActionIndex:
    """The videos of one split, and the names that labels stand for."""

    classes: tuple[str, ...]
    videos: tuple[VideoEntry, ...]


class Defect(NamedTuple):
    """Something wrong in an annotation: its kind in a few words, and a text that begins with the place."""

    kind: str
    text: str


@dataclass(frozen=True)
class IndexScan:
    """What can be read of an index file, the line of each video, and all that is wrong.

    A video whose line cannot be read is missing in `index`; of the others, boxes that cannot be right are.
    """

    path: Path
    index: ActionIndex
    lines: tuple[int, ...]
    defects: tuple[Defect, ...]


def read_index(path: str | Path) -> ActionIndex:
    """Read and check an index file.

    Returns:
        Its videos, each `source` an absolute path; whether the media exist is not looked at.

    Raises:
        FileNotFoundError: no such file; the message says how to make one.
        ValueError: a line that is not as described above, a video twice, or no box at all; names file and line.
    """
    scan = scan_index(path)
    if scan.defects:
        raise ValueError(scan.defects[0].text)
    return scan.index


def scan_index(path: str | Path) -> IndexScan:
    """Read an index file to its end, whatever is wrong in it.

    Raises:
        FileNotFoundError: no such file; the message says how to make one.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such index file; data/ucf24/build_split.py makes that of UCF101-24 from the YOWO archive "
            "(rgb-images, labels, splitfiles) or from the original videos and pyannot.pkl, see data/ucf24/README.md; "
            "tools/convert_dataset.py makes those of other data and of your own, see docs/own_data.md"
        )
    with path.open("rb") as file:
        lines = text_lines(file, path)
        try:
            first = parse_json_line(next(lines, b"null"), f"{path}:1", REMEDY)
            classes, folder = _check_header(first, f"{path}:1")
        except ValueError as error:
            return IndexScan(path, ActionIndex((), ()), (), (Defect("header", str(error)),))
        root = Path(os.path.normpath(path.parent.resolve() / folder))
        videos, defects = _scan_videos(lines, path, root, len(classes))
    if not defects and not any(len(video.boxes) for video in videos.values()):
        text = f"{path}: expected videos with boxes, got {len(videos)} videos and no box; build it anew"
        defects.append(Defect("no box", text))
    defects += _unlike_actors(videos, path)
    return IndexScan(path, ActionIndex(classes, _with_actors(list(videos.values()))), tuple(videos), tuple(defects))


def _scan_videos(
    lines: Iterator[bytes], path: Path, root: Path, num_classes: int
) -> tuple[dict[int, VideoEntry], list[Defect]]:
    """The videos by line, from the second one on, and what is wrong."""
    videos: dict[int, VideoEntry] = {}
    first: dict[str, int] = {}
    defects = []
    for number, line in enumerate(lines, start=2):
        where = f"{path}:{number}"
        try:
            video, wrong = _video(parse_json_line(line, where, REMEDY), root, num_classes, where)
        except ValueError as error:
            defects.append(Defect("line that is no video", str(error)))
            continue
        defects += wrong
        if first.setdefault(video.id, number) != number:
            text = f"{where}: video {video.id} is in line {first[video.id]} already; remove one"
            defects.append(Defect("video twice", text))
            continue
        videos[number] = video
    return videos, defects


def _unlike_actors(videos: dict[int, VideoEntry], path: Path) -> list[Defect]:
    """The videos whose boxes have actors where those of the first one have none, or the other way round."""
    with_boxes = {number: video for number, video in videos.items() if len(video.boxes)}
    defects = []
    for number, video in with_boxes.items():
        first = next(iter(with_boxes))
        if (video.actors is None) != (with_boxes[first].actors is None):
            has, other = ("no actor", "one") if video.actors is None else ("an actor", "none")
            text = (
                f"{path}:{number}: {video.id}: expected all boxes of a file to have a 7th number, the actor, or none; "
                f"these have {has}, those in line {first} {other}; build the index anew"
            )
            defects.append(Defect("actors in part", text))
    return defects


def _with_actors(videos: list[VideoEntry]) -> tuple[VideoEntry, ...]:
    """The videos, those without boxes with zero actors if the others have actors."""
    if all(video.actors is None for video in videos):
        return tuple(videos)
    return tuple(video if len(video.boxes) else replace(video, actors=np.zeros(0, np.int64)) for video in videos)


def write_index(path: str | Path, index: ActionIndex, root: str | Path) -> None:
    """Write an index file; a reader never sees half of it.

    Args:
        path: of the file; its folder exists.
        index: what to write; every source lies in `root`.
        root: folder of the media. It is written relative to the file if it lies in the file's folder or beside that,
            so that both can be moved together, and absolute otherwise.

    Raises:
        ValueError: a source is outside of `root`.
    """
    path, root = Path(path), Path(root).absolute()
    folder, media = path.parent.resolve(), root.resolve()
    near = media.is_relative_to(folder) or folder.parent in (media, media.parent)
    told = Path(os.path.relpath(media, folder)) if near else media
    header = {"format": FORMAT, "version": VERSION, "classes": list(index.classes), "root": told.as_posix()}
    lines = [header, *(_node(video, root) for video in index.videos)]
    write_text(path, "".join(to_json(line, str(path)) + "\n" for line in lines))


def _node(video: VideoEntry, root: Path) -> dict[str, Any]:
    source = video.source.absolute()
    rows = video.boxes if video.actors is None else np.column_stack([video.boxes, video.actors])
    if not source.is_relative_to(root):
        raise ValueError(f"{video.id}: its source {source} should lie in the folder of the media, {root}")
    ranges = {} if video.annotated is None else {"annotated": [[r[0], r[-1], r.step] for r in video.annotated]}
    return {
        "id": video.id,
        "source": source.relative_to(root).as_posix(),
        "num_frames": video.num_frames,
        "size": list(video.size),
        **ranges,
        "boxes": [[int(v) if v.is_integer() else v for v in row] for row in rows.tolist()],
    }


def _check_header(node: Any, where: str) -> tuple[tuple[str, ...], str]:
    """Class names and the folder of the media as it was written."""
    expected = f'{{"format": "{FORMAT}", "version": {VERSION}, "classes": [...], "root": "..."}}'
    if (
        not isinstance(node, dict)
        or set(node) != _HEADER_KEYS
        or (node["format"], node["version"]) != (FORMAT, VERSION)
    ):
        raise ValueError(f"{where}: expected the header {expected}, got {str(node)[:100]}; build the index anew")
    classes, root = node["classes"], node["root"]
    if not isinstance(classes, list) or not classes or not all(isinstance(name, str) for name in classes):
        raise ValueError(f"{where}: classes should be a list of names, got {str(classes)[:100]}; {MEND}")
    if len(set(classes)) < len(classes):
        raise ValueError(f"{where}: a class name stands twice in {classes}; {MEND}")
    for name in classes:
        check_text(name, f"{where}: classes", MEND)
    if not isinstance(root, str):
        raise ValueError(f"{where}: root should be a folder, got {root!r}; {MEND}")
    check_path(root, f"{where}: root")
    return tuple(classes), root


def _video(node: Any, root: Path, num_classes: int, where: str) -> tuple[VideoEntry, list[Defect]]:
    """The video of a line with the boxes that can be right, and what is wrong with the others."""
    if not isinstance(node, dict) or set(node) - _OPTIONAL_KEYS != _VIDEO_KEYS:
        keys = ", ".join(sorted(_VIDEO_KEYS))
        raise ValueError(f"{where}: expected a video with {keys}, got {str(node)[:100]}; {MEND}")
    for key in ("id", "source"):
        if not isinstance(node[key], str) or not node[key]:
            raise ValueError(f"{where}: {key} should be a text, got {node[key]!r}; {MEND}")
        if PurePosixPath(node[key]).is_absolute() or ".." in PurePosixPath(node[key]).parts:
            raise ValueError(f"{where}: {key} should lie inside of the root, got {node[key]!r}; {MEND}")
    check_text(node["id"], f"{where}: id", MEND)
    check_path(node["source"], f"{where}: source")
    size, where = node["size"], f"{where}: {node['id']}"
    if not are_counts(node["num_frames"]):
        raise ValueError(
            f"{where}: num_frames should be an integer in 1..{MAX_COUNT}, got {node['num_frames']!r}; {MEND}"
        )
    if not isinstance(size, list) or len(size) != 2 or not are_counts(*size):
        raise ValueError(f"{where}: size should be height, width in pixels, 1..{MAX_COUNT}, got {size!r}; {MEND}")
    rows = _box_array(node["boxes"], where)
    has_actors = rows.shape[1] == 7
    defects = _actor_defects(rows, where) if has_actors else {}
    defects |= _box_defects(rows[:, :6], node["num_frames"], num_classes, where)
    annotated = _annotated(node["annotated"], node["num_frames"], where) if "annotated" in node else None
    defects = _unannotated_defects(rows, annotated, where) | defects
    good = np.delete(rows, list(defects), axis=0)
    actors = good[:, 6].astype(np.int64) if has_actors else None
    size = (size[0], size[1])
    video = VideoEntry(node["id"], root / node["source"], node["num_frames"], size, good[:, :6], actors, annotated)
    return video, [defects[row] for row in sorted(defects)]


def frame_ranges(frames: IntArray) -> FrameRanges:
    """Rising numbers of frames as ranges; as few as a look from left to right finds."""
    spans: list[tuple[int, int, int]] = []  # first, last, step
    for frame in frames.tolist():
        first, last, step = spans[-1] if spans else (0, 0, 0)
        if spans and (first == last or frame - last == step):
            spans[-1] = (first, frame, frame - last)
        else:
            spans.append((frame, frame, 1))
    return tuple(range(first, last + 1, step) for first, last, step in spans)


def frame_numbers(ranges: Iterable[range]) -> IntArray:
    """The numbers in ranges, `[A]`."""
    return np.concatenate([np.zeros(0, np.int64), *(np.arange(r.start, r.stop, r.step) for r in ranges)])


def _annotated(ranges: Any, num_frames: int, where: str) -> FrameRanges:
    """Ranges as they are written, `[[first, last, step], ...]`."""
    found, last = [], 0
    spans: list[Any] = ranges if isinstance(ranges, list) else [None]
    for span in spans:
        good = isinstance(span, list) and len(span) == 3 and are_counts(*span)
        if not good or not last < span[0] <= span[1] <= num_frames:
            raise ValueError(
                f"{where}: annotated should be ranges [first, last, step] of frames in 1..{num_frames}, each after the "
                f"one before, got {str(ranges)[:100]}; {MEND}"
            )
        found.append(range(span[0], span[1] + 1, span[2]))
        last = span[1]
    return tuple(found)


def _unannotated_defects(rows: npt.NDArray[np.float64], annotated: FrameRanges | None, where: str) -> dict[int, Defect]:
    """Boxes `[N, 6]` on frames that are not annotated, by row."""
    if annotated is None or not len(rows):
        return {}
    text = "{}: box {}: expected a box on one of the `annotated` frames, got {}; {}"
    return {
        row: Defect("box on a frame that is not annotated", text.format(where, row + 1, rows[row].tolist(), MEND))
        for row in np.flatnonzero(~np.isin(rows[:, 0], frame_numbers(annotated))).tolist()
    }


def are_counts(*values: Any) -> bool:
    """Whether values read from JSON are positive integers, and not absurdly large ones."""
    return set(map(type, values)) == {int} and min(values) > 0 and max(values) <= MAX_COUNT


def _box_array(rows: Any, where: str) -> npt.NDArray[np.float64]:
    """`[N, 6]`, or `[N, 7]` with the actor."""
    if rows == []:
        return np.zeros((0, 6))
    try:
        array = np.asarray(rows)
    except ValueError:  # rows of several lengths
        array = np.asarray(None)
    if array.dtype.kind not in "iuf" or array.ndim != 2 or array.shape[1] not in (6, 7):
        raise ValueError(
            f"{where}: boxes should be rows of 6 numbers, frame, label, x1, y1, x2, y2, or all of 7 with the actor; "
            f"got {str(rows)[:100]}; {MEND}"
        )
    return array.astype(np.float64)


def _actor_defects(rows: npt.NDArray[np.float64], where: str) -> dict[int, Defect]:
    """What keeps the boxes `[N, 7]` of an actor from being a tube, by row."""
    actor = rows[:, 6]
    wrong = ~(np.isfinite(actor) & (actor >= 0) & (np.floor(actor) == actor))
    _, first, tube = np.unique(actor, return_index=True, return_inverse=True)
    order = np.lexsort((rows[:, 0], actor))
    pairs = rows[order][:, [0, 6]]
    repeated = order[1:][(pairs[1:] == pairs[:-1]).all(1)]
    relabelled = np.flatnonzero(rows[:, 1] != rows[first[tube], 1])
    tubes = "as its boxes are a tube, got another in {}; give the other tube an actor number of its own"
    found: dict[int, Defect] = {}
    for numbers, expected in (
        (np.flatnonzero(wrong), f"the actor should be an integer from 0, got {{}}; {MEND}"),
        (repeated, f"an actor should have one box on a frame, {tubes}"),
        (relabelled, f"an actor should have boxes of one label, {tubes}"),
    ):
        for row in numbers.tolist():
            text = f"{where}: box {row + 1}: {expected.format(rows[row].tolist())}"
            found.setdefault(row, Defect("actor that is no tube", text))
    return found


def check_boxes(boxes: Boxes, num_frames: int, num_classes: int, where: str) -> None:
    """Check the boxes of one video.

    Args:
        boxes: `[N, 6]`, see the top of this file.
        num_frames: of the video.
        num_classes: labels are below.
        where: begins the message.

    Raises:
        ValueError: a number is not finite, a frame or label is out of range, or a box has no area.
    """
    for defect in _box_defects(boxes, num_frames, num_classes, where).values():
        raise ValueError(defect.text)


def _box_defects(boxes: Boxes, num_frames: int, num_classes: int, where: str) -> dict[int, Defect]:
    """What is wrong with boxes `[N, 6]`, by row; one thing for each box."""
    frame, label, x1, y1, x2, y2 = boxes.T
    finite = np.isfinite(boxes).all(1)
    rules = (
        ("box that is no number", finite, "every number should be finite"),
        (
            "frame out of range",
            (frame >= 1) & (frame <= num_frames) & (np.floor(frame) == frame),
            f"the frame should be an integer in 1..{num_frames}",
        ),
        (
            "label out of range",
            (label >= 0) & (label < num_classes) & (np.floor(label) == label),
            f"the label should be an integer below {num_classes}",
        ),
        ("box without area", (x1 < x2) & (y1 < y2), "x1 should be less than x2 and y1 less than y2"),
    )
    found: dict[int, Defect] = {}
    for kind, good, expected in rules:
        for row in np.flatnonzero(~good).tolist():
            text = f"{where}: box {row + 1}: {expected}, got {boxes[row].tolist()}; {MEND}"
            found.setdefault(row, Defect(kind, text))
    return found
