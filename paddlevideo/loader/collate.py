"""Samples to a batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from paddlevideo.types import Batch, Sample
from paddlevideo.utils.arrays import stacked


def collate(samples: list[Sample]) -> Batch:
    """Stack inputs, pad targets along their first axis, list meta.

    Padding is 0 for floats and -1 for integers: a row whose label is -1 does not exist. At least one row is kept, so
    that no tensor is empty.
    """
    batch: Batch = {"meta": [sample["meta"] for sample in samples]}
    if "inputs" in samples[0]:
        batch["inputs"] = stacked([sample["inputs"] for sample in samples])
    if "targets" in samples[0]:
        batch["targets"] = {key: _pad([s["targets"][key] for s in samples]) for key in samples[0]["targets"]}
    return batch


def _pad(arrays: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    if arrays[0].ndim == 0:
        return np.stack(arrays)
    fill = -1 if np.issubdtype(arrays[0].dtype, np.integer) else 0
    rows = max(1, max(len(array) for array in arrays))
    padded = np.full((len(arrays), rows, *arrays[0].shape[1:]), fill, arrays[0].dtype)
    for row, array in zip(padded, arrays, strict=True):
        row[: len(array)] = array
    return padded
