"""Training augmentation: one draw a clip, the same for all its frames; boxes go along."""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np

from paddlevideo.registry import TRANSFORMS
from paddlevideo.types import FloatArray, Frames, Sample

MIN_BOX_SIDE = 0.001  # share of the frame; what is narrower after cropping is dropped


class Transform(Protocol):
    """A change of frames and targets."""

    resized: bool  # whether it takes frames of the network's size, or as they were read

    def __call__(self, sample: Sample, rng: np.random.Generator | None) -> Sample:
        """A new sample; `rng` is None where nothing may be random."""


@TRANSFORMS.register
class JitterCrop:
    """Move each side of the frame in or out by up to a share of the size; black outside (as YOLOv2 and YOWO train).

    Args:
        jitter: largest move as a share of width and height.
    """

    resized = False

    def __init__(self, jitter: float = 0.2) -> None:
        if not 0 <= jitter < 0.5:
            raise ValueError(f"JitterCrop: jitter should be at least 0 and below 0.5, got {jitter}")
        self.jitter = jitter

    def __call__(self, sample: Sample, rng: np.random.Generator | None) -> Sample:
        """Crop `frames [T, H, W, 3]` and `boxes [N, 4]`; boxes left with no area are dropped."""
        if rng is None:
            return sample
        frames = sample["frames"]
        height, width = frames.shape[1:3]
        dx, dy = int(self.jitter * width), int(self.jitter * height)
        left, right = rng.integers(-dx, dx, size=2, endpoint=True)
        top, bottom = rng.integers(-dy, dy, size=2, endpoint=True)
        window = np.array([left, top, width - right, height - bottom])
        shift = window / [width, height, width, height]
        return {**sample, "frames": _cut(frames, window), "targets": _crop_targets(sample["targets"], shift)}


def _cut(frames: np.ndarray, window: np.ndarray, fill: int = 0) -> np.ndarray:
    """The part `window` (x1, y1, x2, y2, may lie outside) of `frames [T, H, W, 3]`; `fill` where there is nothing."""
    height, width = frames.shape[1:3]
    x1, y1, x2, y2 = window
    cut = np.full((len(frames), y2 - y1, x2 - x1, 3), fill, np.uint8)
    inside = frames[:, max(y1, 0) : min(y2, height), max(x1, 0) : min(x2, width)]
    top, left = max(-y1, 0), max(-x1, 0)
    cut[:, top : top + inside.shape[1], left : left + inside.shape[2]] = inside
    return cut


def _crop_targets(targets: dict[str, np.ndarray], window: FloatArray) -> dict[str, np.ndarray]:
    """Targets as seen in `window`, all in fractions of the frame."""
    low, size = np.tile(window[:2], 2), np.tile(window[2:] - window[:2], 2)
    boxes = ((targets["boxes"] - low) / size).clip(0, 1)
    keep = ((boxes[:, 2:] - boxes[:, :2]) >= MIN_BOX_SIDE).all(1)
    return {key: value[keep] for key, value in {**targets, "boxes": boxes.astype(np.float32)}.items()}


