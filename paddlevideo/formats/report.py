"""What a conversion tells of its result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np

from paddlevideo.loader.index import Boxes, VideoEntry


class Counted(Protocol):
    """A video whose frames and boxes are counted."""

    @property
    def num_frames(self) -> int:
        """Of the video."""

    @property
    def boxes(self) -> Boxes:
        """As in `VideoEntry`."""


def totals(videos: Iterable[Counted]) -> tuple[int, int, int, int]:
    """Videos, their frames, their annotated frames, and boxes."""
    rows = [(1, video.num_frames, len(np.unique(video.boxes[:, 0])), len(video.boxes)) for video in videos]
    count, frames, annotated, boxes = np.array(rows, np.int64).reshape(-1, 4).sum(0).tolist()
    return count, frames, annotated, boxes


def print_table(classes: Sequence[str], splits: Mapping[str, Sequence[VideoEntry]]) -> None:
    """Print videos, frames and boxes of every split, and the boxes of every class."""
    print(f"\n{'split':<8}{'videos':>8}{'frames':>10}{'annotated':>11}{'boxes':>9}")
    for name, videos in splits.items():
        count, frames, annotated, boxes = totals(videos)
        print(f"{name:<8}{count:>8}{frames:>10}{annotated:>11}{boxes:>9}")
    print(f"\n{'boxes of class':<24}" + "".join(f"{name:>9}" for name in splits))
    labels = [np.concatenate([np.zeros(0), *(v.boxes[:, 1] for v in videos)]) for videos in splits.values()]
    for label, name in enumerate(classes):
        print(f"{label + 1:>3} {name:<20}" + "".join(f"{np.sum(found == label):>9}" for found in labels))
    print()
