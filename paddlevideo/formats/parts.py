"""Several files on parts of one video, such as the jobs of a task in CVAT, become one annotation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from paddlevideo.formats.base import NO_TRACK, AnnotatedVideo
from paddlevideo.loader.index import frame_numbers, frame_ranges
from paddlevideo.types import IntArray

SAME_PX = 0.5  # by which boxes of two files on one frame may differ


def join(a: AnnotatedVideo, b: AnnotatedVideo) -> AnnotatedVideo:
    """The annotation of two files on parts of one video.

    On frames that both have they must say the same. A track of `b` goes on as the one of `a` that has its boxes there;
    all others get numbers of their own.

    Raises:
        ValueError: one has no frame that the other lacks, or they contradict each other; names both files.
    """
    frames_a, frames_b = (frame_numbers(v.annotated or ()) for v in (a, b))
    common = np.intersect1d(frames_a, frames_b)
    if a.annotated is None or b.annotated is None or len(common) in (len(frames_a), len(frames_b)):
        raise ValueError(f"{b.place}: video {b.id} is in {a.place} already; remove one")
    for what in ("size", "source", "fractions", "first"):
        told, other = getattr(a, what), getattr(b, what)
        if told != other:
            raise ValueError(f"{b.place}: the {what} of {b.id} is {other}, but {told} in {a.place}; mend one of them")
    rows_a, rows_b = _common_rows(a, b, common)
    rest = np.setdiff1d(np.arange(len(b.boxes)), rows_b)
    return replace(
        a,
        boxes=np.concatenate([a.boxes, b.boxes[rest]]),
        labels=[*a.labels, *(b.labels[row] for row in rest)],
        places=[*a.places, *(b.places[row] for row in rest)],
        tracks=_joined_tracks(a, b, rows_a, rows_b, rest),
        num_frames=max((v.num_frames for v in (a, b) if v.num_frames is not None), default=None),
        annotated=frame_ranges(np.union1d(frames_a, frames_b)),
    )


def _common_rows(a: AnnotatedVideo, b: AnnotatedVideo, common: IntArray) -> tuple[IntArray, IntArray]:
    """The boxes on the frames that both files have, as rows of `a` and of `b` that say the same."""
    left, right = (np.flatnonzero(np.isin(v.boxes[:, 0], common)).tolist() for v in (a, b))
    pairs: list[tuple[int, int]] = []
    for row in right:
        match = next((k for k in left if _same_box(a, k, b, row)), None)
        if match is None:
            raise _contradiction(b, row, a)
        left.remove(match)
        pairs.append((match, row))
    if left:
        raise _contradiction(a, left[0], b)
    found = np.array(pairs, np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def _same_box(a: AnnotatedVideo, i: int, b: AnnotatedVideo, j: int) -> bool:
    one, other = a.boxes[i], b.boxes[j]
    slack = 0.0 if a.fractions else SAME_PX
    same: bool = a.labels[i] == b.labels[j] and one[0] == other[0] and bool(np.abs(one - other).max() <= slack)
    return same


def _contradiction(one: AnnotatedVideo, row: int, other: AnnotatedVideo) -> ValueError:
    frame, *box = one.boxes[row].tolist()
    return ValueError(
        f"{one.places[row]}: {one.labels[row]} on frame {frame:.0f} (from 1), {', '.join(f'{v:g}' for v in box)}, is "
        f"not in {other.place}, which has that frame too; make both say the same, or export the whole task"
    )


def _joined_tracks(
    a: AnnotatedVideo, b: AnnotatedVideo, rows_a: IntArray, rows_b: IntArray, rest: IntArray
) -> IntArray | None:
    """Track numbers of all boxes of `a` and of those of `b` in `rest`, None if no box has one."""
    of_a, of_b = (np.full(len(v.boxes), NO_TRACK) if v.tracks is None else v.tracks for v in (a, b))
    new = {NO_TRACK: NO_TRACK}
    for one, other in zip(of_a[rows_a].tolist(), of_b[rows_b].tolist(), strict=True):
        if other not in new and one not in new.values():
            new[other] = one
    offset = of_a.max(initial=NO_TRACK) + 1
    tracks = np.append(of_a, [new.get(track, offset + track) for track in of_b[rest].tolist()]).astype(np.int64)
    return None if (tracks == NO_TRACK).all() else tracks
