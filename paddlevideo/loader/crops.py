"""Sizes and crops of whole clips, as classifiers of clips train and test; the same for all frames of a clip."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from paddlevideo.registry import TRANSFORMS
from paddlevideo.types import Frames, IntArray, Sample

WEIGHT_BITS = 22  # of a pixel's weight after the point; with 8 of the pixel they fit into 32
LARGEST_SIDE = 8192  # pixels of what frames are made to
SNAP = 2  # pixels by which a side may miss that of the output and still be taken for it


@TRANSFORMS.register
class ScaleShortSide:
    """Make the shorter side so long, and the other one 4/3 of it, unless the shorter side fits already.

    The aspect ratio of 4:3 is that of the published recipes; pixels are averaged over what they cover, as Pillow does.

    Args:
        size: of the shorter side in pixels.
        keep_aspect: whether the frame's own aspect ratio stays.

    Raises:
        ValueError: a size that is none.
    """

    resized = False

    def __init__(self, size: int = 256, keep_aspect: bool = False) -> None:
        if not 1 <= size <= LARGEST_SIDE:
            raise ValueError(f"ScaleShortSide: size should be positive, up to {LARGEST_SIDE}, got {size}")
        self.size, self.keep_aspect = size, keep_aspect

    def target(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of what becomes of a frame."""
        short = min(height, width)
        if short == self.size:
            return height, width
        long = self.size * (max(height, width) / short if self.keep_aspect else 4 / 3)
        return (int(long), self.size) if height > width else (self.size, int(long))

    def __call__(self, sample: Sample, rng: np.random.Generator | None) -> Sample:
        """Resize `frames [T, H, W, 3]`."""
        frames = sample["frames"]
        return {**sample, "frames": resize_smooth(frames, *self.target(*frames.shape[1:3]))}


def resize_smooth(frames: Frames, height: int, width: int) -> Frames:
    """Resize `[T, H, W, 3]`, uint8, with a triangle as wide as what a pixel covers: Pillow's bilinear filter.

    Along rows first, and in whole numbers: sums of floats change with the machine and its threads, and halves are then
    rounded otherwise.
    """
    for axis, size in ((2, width), (1, height)):
        if frames.shape[axis] != size:
            first, weights = _triangles(frames.shape[axis], size)
            shape = [-1 if number == axis else 1 for number in range(4)]
            total = np.full((), 1 << (WEIGHT_BITS - 1), np.int32)  # a half, for rounding
            for offset, weight in enumerate(weights.T):
                pixels = frames.take(first + offset, axis, mode="clip")
                total = total + pixels * weight.reshape(shape)
            frames = (total >> WEIGHT_BITS).astype(np.uint8)
    return frames


def _triangles(length: int, size: int) -> tuple[IntArray, npt.NDArray[np.int32]]:
    """First of the old pixels in each new one `[size]`, and weights of K from there `[size, K]`, whole numbers."""
    scale = length / size
    reach = max(scale, 1.0)
    centres = (np.arange(size) + 0.5) * scale
    first = (centres - reach + 0.5).astype(np.int64).clip(min=0)
    last = (centres + reach + 0.5).astype(np.int64).clip(max=length)
    number = first[:, None] + np.arange((last - first).max())
    weights = (1 - np.abs((number - centres[:, None] + 0.5) * (1 / reach))).clip(min=0) * (number < last[:, None])
    weights /= weights.sum(1, keepdims=True)
    return first, (weights * (1 << WEIGHT_BITS) + 0.5).astype(np.int32)


class _Crop:
    """A part of `size` pixels in height and width.

    Args:
        size: in pixels, as large as the network's input, so that nothing is resized after it.

    Raises:
        ValueError: a size that is none.
    """

    resized = False

    def __init__(self, size: int) -> None:
        if not 1 <= size <= LARGEST_SIDE:
            raise ValueError(f"{type(self).__name__}: size should be positive, up to {LARGEST_SIDE}, got {size}")
        self.size = size

    def cut(self, sample: Sample, top: int, left: int) -> Sample:
        """The part of `frames [T, H, W, 3]` that begins there."""
        part = sample["frames"][:, top : top + self.size, left : left + self.size]
        return {**sample, "frames": np.ascontiguousarray(part)}

    def slack(self, sample: Sample) -> tuple[int, int]:
        """Pixels of height and width that are left over.

        Raises:
            ValueError: the frames are smaller than the part.
        """
        height, width = sample["frames"].shape[1:3]
        if min(height, width) < self.size:
            raise ValueError(
                f"{sample['meta']['id']}: frames of {width}x{height} have no part of {self.size}x{self.size}; put "
                "ScaleShortSide before the crop"
            )
        return height - self.size, width - self.size


