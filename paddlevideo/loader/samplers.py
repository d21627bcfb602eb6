"""Which frames of a video make a clip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from paddlevideo.registry import SAMPLERS
from paddlevideo.types import IntArray

LONGEST_STEP = 10**6  # frames


class Sampler(Protocol):
    """Chooses frames around a key frame, or up to it."""

    history: int | None  # latest frames that a clip without randomness is taken from; None: all of a video

    def __call__(self, length: int, index: int, rng: np.random.Generator | None) -> IntArray:
        """Frame numbers from 0, within a video of `length` frames, for key frame `index`."""


@SAMPLERS.register
class KeyframeClip:
    """Clips that end at the key frame; before the first frame, the first frame is repeated.

    Args:
        num_frames: frames of a clip.
        strides: steps between frames; one is drawn for every training sample, the first is used otherwise.
    """

    def __init__(self, num_frames: int, strides: Sequence[int] = (1,)) -> None:
        if not strides or min(strides) < 1 or max(strides) > LONGEST_STEP:
            raise ValueError(f"KeyframeClip: strides should be positive, up to {LONGEST_STEP}, got {list(strides)}")
        self.num_frames = num_frames
        self.strides = list(strides)
        self.history = (num_frames - 1) * self.strides[0] + 1

    def __call__(self, length: int, index: int, rng: np.random.Generator | None) -> IntArray:
        """Frame numbers `[num_frames]`, oldest first.

        Raises:
            ValueError: the key frame is not in the video.
        """
        if not 0 <= index < length:
            raise ValueError(f"key frame {index} is not in a video of {length} frames")
        stride = self.strides[0] if rng is None else int(rng.choice(self.strides))
        past = np.arange(self.num_frames - 1, -1, -1, dtype=np.int64) * stride
        return np.maximum(index - past, 0)


@SAMPLERS.register
class SegmentFrames:
    """Frames of segments of equal length, into which a video up to its key frame is divided (TSN, sec. 3.1).

    Training takes a random place in each segment, testing its middle. Of a video with fewer frames than segments,
    frames are repeated from the beginning.

    Args:
        num_frames: of a clip that is answered; the input says so.
        train_frames: of a training clip; the input says so.
        run: neighbouring frames that are taken of each segment.

    Raises:
        ValueError: frames that cannot be divided into runs.
    """

    history = None

    def __init__(self, num_frames: int, train_frames: int, run: int = 1) -> None:
        if run < 1 or num_frames % run or train_frames % run:
            raise ValueError(
                f"SegmentFrames: run should divide the {num_frames} frames of a clip and the {train_frames} of a "
                f"training clip, got {run}"
            )
        self.segments, self.train_segments, self.run = num_frames // run, train_frames // run, run

    def __call__(self, length: int, index: int, rng: np.random.Generator | None) -> IntArray:
        """Frame numbers `[segments * run]` in order, each run of neighbours.

        Raises:
            ValueError: the key frame is not in the video.
        """
        if not 0 <= index < length:
            raise ValueError(f"key frame {index} is not in a video of {length} frames")
        number = np.arange(self.segments if rng is None else self.train_segments)
        step = (index + 1) // len(number)
        room = max(step - self.run, 0)  # frames that a run may be moved by within its segment
        move = room // 2 if rng is None else rng.integers(0, room, len(number), endpoint=True)
        starts = number * max(step, 1) + move
        frames: IntArray = (starts[:, None] + np.arange(self.run)).ravel() % (index + 1)
        return frames
