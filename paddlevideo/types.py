"""The data contract: what travels between datasets, models, metrics and writers.

Boxes are `x1, y1, x2, y2` as fractions of the frame, labels start at 0, frames are RGB. `meta` holds only plain str,
int, float and lists, and always `id` (unique in its dataset) and, for pictures, `size` (height, width in pixels of the
frame that the boxes were annotated on).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

Frames: TypeAlias = npt.NDArray[np.uint8]  # [T, H, W, 3], RGB
IntArray: TypeAlias = npt.NDArray[np.int64]
FloatArray: TypeAlias = npt.NDArray[np.float32]
Arrays: TypeAlias = dict[str, npt.NDArray[Any]]
Tensors: TypeAlias = dict[str, Any]  # paddle.Tensor; paddle is not imported here
Meta: TypeAlias = dict[str, Any]
Sample: TypeAlias = dict[str, Any]  # frames (or features), targets, meta
Batch: TypeAlias = dict[str, Any]  # inputs, targets: Tensors; meta: list[Meta]
Prediction: TypeAlias = dict[str, Any]  # boxes [K, 4], labels [K], scores [K], ... as numpy arrays
Node: TypeAlias = Mapping[str, Any]  # a part of a config: `name` and its arguments


@dataclass(frozen=True)
class InputSpec:
    """Shape without the batch axis and dtype of one network input; `None` marks an axis of any length."""

    shape: tuple[int | None, ...]
    dtype: Literal["float32", "int64"] = "float32"


class FrameSource(Protocol):
    """Frames that can be read by number."""

    def __len__(self) -> int:
        """How many frames there are."""

    def read(self, indices: IntArray) -> Frames:
        """Frames `indices` (from 0, any order, repeats allowed) as uint8 `[T, H, W, 3]`, RGB."""
