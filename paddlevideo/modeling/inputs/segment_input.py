"""Frames of several segments of a video to the network's clip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from paddlevideo.modeling.inputs.clip_input import ClipInput
from paddlevideo.registry import INPUTS
from paddlevideo.types import Arrays, Sample


@INPUTS.register
class SegmentInput(ClipInput):
    """`ClipInput` for networks that take any number of frames, and may be trained on fewer than they answer with.

    Args:
        num_frames: see `ClipInput`.
        size: see `ClipInput`.
        train_frames: frames of a training sample; None is as many as otherwise.
        mean: see `ClipInput`.
        std: see `ClipInput`.
        interpolation: see `ClipInput`; transforms that crop to the size leave nothing to be resized.

    Raises:
        ValueError: no frame.
    """

    def __init__(
        self,
        num_frames: int,
        size: int | Sequence[int],
        train_frames: int | None = None,
        mean: Sequence[float] = (0.485, 0.456, 0.406),
        std: Sequence[float] = (0.229, 0.224, 0.225),
        interpolation: Literal["nearest", "linear", "cubic", "area"] = "linear",
    ) -> None:
        super().__init__(num_frames, size, 1, mean, std, interpolation)
        self.train_frames = num_frames if train_frames is None else train_frames
        if self.train_frames < 1:
            raise ValueError(f"SegmentInput: train_frames should be positive, got {train_frames}")
        self.sampling = {"num_frames": num_frames, "train_frames": self.train_frames}

    def pack(self, sample: Sample) -> Arrays:
        """`frames` uint8 `[T, H, W, 3]` to `clip` uint8 `[T, height, width, 3]`; T is one of both numbers.

        Raises:
            ValueError: another number of frames.
        """
        frames = sample["frames"]
        if len(frames) not in (self.num_frames, self.train_frames):
            raise ValueError(
                f"{sample['meta']['id']}: {len(frames)} frames, MODEL.input expects {self.num_frames}, or "
                f"{self.train_frames} in training"
            )
        return {"clip": self.resize(frames)}
