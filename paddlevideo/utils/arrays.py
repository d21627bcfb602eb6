"""Arrays made of arrays, and in memory that was used before."""

from __future__ import annotations

import weakref
from collections.abc import Sequence

import numpy as np

from paddlevideo.types import Arrays, FloatArray


class RecycledMemory:
    """Makes arrays like `np.empty`, of memory that nobody refers to any more if there is some of the same shape.

    Any thread may ask. New memory comes from the system page by page, each cleared first, which takes as long as
    filling it.
    """

    def __init__(self) -> None:
        self._free: list[_Memory] = []

    def empty(self, shape: tuple[int, ...], dtype: type[np.float32], /) -> FloatArray:
        """An array whose memory is used again once it, all its views and all tensors made of them are gone."""
        memory = self._take(shape, dtype)
        array = memory.view(np.ndarray)
        weakref.finalize(array, self._free.append, memory).atexit = False
        return array

    def _take(self, shape: tuple[int, ...], dtype: type[np.float32]) -> _Memory:
        while True:
            try:
                memory = self._free.pop()  # in one step, so that no two threads get the same
            except IndexError:
                return _Memory(shape, dtype)
            if (memory.shape, memory.dtype) == (shape, dtype):
                return memory


class _Memory(np.ndarray):
    """Of a type of its own, so that views of a view of it refer to that view and not to this array."""


def stacked(rows: Sequence[Arrays]) -> Arrays:
    """Arrays of several samples by name, along a new first axis."""
    return {key: np.stack([row[key] for row in rows]) for key in rows[0]}
