"""From the tracks of a format to the actors of an index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from paddlevideo.formats.base import NO_TRACK, AnnotatedVideo
from paddlevideo.types import IntArray


def number_actors(videos: Sequence[AnnotatedVideo], classes: Sequence[str]) -> list[AnnotatedVideo]:
    """The same videos, their tracks numbered as actors.

    An actor of an index is a tube, which has one label. A track may have several, as a person of AVA who talks and
    walks. If any track has, actors are `track * classes + label`, from which both can be told; else they are tracks.

    Args:
        videos: of a whole dataset.
        classes: names in the order of their labels; every box has one of them.

    Raises:
        ValueError: some boxes have a track and others none, or a track has two boxes of a label on a frame.
    """
    if all(video.tracks is None for video in videos):
        return list(videos)
    tubes = [_tubes(video, classes) for video in videos]  # [N, 3] each: frame, label, track
    several = any(len(np.unique(t[:, 1:], axis=0)) > len(np.unique(t[:, 2])) for t in tubes)
    for video, rows in zip(videos, tubes, strict=True):
        _check_once(video, rows)
    factor, share = (len(classes), 1) if several else (1, 0)
    return [replace(v, tracks=factor * t[:, 2] + share * t[:, 1]) for v, t in zip(videos, tubes, strict=True)]


def _tubes(video: AnnotatedVideo, classes: Sequence[str]) -> IntArray:
    number = {name: label for label, name in enumerate(classes)}
    labels = np.array([number[name] for name in video.labels], np.int64)
    tracks = np.full(len(labels), NO_TRACK) if video.tracks is None else video.tracks
    if (tracks == NO_TRACK).any():
        raise ValueError(
            f"{video.places[int(np.argmin(tracks))]}: expected a track number, as other boxes have one; give all "
            "of them one, or leave all out with --no-actors"
        )
    return np.column_stack([video.boxes[:, 0].astype(np.int64), labels, tracks])


def _check_once(video: AnnotatedVideo, rows: IntArray) -> None:
    """Check that no two of the rows `[N, 3]` of frame, label and track are equal."""
    order = np.lexsort(rows.T)
    twice = np.flatnonzero((np.diff(rows[order], axis=0) == 0).all(1))
    if len(twice):
        number = order[twice[0] + 1]
        frame, _, track = rows[number].tolist()
        raise ValueError(
            f"{video.places[number]}: expected one box of a track on a frame, got another of track {track} on frame "
            f"{frame} (from 1); give it another number, remove it, or leave all tracks out with --no-actors"
        )
