"""A clip and what the rest of its video looks like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from paddlevideo.modeling.inputs.clip_input import ClipInput
from paddlevideo.registry import INPUTS
from paddlevideo.types import Allocate, Arrays, InputSpec, Sample
from paddlevideo.utils.arrays import stacked


@INPUTS.register
class ClipWithContext(ClipInput):
    """`ClipInput`, and the features of the same video's bank that are nearest to the key frame, before and after it.

    Args:
        num_frames: see `ClipInput`.
        size: see `ClipInput`.
        window: how many features.
        bank_channels: width of a feature; the model says so.
        stride: see `ClipInput`.
        mean: see `ClipInput`.
        std: see `ClipInput`.
        interpolation: see `ClipInput`.
    """

    causal = False

    def __init__(
        self,
        num_frames: int,
        size: int | Sequence[int],
        window: int,
        bank_channels: int,
        stride: int = 1,
        mean: Sequence[float] = (0.0, 0.0, 0.0),
        std: Sequence[float] = (1.0, 1.0, 1.0),
        interpolation: Literal["nearest", "linear", "cubic", "area"] = "cubic",
    ) -> None:
        super().__init__(num_frames, size, stride, mean, std, interpolation)
        if window < 1:
            raise ValueError(f"ClipWithContext: window should be at least 1, got {window}")
        self.window, self.bank_channels = window, bank_channels

    def pack(self, sample: Sample) -> Arrays:
        """As `ClipInput`, with `bank` float32 `[window, bank_channels]` in time order and `present [window]`, 1 or 0.

        Args:
            sample: with `bank`, a mapping of `offsets [L]`, frames from the key frame, and `features [L, D]`.

        Raises:
            ValueError: there is no bank, or its features are of another width.
        """
        if "bank" not in sample:
            raise ValueError(
                f"{sample['meta']['id']}: no feature bank; set DATASET.*.bank to the folder that "
                "tools/extract_features.py wrote"
            )
        features, offsets = sample["bank"]["features"], sample["bank"]["offsets"]
        if features.shape[1] != self.bank_channels:
            raise ValueError(
                f"{sample['meta']['id']}: the bank's features have {features.shape[1]} values, the 3-D branch of the "
                f"model gives {self.bank_channels}; extract the features with this model's 3-D branch"
            )
        nearest = np.sort(np.argsort(np.abs(offsets), kind="stable")[: self.window])
        bank = np.zeros((self.window, self.bank_channels), np.float32)
        bank[: len(nearest)] = features[nearest]
        present = (np.arange(self.window) < len(nearest)).astype(np.float32)
        return {**super().pack(sample), "bank": bank, "present": present}

    def unpack(self, packed: Sequence[Arrays], empty: Allocate = np.empty) -> Arrays:
        """As `ClipInput`, with the banks along a batch axis."""
        banks = stacked([{"bank": arrays["bank"], "present": arrays["present"]} for arrays in packed])
        return {**super().unpack(packed, empty), **banks}

    def spec(self) -> dict[str, InputSpec]:
        """Shape and type of the clip, the bank, and which of its rows there are."""
        bank = {"bank": InputSpec((self.window, self.bank_channels)), "present": InputSpec((self.window,))}
        return {**super().spec(), **bank}
