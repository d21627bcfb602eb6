"""What a dataset format is, and what its files say before anyone has looked at the media."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from paddlevideo.loader.index import ActionIndex
from paddlevideo.types import IntArray

Size = tuple[int, int]  # height, width in pixels
MAX_BOXES = 2 * 10**6  # of a file; a few bytes may stand for many, as keyframes or as the same tube again and again
MAX_CLASSES = 10**4
NO_TRACK = -1  # of a box without one, in a video where others have one


class Row(NamedTuple):
    """One box of a file."""

    frame: int  # from 1
    box: Sequence[float]  # x1, y1, x2, y2
    label: str
    place: str  # where it stands, such as `a.xml:12`; begins messages
    track: int | None = None  # from 0; boxes of a video with one number are one actor


@dataclass(frozen=True)
class AnnotatedVideo:
    """What a file says of one video.

    `boxes [N, 5]` are frame (from 1), x1, y1, x2, y2 in pixels of a frame of `size` or, with `fractions`, in fractions
    of it; `labels`, `places` and `tracks` go with them as in `Row`. What the file does not tell is None.
    """

    id: str
    place: str  # begins messages
    boxes: npt.NDArray[np.float64]
    labels: Sequence[str]
    places: Sequence[str]
    tracks: IntArray | None = None
    num_frames: int | None = None
    size: Size | None = None
    source: Path | None = None  # of the media, absolute or below their root; None: where the id says
    fractions: bool = False
    first: int | None = None  # number of the first frame in the names of pictures, where frames are called by those

    @classmethod
    def from_rows(cls, id: str, place: str, rows: Sequence[Row], **facts: Any) -> AnnotatedVideo:
        """Put boxes together that were read one by one; `facts` are the remaining fields."""
        boxes = np.array([(row.frame, *row.box) for row in rows], np.float64).reshape(-1, 5)
        tracks = np.array([NO_TRACK if row.track is None else row.track for row in rows], np.int64)
        told = None if (tracks == NO_TRACK).all() else tracks
        return cls(id, place, boxes, [row.label for row in rows], [row.place for row in rows], told, **facts)


@dataclass(frozen=True)
class Annotation:
    """The content of a file or folder.

    `classes` are the class names in the order of their labels, empty if the format has no list of them; `root` is where
    the media are unless the user says; `splits` names videos, if the format does; `notes` are for the user.
    """

    videos: Sequence[AnnotatedVideo]
    root: Path
    classes: tuple[str, ...] = ()
    splits: Mapping[str, Sequence[str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def class_list(names: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Class names, given with the place of each.

    Raises:
        ValueError: a name twice.
    """
    places: dict[str, str] = {}
    for name, place in names:
        if name in places:
            raise ValueError(f"{place}: the class {name} stands in {places[name]} already; give it another name")
        places[name] = place
    return tuple(places)


class Format(ABC):
    """A way to write annotation down; the constructor's arguments are its options on the command line."""

    @abstractmethod
    def read(self, source: Path) -> Annotation:
        """Read a file or folder.

        Raises:
            FileNotFoundError: it is not there.
            ValueError: it is malformed; names the place.
        """


class WritableFormat(Format):
    """A format that others read."""

    suffix: str  # of the file of a split

    @abstractmethod
    def write(self, index: ActionIndex, root: Path, path: Path) -> list[str]:
        """Write one split; returns notes for the user, on what of it the format cannot hold.

        Args:
            index: its videos.
            root: the folder that all of their sources lie in.
            path: of the file; its folder exists.

        Raises:
            ValueError: the format cannot hold a box of the index.
        """
