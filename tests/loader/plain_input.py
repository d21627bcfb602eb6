"""An input transform that changes nothing."""

from __future__ import annotations

from paddlevideo.types import Arrays, Frames, Sample


class PlainInput:
    """Frames as they are, for tests of what happens before."""

    def __call__(self, sample: Sample) -> Arrays:
        return self.pack(sample)

    def resize(self, frames: Frames) -> Frames:
        return frames

    def pack(self, sample: Sample) -> Arrays:
        return {"clip": sample["frames"]}

    def unpack(self, packed: Arrays) -> Arrays:
        return packed
