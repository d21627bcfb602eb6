"""The features of a video's snippets to a sequence of fixed length."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paddlevideo.registry import INPUTS
from paddlevideo.types import Allocate, Arrays, FloatArray, InputSpec, Sample
from paddlevideo.utils.arrays import stacked

POINTS = 3  # that are averaged for one snippet of another number of them


@INPUTS.register
class FeatureInput:
    """Rescale in time, channels first.

    Args:
        channels: width of a feature.
        num_snippets: T, features of a video afterwards.
    """

    causal = True  # all that there is comes at once

    def __init__(self, channels: int, num_snippets: int) -> None:
        if channels < 1 or num_snippets < 1:
            raise ValueError(
                f"FeatureInput: channels and num_snippets should be positive, got {channels}, {num_snippets}"
            )
        self.channels, self.num_snippets = channels, num_snippets

    def __call__(self, sample: Sample) -> Arrays:
        """`features [L, channels]` to `features` float32 `[channels, T]`.

        Raises:
            ValueError: features of another width.
        """
        return self.pack(sample)

    def pack(self, sample: Sample) -> Arrays:
        """`features [L, channels]` to `features` float32 `[channels, T]`, all that there is to do.

        Raises:
            ValueError: features of another width.
        """
        features = sample["features"]
        if features.shape[1] != self.channels:
            raise ValueError(
                f"{sample['meta']['id']}: its features have {features.shape[1]} numbers each, MODEL.input.channels is "
                f"{self.channels}; extract them with the network of the training data, or set channels and train anew"
            )
        return {"features": np.ascontiguousarray(rescale(features, self.num_snippets).T, np.float32)}

    def unpack(self, packed: Sequence[Arrays], empty: Allocate = np.empty) -> Arrays:
        """The same arrays along a batch axis."""
        return stacked(packed)

    def spec(self) -> dict[str, InputSpec]:
        """Shape and type of the features."""
        return {"features": InputSpec((self.channels, self.num_snippets))}


def rescale(features: FloatArray, count: int) -> FloatArray:
    """Another number of features for the same time, `[L, D]` to `[count, D]` (BSN, sec. 4.1).

    Each is the mean of `POINTS` values between the edges of its part of the video, interpolated between the middles of
    the given snippets.
    """
    length = len(features)
    if length == count:
        return features
    places = (np.arange(count)[:, None] + np.linspace(0, 1, POINTS)) * length / count - 0.5  # [count, POINTS]
    low = places.clip(0, length - 1).astype(np.int64)
    share = (places.clip(0, length - 1) - low)[..., None].astype(np.float32)
    return (features[low] * (1 - share) + features[np.minimum(low + 1, length - 1)] * share).mean(1)
