"""CVAT for video 1.1: an XML file for each task, with tracks of keyframes."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from paddlevideo.formats.base import MAX_BOXES, AnnotatedVideo, Annotation, Format, class_list
from paddlevideo.formats.structured import Element, read_xml
from paddlevideo.loader.index import MAX_COUNT
from paddlevideo.registry import FORMATS
from paddlevideo.types import IntArray


@FORMATS.register
class CvatFormat(Format):
    """Tracks of upright boxes; a track is an actor, and its label the action.

    Between two keyframes a box moves in a straight line, from an `outside` keyframe to the next it is not there, and
    after its last keyframe it stays to the end of the task, all as in CVAT. Frames are those of the video, from 0.
    The video is the one that the task was made from; its name without suffix is the id.

    Source: CVAT's manual, "CVAT for videos 1.1".
    """

    def read(self, source: Path) -> Annotation:
        """Read the export of one task or job."""
        root = read_xml(source)
        task = root.find("meta/task") or root.find("meta/job")
        if task is None or root.all("image"):
            kind = "single pictures" if root.all("image") else f"<{root.tag}> without meta/task or meta/job"
            raise ValueError(
                f"{root.place}: expected one video task exported as 'CVAT for video 1.1', got {kind}; "
                "export every video task by itself, in that format"
            )
        classes = class_list((label["name"].content(), label.place) for label in task["labels"].all("label"))
        stop = task.find("stop_frame")
        num_frames = task["size"].integer(least=1) if stop is None else stop.integer() + 1
        if num_frames > MAX_COUNT:
            raise ValueError(f"{task.place}: expected at most {MAX_COUNT} frames, got {num_frames}; split the task")
        return Annotation([_video(root, task, num_frames)], source.resolve().parent, classes)


def _video(root: Element, task: Element, num_frames: int) -> AnnotatedVideo:
    source = task.find("source") or root.find("meta/source")
    file = PurePosixPath((source or task["name"]).content()).name
    size = task.find("original_size")
    tracks = _tracks(root)
    parts, total = [], 0
    for track in tracks.values():
        parts.append(_boxes(track, num_frames))
        total += len(parts[-1][1])
        if total > MAX_BOXES:
            raise ValueError(f"{track.place}: expected at most {MAX_BOXES} boxes up to here; split the task")
    return AnnotatedVideo(
        file.rsplit(".", 1)[0] if source else file,
        root.place,
        np.concatenate([np.zeros((0, 5)), *(boxes for boxes, _ in parts)]),
        [track.attribute("label") for track, part in zip(tracks.values(), parts, strict=True) for _ in part[1]],
        [place for _, places in parts for place in places],
        np.repeat(np.array(list(tracks), np.int64), [len(places) for _, places in parts]),
        num_frames,
        None if size is None else (size["height"].integer(least=1), size["width"].integer(least=1)),
        Path(file) if source else None,
    )


def _tracks(root: Element) -> dict[int, Element]:
    """Tracks by id."""
    tracks: dict[int, Element] = {}
    for track in root.all("track"):
        number = track.integer("id")
        if number in tracks:
            raise ValueError(
                f"{track.place}: track {number} stands in {tracks[number].place} already; give one another id"
            )
        if not track.children:
            raise ValueError(f"{track.place}: this track has no box; remove it in CVAT and export again")
        tracks[number] = track
    return tracks


def _boxes(track: Element, num_frames: int) -> tuple[npt.NDArray[np.float64], list[str]]:
    """The boxes of a track, `[N, 5]` as in `AnnotatedVideo`, and the place of the keyframe before each."""
    shapes = sorted(track.children, key=lambda shape: shape.integer("frame"))
    for shape in shapes:
        if shape.tag != "box" or ("rotation" in shape.attributes and shape.number("rotation")):
            what = f"a {shape.tag}" if shape.tag != "box" else "a rotated box"
            raise ValueError(f"{shape.place}: expected upright boxes, got {what}; draw a rectangle in CVAT instead")
    frame = np.array([shape.integer("frame") for shape in shapes], np.int64)
    outside = np.array([shape.integer("outside") for shape in shapes], np.bool_)
    _check_frames(shapes, frame, outside, num_frames)
    corners = np.array([[shape.number(key) for key in ("xtl", "ytl", "xbr", "ybr")] for shape in shapes])
    at, before = _visible(frame, outside, num_frames)
    boxes = np.column_stack([at + 1, *(np.interp(at, frame, values) for values in corners.T)])
    return boxes, [shapes[k].place for k in before.tolist()]


def _check_frames(shapes: list[Element], frame: IntArray, outside: npt.NDArray[np.bool_], num_frames: int) -> None:
    twice = np.flatnonzero(np.diff(frame) == 0)
    if len(twice):
        raise ValueError(
            f"{shapes[twice[0] + 1].place}: the track has another box on frame {frame[twice[0]]}; remove one"
        )
    beyond = np.flatnonzero((frame >= num_frames) & ~outside)
    if len(beyond):
        raise ValueError(
            f"{shapes[beyond[0]].place}: frame {frame[beyond[0]]} is beyond the task's last, {num_frames - 1}; "
            "export the task again"
        )


def _visible(frame: IntArray, outside: npt.NDArray[np.bool_], num_frames: int) -> tuple[IntArray, IntArray]:
    """Every frame on which a track can be seen, and the number of the keyframe before it, both `[N]`."""
    until = np.append(frame[1:], num_frames).clip(max=num_frames)
    count = np.where(outside, 0, until - frame)
    before = np.repeat(np.arange(len(frame)), count)
    start = np.cumsum(count) - count
    return frame[before] + np.arange(len(before)) - start[before], before