@TRANSFORMS.register
class CenterCrop(_Crop):
    """The middle of a clip."""

    def __call__(self, sample: Sample, rng: np.random.Generator | None) -> Sample:
        """Crop `frames [T, H, W, 3]`."""
        down, right = self.slack(sample)
        return self.cut(sample, round(down / 2), round(right / 2))


@TRANSFORMS.register
class RandomCrop(_Crop):
    """Any part of a clip in training, its middle otherwise."""

    def __call__(self, sample: Sample, rng: np.random.Generator | None) -> Sample:
        """Crop `frames [T, H, W, 3]`."""
        down, right = self.slack(sample)
        top, left = (down // 2, right // 2) if rng is None else rng.integers(0, [down, right], endpoint=True).tolist()
        return self.cut(sample, top, left)


@TRANSFORMS.register
class ViewCrop(_Crop):
    """The part that belongs to the view of a test sample: the middle, then other places; see `views` of the dataset.

    Args:
        size: see `CenterCrop`.
        places: 3, the middle and both ends of the longer side, or 10, the middle and the corners, and all of them
            mirrored.

    Raises:
        ValueError: another number of places.
    """

    def __init__(self, size: int, places: int = 10) -> None:
        super().__init__(size)
        if places not in (3, 10):
            raise ValueError(f"ViewCrop: places should be 3 or 10, got {places}")
        self.places = places

    def __call__(self, sample: Sample, rng: np.random.Generator | None) -> Sample:
        """Crop `frames [T, H, W, 3]` of view `meta.view`; a sample without views is seen in the middle."""
        down, right = self.slack(sample)
        view = sample["meta"].get("view", 0) % self.places
        middle = (round(down / 2), round(right / 2))
        if self.places == 3:
            ends = ((0, middle[1]), (down, middle[1])) if down > right else ((middle[0], 0), (middle[0], right))
            return self.cut(sample, *(middle, *ends)[view])
        corners = ((0, 0), (0, right), (down, 0), (down, right))
        part = self.cut(sample, *(middle, *corners)[view % 5])
        return part if view < 5 else {**part, "frames": np.ascontiguousarray(part["frames"][:, :, ::-1])}


@TRANSFORMS.register
class MultiScaleCrop:
    """In training, a part of one of several sizes at one of several places, resized to a square (TSN, sec. 3.2).

    Sides are shares of the shorter side; height and width may differ by one share. Places are the corners, the middles
    of the edges, the middle, and those half way between the corners and the middle.

    Args:
        size: side of the square in pixels.
        shares: of the shorter side, falling.

    Raises:
        ValueError: a size or share that is none.
    """

    resized = False

    def __init__(self, size: int, shares: Sequence[float] = (1.0, 0.875, 0.75, 0.66)) -> None:
        if not 1 <= size <= LARGEST_SIDE or not shares or not all(0 < share <= 1 for share in shares):
            raise ValueError(
                f"MultiScaleCrop: expected a positive size up to {LARGEST_SIDE} and shares in 0..1 without 0, got "
                f"{size} and {list(shares)}"
            )
        self.size, self.shares = size, list(shares)

    def __call__(self, sample: Sample, rng: np.random.Generator | None) -> Sample:
        """Crop and resize `frames [T, H, W, 3]`."""
        if rng is None:
            return sample
        frames = sample["frames"]
        options = crop_options(min(frames.shape[1:3]), self.size, self.shares)
        height, width = options[rng.integers(len(options))]
        places = crop_places(frames.shape[1] - height, frames.shape[2] - width)
        top, left = places[rng.integers(len(places))]
        part = frames[:, top : top + height, left : left + width]
        sides = (self.size, self.size)
        resized = [cv2.resize(frame, sides, interpolation=cv2.INTER_LINEAR) for frame in np.ascontiguousarray(part)]
        return {**sample, "frames": np.stack(resized)}


def crop_options(short: int, size: int, shares: Sequence[float]) -> list[tuple[int, int]]:
    """Heights and widths that a `MultiScaleCrop` may cut from a frame whose shorter side is so long."""
    sides = [int(short * share) for share in shares]
    sides = [size if abs(side - size) <= SNAP else side for side in sides]
    return [(a, b) for i, a in enumerate(sides) for j, b in enumerate(sides) if abs(i - j) <= 1]


def crop_places(down: int, right: int) -> list[tuple[int, int]]:
    """Top and left of the 13 places of a `MultiScaleCrop`, fewer where they coincide, for so many spare pixels."""
    quarters = [(0, 0), (0, 4), (4, 0), (4, 4), (2, 2), (0, 2), (2, 0), (2, 4), (4, 2), (1, 1), (1, 3), (3, 1), (3, 3)]
    return list(dict.fromkeys((int(down * y / 4), int(right * x / 4)) for y, x in quarters))
