"""CVAT for video 1.1: an XML file for each task or job, with tracks of keyframes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from paddlevideo.formats.attributes import note_of_left
from paddlevideo.formats.base import AnnotatedVideo, Annotation, Format
from paddlevideo.formats.cvat_labels import (
    attribute_values,
    class_labels,
    label_names,
    skeleton_names,
    split_by_attribute,
    varying_attributes,
)
from paddlevideo.formats.cvat_tracks import TrackBoxes, every_box_is_stated, expand, read_tracks
from paddlevideo.formats.structured import Element, read_xml
from paddlevideo.loader.index import MAX_COUNT, FrameRanges, frame_numbers, frame_ranges
from paddlevideo.registry import FORMATS
from paddlevideo.types import IntArray


@FORMATS.register
class CvatFormat(Format):
    """Tracks of upright boxes; a track is an actor, and its label the action.

    Between two keyframes a box moves in a straight line, from an `outside` keyframe to the next it is not there, and
    after its last keyframe it stays to the end of the task, all as in CVAT. A file with boxes on neighbouring frames
    and no `outside` at all, as some published datasets are, means just these boxes. A track without an id, which they
    leave out too, is an actor of its own.

    Frames are those of the video, from 0. Of a task on a part of it (start and stop frame, frame filter), or of a job,
    the other frames are not annotated. Jobs of one video are put together. The video is the one that the task was made
    from; its name without suffix is the id. Skeletons are no boxes and are left out, other shapes are refused.

    Args:
        class_attribute: the attribute whose value is the action, such as `action` of boxes that are all labelled
            `person`. Every stretch of a track with one value is a tube. Boxes without a value are left out, and frames
            with no other box are not annotated.

    Source: CVAT's manual, "CVAT for videos 1.1".
    """

    def __init__(self, class_attribute: str | None = None) -> None:
        self.class_attribute = class_attribute

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
        labels, skeletons, frames = class_labels(task["labels"]), skeleton_names(task["labels"]), task_frames(task)
        elements = [track for track in root.all("track") if track.attribute("label") not in skeletons]
        tracks = read_tracks(elements, frames)
        parts, notes = expand(tracks, frames), []
        if left := len(root.all("track")) - len(elements):
            notes.append(f"left out {left} tracks of skeletons of {source}, which are no boxes")
        if every_box_is_stated(tracks) and any(track.frames[-1] < frames[-1] for track in tracks):
            notes.append(f"{source} has every single box and nothing outside, so tracks end with their last box")
        annotated: FrameRanges = (range(frames.start + 1, frames.stop + 1, frames.step),)
        if self.class_attribute is None:
            classes = label_names(labels)
            notes += varying_attributes(source, labels, tracks)
        else:
            classes = attribute_values(labels).get(self.class_attribute, ())
            parts, without = split_by_attribute(self.class_attribute, labels, parts, root.place)
            unknown = np.setdiff1d(_on_frames(without), _on_frames(parts))
            if len(unknown):
                annotated = frame_ranges(np.setdiff1d(frame_numbers(annotated), unknown))
            notes += note_of_left(self.class_attribute, len(_on_frames(without)), source)
        video = _video(root, task, parts, frames[-1] + 1, annotated)
        return Annotation([video], source.resolve().parent, classes, notes=tuple(notes))


def _on_frames(parts: Sequence[TrackBoxes]) -> IntArray:
    """The frames, from 1, that have a box."""
    return np.concatenate([np.zeros(0, np.int64), *(part.boxes[:, 0].astype(np.int64) for part in parts)])


def task_frames(task: Element) -> range:
    """The frames of its video, from 0, that a task or job is about.

    Raises:
        ValueError: they are too many, or start, stop, filter and size contradict each other.
    """
    start, stop, size = task.find("start_frame"), task.find("stop_frame"), task["size"].integer(least=1)
    text = "".join(node.pieces).strip() if (node := task.find("frame_filter")) else ""
    step = re.fullmatch(r"(?:step *= *([1-9][0-9]{0,8}))?", text)
    if step is None:
        raise ValueError(f"{task.place}: expected a frame_filter such as step=5, got {text!r}; export the task again")
    first = start.integer() if start else 0
    last = stop.integer() if stop else first + (size - 1) * int(step[1] or 1)
    if last >= MAX_COUNT:
        raise ValueError(f"{task.place}: expected at most {MAX_COUNT} frames, got {last + 1}; split the task")
    frames = range(first, last + 1, int(step[1] or 1))
    if len(frames) != size:
        raise ValueError(
            f"{task.place}: the size is {size} frames, but start_frame {first}, stop_frame {last} and frame_filter "
            f"{text!r} make {len(frames)}; if this is a job, export its whole task"
        )
    return frames


def _video(
    root: Element, task: Element, parts: Sequence[TrackBoxes], num_frames: int, annotated: FrameRanges
) -> AnnotatedVideo:
    source = task.find("source") or root.find("meta/source")
    file = PurePosixPath((source or task["name"]).content()).name
    size = task.find("original_size")
    return AnnotatedVideo(
        file.rsplit(".", 1)[0] if source else file,
        root.place,
        np.concatenate([np.zeros((0, 5)), *(part.boxes for part in parts)]),
        [part.label for part in parts for _ in part.keyframes],
        [shape.place for part in parts for shape in part.keyframes],
        np.repeat(np.array([part.number for part in parts], np.int64), [len(part.boxes) for part in parts]),
        num_frames,
        None if size is None else (size["height"].integer(least=1), size["width"].integer(least=1)),
        Path(file) if source else None,
        annotated=annotated,
    )
