"""Frames to the network's clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import cv2
import numpy as np

from paddlevideo.registry import INPUTS
from paddlevideo.types import Allocate, Arrays, Frames, InputSpec, Sample

MOST = 1e6  # of mean and standard deviation, which are of the order of 1
INTERPOLATIONS = {
    "nearest": cv2.INTER_NEAREST,
    "linear": cv2.INTER_LINEAR,
    "cubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
}


@INPUTS.register
class ClipInput:
    """Resize without keeping the aspect ratio, scale to 0..1, normalise, channels first.

    A packed clip is uint8, a quarter of the bytes.

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
        sides = (size, size) if isinstance(size, int) else tuple(size)
        sane = len(mean) == len(std) == 3 and all(abs(value) <= MOST for value in mean) and min(std) >= 1 / MOST
        if len(sides) != 2 or not sane or max(std) > MOST:
            raise ValueError(
                "ClipInput: expected size as one number or height and width, mean and std as three numbers each up to "
                f"{MOST:g}, those of std from {1 / MOST:g}; got {size}, {mean}, {std}"
            )
        height, width = sides
        if num_frames < 1 or height < stride or width < stride or height % stride or width % stride:
            raise ValueError(
                f"ClipInput: num_frames should be positive and size multiples of {stride}, "
                f"got {num_frames} frames of {height}x{width}"
            )
        self.num_frames, self.size = num_frames, (height, width)
        self.scale = (1 / (255 * np.asarray(std))).astype(np.float32)[:, None, None]
        self.shift = (np.asarray(mean) / np.asarray(std)).astype(np.float32)[:, None, None]
        self.interpolation = INTERPOLATIONS[interpolation]
        self.sampling: Mapping[str, int] = {"num_frames": num_frames}

    def __call__(self, sample: Sample) -> Arrays:
        """`frames` uint8 `[T, H, W, 3]` to `clip` float32 `[3, T, height, width]`.

        Raises:
            ValueError: another number of frames.
        """
        return {name: array[0] for name, array in self.unpack([self.pack(sample)]).items()}

    def resize(self, frames: Frames) -> Frames:
        """`[T, H, W, 3]` to `[T, height, width, 3]`, uint8; frames that have this size are not copied."""
        if frames.shape[1:3] == self.size:
            return frames
        width_first = self.size[::-1]
        return np.stack([cv2.resize(frame, width_first, interpolation=self.interpolation) for frame in frames])

    def pack(self, sample: Sample) -> Arrays:
        """`frames` uint8 `[T, H, W, 3]` to `clip` uint8 `[T, height, width, 3]`.

        Raises:
            ValueError: another number of frames.
        """
        frames = sample["frames"]
        if len(frames) != self.num_frames:
            raise ValueError(f"{sample['meta']['id']}: {len(frames)} frames, MODEL.input expects {self.num_frames}")
        return {"clip": self.resize(frames)}

    def unpack(self, packed: Sequence[Arrays], empty: Allocate = np.empty) -> Arrays:
        """`clip` uint8 `[T, height, width, 3]` of B samples to float32 `[B, 3, T, height, width]`."""
        time, height, width, _ = packed[0]["clip"].shape
        clips = empty((len(packed), 3, time, height, width), np.float32)
        planes, is_shifted = np.empty((3, height, width), np.uint8), self.shift.any()
        for arrays, clip in zip(packed, clips, strict=True):
            for number, frame in enumerate(arrays["clip"]):  # one by one, so that planes stay in the cache
                cv2.split(np.ascontiguousarray(frame), list(planes))
                np.multiply(planes, self.scale, out=clip[:, number], dtype=np.float32)
                if is_shifted:
                    clip[:, number] -= self.shift
        return {"clip": clips}

    def spec(self) -> dict[str, InputSpec]:
        """Shape and type of the clip."""
        return {"clip": InputSpec((3, self.num_frames, *self.size))}
