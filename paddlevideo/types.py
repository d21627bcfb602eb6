"""The data contract: what travels between datasets, models, metrics and writers.

Boxes are `x1, y1, x2, y2` as fractions of the frame, labels start at 0, frames are RGB. `meta` holds only plain str,
int, float and lists, and always `id` (unique in its dataset) and, for pictures, `size` (height, width in pixels of the
frame that the boxes were annotated on). What a prediction holds depends on the kind of answer, see `tasks/answers/`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

Frames: TypeAlias = npt.NDArray[np.uint8]  # [T, H, W, 3], RGB
FrameChange: TypeAlias = Callable[[Frames], Frames]  # [T, H, W, 3] to the same of another height and width
IntArray: TypeAlias = npt.NDArray[np.int64]
FloatArray: TypeAlias = npt.NDArray[np.float32]
Arrays: TypeAlias = dict[str, npt.NDArray[Any]]
Tensors: TypeAlias = dict[str, Any]  # paddle.Tensor; paddle is not imported here
Meta: TypeAlias = dict[str, Any]
Sample: TypeAlias = dict[str, Any]  # frames (or features), targets, meta
Batch: TypeAlias = dict[str, Any]  # inputs, targets: Tensors; meta: list[Meta]
Prediction: TypeAlias = dict[str, Any]  # numpy arrays such as boxes [K, 4], labels [K], scores [K]
Node: TypeAlias = Mapping[str, Any]  # a part of a config: `name` and its arguments


class Allocate(Protocol):
    """Makes arrays whose values do not matter yet, like `np.empty`."""

    def __call__(self, shape: tuple[int, ...], dtype: type[np.float32], /) -> FloatArray:
        """A contiguous array."""


@dataclass(frozen=True)
class InputSpec:
    """Shape without the batch axis and dtype of one network input; `None` marks an axis of any length."""

    shape: tuple[int | None, ...]
    dtype: Literal["float32", "int64"] = "float32"


class InputTransform(Protocol):
    """Turns samples into network inputs; deterministic, and the only place that does.

    It does so in two steps, so that what waits for its batch, or goes from one process to another, is small.
    """

    causal: bool  # whether an answer needs nothing of what comes after that which it is about

    def __call__(self, sample: Sample) -> Arrays:
        """Inputs of one sample, without a batch axis: both steps."""

    def pack(self, sample: Sample) -> Arrays:
        """The first step: what the inputs of a sample follow from, in few bytes."""

    def unpack(self, packed: Sequence[Arrays], empty: Allocate = np.empty) -> Arrays:
        """The second step: packed arrays of samples to inputs with a batch axis; `empty` makes what is large."""

    def spec(self) -> dict[str, InputSpec]:
        """Shape and type of every input, without a batch axis."""


class FrameInput(InputTransform, Protocol):
    """An input transform of samples that have frames."""

    sampling: Mapping[str, int]  # what a sampler has to deliver, such as num_frames
    size: tuple[int, int]  # height and width in pixels that pictures are resized to

    def resize(self, frames: Frames) -> Frames:
        """Frames `[T, H, W, 3]` at the size that the network takes; the frames themselves if they have it."""