@TRANSFORMS.register
class OneSidedJitter:
    """Cut the longer side, pad the shorter one, and move all boxes a little (as YOWO trains on AVA).

    Args:
        jitter: largest cut and pad as a share of width and height.
        box_jitter: largest move of each side of the boxes, in pixels, the same for all boxes of a clip.
        fill: value of the padding, 0..255.
    """

    resized = False

    def __init__(self, jitter: float = 0.1, box_jitter: int = 10, fill: int = 115) -> None:
        if not 0 <= jitter < 0.5 or box_jitter < 0 or not 0 <= fill <= 255:
            raise ValueError(
                "OneSidedJitter: expected jitter at least 0 and below 0.5, box_jitter at least 0 and fill in 0..255, "
                f"got {jitter}, {box_jitter}, {fill}"
            )
        self.jitter, self.box_jitter, self.fill = jitter, box_jitter, fill

    def __call__(self, sample: Sample, rng: np.random.Generator | None) -> Sample:
        """Change `frames [T, H, W, 3]` and `boxes [N, 4]`; boxes left with no area are dropped."""
        if rng is None:
            return sample
        frames = sample["frames"]
        height, width = frames.shape[1:3]
        size = np.array([width, height])
        most = (self.jitter * size).astype(int)
        amount = rng.integers(0, np.maximum(most, 1), (2, 2))  # of x and y, at the low and the high end
        cuts = np.array([width >= height, width < height])
        low, high = np.where(cuts, amount, -np.minimum(amount + 1, most))
        window = np.concatenate([low, size - high])
        targets = _crop_targets(sample["targets"], window / np.tile(size, 2))
        move = rng.integers(-self.box_jitter, max(self.box_jitter, 1), 4) / np.tile(window[2:] - window[:2], 2)
        targets = _crop_targets({**targets, "boxes": targets["boxes"] + move}, np.array([0.0, 0.0, 1.0, 1.0]))
        return {**sample, "frames": _cut(frames, window, self.fill), "targets": targets}


@TRANSFORMS.register
class HorizontalFlip:
    """Mirror left and right.

    Args:
        probability: of doing so.
    """

    resized = True

    def __init__(self, probability: float = 0.5) -> None:
        if not 0 <= probability <= 1:
            raise ValueError(f"HorizontalFlip: probability should be in 0..1, got {probability}")
        self.probability = probability

    def __call__(self, sample: Sample, rng: np.random.Generator | None) -> Sample:
        """Mirror `frames [T, H, W, 3]` and, where there are any, `boxes [N, 4]`."""
        if rng is None or rng.random() >= self.probability:
            return sample
        targets = dict(sample["targets"])
        if "boxes" in targets:
            x1, y1, x2, y2 = targets["boxes"].T
            targets["boxes"] = np.stack([1 - x2, y1, 1 - x1, y2], axis=1)
        frames = sample["frames"]
        mirrored = cv2.flip(_tall(frames), 1).reshape(frames.shape)
        return {**sample, "frames": mirrored, "targets": targets}


@TRANSFORMS.register
class ColorDistort:
    """Shift the hue, scale saturation and value (as YOLOv2 and YOWO train).

    Args:
        hue: largest shift as a share of the colour circle.
        saturation: largest factor; its inverse is as likely.
        value: the same for brightness.
    """

    resized = True

    def __init__(self, hue: float = 0.1, saturation: float = 1.5, value: float = 1.5) -> None:
        if saturation < 1 or value < 1 or not 0 <= hue <= 1:
            raise ValueError(
                f"ColorDistort: factors should be at least 1 and hue in 0..1, got {saturation}, {value} and {hue}"
            )
        self.hue, self.saturation, self.value = hue, saturation, value

    def __call__(self, sample: Sample, rng: np.random.Generator | None) -> Sample:
        """Recolour `frames [T, H, W, 3]`."""
        if rng is None:
            return sample
        frames = sample["frames"]
        shift = rng.uniform(-self.hue, self.hue)
        saturation, value = (_factor(limit, rng) for limit in (self.saturation, self.value))
        levels = np.arange(256)
        tables = [(levels + 255 * shift) % 255, levels * saturation, levels * value]
        table = np.stack(tables, axis=-1).round().clip(0, 255).astype(np.uint8)[None]  # [1, 256, 3]
        hsv = cv2.LUT(cv2.cvtColor(_tall(frames), cv2.COLOR_RGB2HSV_FULL), table)
        return {**sample, "frames": cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL).reshape(frames.shape)}


def _tall(frames: Frames) -> Frames:
    """All frames `[T, H, W, 3]` below each other, as one picture `[T * H, W, 3]`."""
    return np.ascontiguousarray(frames).reshape(-1, frames.shape[2], 3)


def _factor(limit: float, rng: np.random.Generator) -> float:
    factor = rng.uniform(1, limit)
    return float(factor if rng.random() < 0.5 else 1 / factor)
