"""Which frames of a video make a clip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from paddlevideo.registry import SAMPLERS
from paddlevideo.types import IntArray


class Sampler(Protocol):
    """Chooses frames around a key frame."""

    history: int  # how many of the latest frames a clip without randomness is taken from

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
        if not strides or min(strides) < 1:
            raise ValueError(f"KeyframeClip: strides should be positive, got {list(strides)}")
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
