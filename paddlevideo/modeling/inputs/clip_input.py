"""Frames to the network's clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import cv2
import numpy as np

from paddlevideo.registry import INPUTS
from paddlevideo.types import Arrays, InputSpec, Sample

INTERPOLATIONS = {
    "nearest": cv2.INTER_NEAREST,
    "linear": cv2.INTER_LINEAR,
    "cubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
}


@INPUTS.register
class ClipInput:
    """Resize without keeping the aspect ratio, scale to 0..1, normalise, channels first.

    Args:
        num_frames: frames of a clip.
        size: height and width of the network's input, or one number for both.
        stride: what height and width must be multiples of; the model says so.
        mean: subtracted from each of red, green, blue after scaling to 0..1.
        std: divides the result.
        interpolation: how pixels are resized.
    """

    causal = True

    def __init__(
        self,
        num_frames: int,
        size: int | Sequence[int],
        stride: int = 1,
        mean: Sequence[float] = (0.0, 0.0, 0.0),
        std: Sequence[float] = (1.0, 1.0, 1.0),
        interpolation: Literal["nearest", "linear", "cubic", "area"] = "cubic",
    ) -> None:
        height, width = (size, size) if isinstance(size, int) else size
        if num_frames < 1 or height < stride or width < stride or height % stride or width % stride:
            raise ValueError(
                f"ClipInput: num_frames should be positive and size multiples of {stride}, "
                f"got {num_frames} frames of {height}x{width}"
            )
        self.num_frames, self.size = num_frames, (height, width)
        self.scale = (1 / (255 * np.asarray(std))).astype(np.float32)
        self.shift = (np.asarray(mean) / np.asarray(std)).astype(np.float32)
        self.interpolation = INTERPOLATIONS[interpolation]
        self.sampling: Mapping[str, int] = {"num_frames": num_frames}

    def __call__(self, sample: Sample) -> Arrays:
        """`frames` uint8 `[T, H, W, 3]` to `clip` float32 `[3, T, height, width]`.

        Raises:
            ValueError: another number of frames.
        """
        frames = sample["frames"]
        if len(frames) != self.num_frames:
            raise ValueError(f"{sample['meta']['id']}: {len(frames)} frames, MODEL.input expects {self.num_frames}")
        width_first = self.size[::-1]
        resized = np.stack([cv2.resize(frame, width_first, interpolation=self.interpolation) for frame in frames])
        clip = resized.transpose(3, 0, 1, 2).astype(np.float32)  # [3, T, height, width]
        clip *= self.scale[:, None, None, None]
        clip -= self.shift[:, None, None, None]
        return {"clip": clip}

    def spec(self) -> dict[str, InputSpec]:
        """Shape and type of the clip."""
        return {"clip": InputSpec((3, self.num_frames, *self.size))}
