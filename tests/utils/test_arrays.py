"""Arrays made of arrays, and in memory that was used before."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from paddle.utils.dlpack import from_dlpack

from paddlevideo.utils.arrays import RecycledMemory, stacked

SHAPE = (4, 100_000)  # more than the allocators keep for themselves


def test_memory_is_used_again_once_its_array_is_gone() -> None:
    memory = RecycledMemory()
    first = memory.empty(SHAPE, np.float32)
    place = first.ctypes.data
    second = memory.empty(SHAPE, np.float32)
    assert second.ctypes.data != place and not np.shares_memory(first, second)
    del first
    assert memory.empty(SHAPE, np.float32).ctypes.data == place


@pytest.mark.parametrize(
    "derive",
    [
        lambda array: array[1:],
        lambda array: array[1:][:, 2:],
        lambda array: array.reshape(-1),
        lambda array: memoryview(array),
        lambda array: from_dlpack(array),
        lambda array: from_dlpack(array)[1],
        lambda array: from_dlpack(array).reshape([-1]).detach(),
    ],
)
def test_memory_is_left_alone_while_anything_made_of_its_array_lives(derive: Callable[[Any], Any]) -> None:
    memory = RecycledMemory()
    array = memory.empty(SHAPE, np.float32)
    place, held = array.ctypes.data, derive(array)
    del array
    other = memory.empty(SHAPE, np.float32)
    assert other.ctypes.data != place
    del held
    assert memory.empty(SHAPE, np.float32).ctypes.data == place


def test_memory_of_another_shape_is_new_and_the_old_one_given_back() -> None:
    memory = RecycledMemory()
    array = memory.empty(SHAPE, np.float32)
    del array
    assert memory.empty((3, 5), np.float32).shape == (3, 5)
    assert all(block.shape != SHAPE for block in memory._free)


def test_no_two_threads_get_the_same_memory() -> None:
    memory = RecycledMemory()

    def fill(number: int) -> bool:
        kept = True
        for _ in range(2000):
            array = memory.empty((64,), np.float32)
            array.fill(number)
            time.sleep(0)  # lets the other threads go on
            kept &= bool((array == number).all())
        return kept

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(fill, range(4)))
    finally:
        sys.setswitchinterval(before)


def test_stacked_keeps_every_name() -> None:
    rows = [{"clip": np.full(3, number), "bank": np.ones((2, 2))} for number in range(4)]
    arrays = stacked(rows)
    assert arrays["clip"].tolist() == [[number] * 3 for number in range(4)]
    assert arrays["bank"].shape == (4, 2, 2)
