"""An input transform that changes nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paddlevideo.types import Allocate, Arrays, Frames, Sample
from paddlevideo.utils.arrays import stacked


class PlainInput:
    """Frames as they are, for tests of what happens before."""

    def __call__(self, sample: Sample) -> Arrays:
        return self.pack(sample)

    def resize(self, frames: Frames) -> Frames:
        return frames

    def pack(self, sample: Sample) -> Arrays:
        return {"clip": sample["frames"]}

    def unpack(self, packed: Sequence[Arrays], empty: Allocate = np.empty) -> Arrays:
        return stacked(packed)
