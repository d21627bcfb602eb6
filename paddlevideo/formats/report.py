"""What a conversion tells of its result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from paddlevideo.formats.base import SLACK_PX, Size
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
    """Videos, their frames, their frames with boxes, and boxes."""
    rows = [(1, video.num_frames, len(np.unique(video.boxes[:, 0])), len(video.boxes)) for video in videos]
    count, frames, with_boxes, boxes = np.array(rows, np.int64).reshape(-1, 4).sum(0).tolist()
    return count, frames, with_boxes, boxes


def size_doubt(sizes: set[Size], extent: npt.NDArray[np.float64]) -> str | None:
    """What to say of boxes that are taken to be drawn at the size of their media, None if they fit it.

    Args:
        sizes: of the media.
        extent: how far the boxes reach, `[2]`: x, y in pixels.
    """
    advice = "pass --annotation-size WIDTHxHEIGHT if the boxes were drawn at another size"
    if len(sizes) > 1:
        return f"the videos have {len(sizes)} sizes; each one's boxes are taken to be drawn at its own; {advice}"
    height, width = next(iter(sizes))
    if np.abs(extent - [width, height]).max() <= SLACK_PX:
        return None
    reach = f"{extent[0]:g}x{extent[1]:g}"
    return f"the boxes of the whole annotation reach to {reach}, but the videos are {width}x{height}; {advice}"


def print_table(classes: Sequence[str], splits: Mapping[str, Sequence[VideoEntry]]) -> None:
    """Print videos, frames and boxes of every split, and the boxes of every class."""
    print(f"\n{'split':<8}{'videos':>8}{'frames':>10}{'with boxes':>11}{'boxes':>9}")
    for name, videos in splits.items():
        count, frames, with_boxes, boxes = totals(videos)
        print(f"{name:<8}{count:>8}{frames:>10}{with_boxes:>11}{boxes:>9}")
    print(f"\n{'boxes of class':<24}" + "".join(f"{name:>9}" for name in splits))
    labels = [np.concatenate([np.zeros(0), *(v.boxes[:, 1] for v in videos)]) for videos in splits.values()]
    for label, name in enumerate(classes):
        print(f"{label + 1:>3} {name:<20}" + "".join(f"{np.sum(found == label):>9}" for found in labels))
    print()
