"""What has frames that can be read by number."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from paddlevideo.types import FrameChange, Frames, IntArray

DEFAULT_FPS = 25.0


def as_decoded(frames: Frames) -> Frames:
    """The frames as they are."""
    return frames


class FrameSource(ABC):
    """Frames that can be read by number."""

    path: Path
    fps: float  # frames a second
    first_number: int | None = None  # in the names of pictures; None for a video
    claimed_length: int | None  # frames that the media say they have, which may be wrong; None if they do not say

    @property
    @abstractmethod
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""

    @abstractmethod
    def __len__(self) -> int:
        """How many frames there are."""

    @abstractmethod
    def decode(self, numbers: Sequence[int]) -> Iterator[Frames]:
        """Frames `numbers`, from 0 and rising, `[H, W, 3]` each.

        Raises:
            FileNotFoundError: a frame has gone.
            ValueError: a damaged frame, or frames of several sizes.
        """

    def frames(self) -> Iterator[Frames]:
        """All frames in order, `[H, W, 3]` each; one pass, one frame in memory; see `decode` for errors."""
        return self.decode(range(len(self)))

    @abstractmethod
    def timed(self) -> Iterator[tuple[float, Frames]]:
        """As `frames`, each with its time in seconds; the media are not looked through beforehand for their length."""

    @abstractmethod
    def damages(self) -> Iterator[str]:
        """What is wrong with the frames, all of which are read: damaged ones, or those of another size."""

    def read(self, indices: IntArray, change: FrameChange = as_decoded) -> Frames:
        """Frames `indices` (from 0, any order, repeats allowed) as uint8 `[T, H, W, 3]`, RGB.

        Args:
            indices: `[T]`.
            change: is given each frame as `[1, H, W, 3]` as soon as it is decoded, once, and answers what to keep.

        Raises:
            FileNotFoundError: a frame has gone.
            ValueError: no such frame, a damaged one, or frames of several sizes.
        """
        distinct, inverse = _distinct(indices, len(self), self.path)
        parts = (change(frame[None]) for frame in self.decode(distinct))
        first = next(parts)
        kept = np.empty((len(distinct), *first.shape[1:]), np.uint8)
        for place, part in enumerate(chain([first], parts)):
            kept[place] = part[0]
        return kept if np.array_equal(inverse, np.arange(len(kept))) else kept[inverse]


def _distinct(indices: IntArray, length: int, path: Path) -> tuple[list[int], IntArray]:
    """The different indices in rising order, and where each index is among them."""
    distinct, inverse = np.unique(indices, return_inverse=True)
    if not len(distinct):
        raise ValueError(f"{path}: asked for no frame at all; expected at least one index")
    if distinct[0] < 0:
        raise ValueError(f"{path}: frame numbers start at 0, got {distinct[0]}")
    if distinct[-1] >= length:
        raise ValueError(
            f"{path}: expected at least {distinct[-1] + 1} frames, got {length}; "
            "it may be truncated: get the complete media again"
        )
    return distinct.tolist(), inverse
