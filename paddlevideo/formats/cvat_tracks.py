"""Tracks of CVAT: from keyframes to a box on every frame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
import numpy.typing as npt

from paddlevideo.formats.base import MAX_BOXES
from paddlevideo.formats.structured import Element
from paddlevideo.types import IntArray


@dataclass(frozen=True)
class Track:
    """The keyframes of an actor, in order; `frames [K]` are from 0, and on those `outside [K]` it is not there."""

    number: int
    label: str
    place: str
    shapes: Sequence[Element]
    frames: IntArray
    outside: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class TrackBoxes:
    """The boxes `[N, 5]` of a track as in `AnnotatedVideo`, and the keyframe before each."""

    number: int
    label: str
    boxes: npt.NDArray[np.float64]
    keyframes: Sequence[Element]


def read_tracks(elements: Sequence[Element], frames: range) -> list[Track]:
    """Tracks with their ids; those without one get the next free numbers.

    Args:
        elements: `<track>`s.
        frames: of the task, from 0.

    Raises:
        ValueError: an id twice, no box, another shape, two boxes on a frame, or a frame that the task lacks.
    """
    given = [element.integer("id") for element in elements if "id" in element.attributes]
    free = count(max(given, default=-1) + 1)
    tracks: dict[int, Track] = {}
    for element in elements:
        number = element.integer("id") if "id" in element.attributes else next(free)
        if number in tracks:
            raise ValueError(
                f"{element.place}: track {number} stands in {tracks[number].place} already; give one another id"
            )
        tracks[number] = _track(element, number, frames)
    return list(tracks.values())


def _track(element: Element, number: int, frames: range) -> Track:
    shapes = [child for child in element.children if child.tag != "attribute"]
    if not shapes:
        raise ValueError(f"{element.place}: this track has no box; remove it in CVAT and export again")
    shapes.sort(key=lambda shape: shape.integer("frame"))
    for shape in shapes:
        if shape.tag != "box" or ("rotation" in shape.attributes and shape.number("rotation")):
            what = f"a {shape.tag}" if shape.tag != "box" else "a rotated box"
            raise ValueError(f"{shape.place}: expected upright boxes, got {what}; draw a rectangle in CVAT instead")
    frame = np.array([shape.integer("frame") for shape in shapes], np.int64)
    outside = np.array([shape.integer("outside") for shape in shapes], np.bool_)
    _check_frames(shapes, frame, outside, frames)
    return Track(number, element.attribute("label"), element.place, shapes, frame, outside)


def _check_frames(shapes: Sequence[Element], frame: IntArray, outside: npt.NDArray[np.bool_], frames: range) -> None:
    twice = np.flatnonzero(np.diff(frame) == 0)
    if len(twice):
        raise ValueError(
            f"{shapes[twice[0] + 1].place}: the track has another box on frame {frame[twice[0]]}; remove one"
        )
    for shape, number in zip(shapes, frame.tolist(), strict=True):
        if number in frames or shape.integer("outside"):
            continue
        where = f"{shape.place}: frame {number} is"
        if number > frames[-1]:
            raise ValueError(f"{where} beyond the task's last, {frames[-1]}; export the task again")
        if number < frames[0]:
            raise ValueError(f"{where} before the task's first, {frames[0]}; export the task again")
        raise ValueError(f"{where} between those of the task, every {frames.step}th from {frames[0]}; export it again")


def every_box_is_stated(tracks: Iterable[Track]) -> bool:
    """Whether most boxes of a file have one on the next frame, and none is `outside`: there are no keyframes then.

    CVAT itself writes every box, and marks the frame on which a track ends as `outside`.
    """
    tracks = list(tracks)
    steps = np.concatenate([np.zeros(0, np.int64), *(np.diff(track.frames) for track in tracks)])
    return bool(2 * (steps == 1).sum() > len(steps)) and not any(track.outside.any() for track in tracks)


def expand(tracks: Sequence[Track], frames: range) -> list[TrackBoxes]:
    """The boxes of all tracks on the frames of their task.

    Raises:
        ValueError: there are too many, or a coordinate is no number.
    """
    stated, found, total = every_box_is_stated(tracks), [], 0
    for track in tracks:
        if stated:
            at, before = track.frames, np.arange(len(track.frames))
        else:
            at, before = _visible(track, frames)
        total += len(at)
        if total > MAX_BOXES:
            raise ValueError(f"{track.place}: expected at most {MAX_BOXES} boxes up to here; split the task")
        corners = np.array([[shape.number(key) for key in ("xtl", "ytl", "xbr", "ybr")] for shape in track.shapes])
        boxes = np.column_stack([at + 1, *(np.interp(at, track.frames, values) for values in corners.T)])
        found.append(TrackBoxes(track.number, track.label, boxes, [track.shapes[k] for k in before.tolist()]))
    return found


def _visible(track: Track, frames: range) -> tuple[IntArray, IntArray]:
    """Every frame on which a track can be seen, and the number of the keyframe before it, both `[N]`."""
    end = frames[-1] + 1
    until = np.append(track.frames[1:], end).clip(max=end)
    length = np.where(track.outside, 0, until - track.frames)
    before = np.repeat(np.arange(len(length)), length)
    start = np.cumsum(length) - length
    at = track.frames[before] + np.arange(len(before)) - start[before]
    kept = (at - frames[0]) % frames.step == 0
    return at[kept], before[kept]
