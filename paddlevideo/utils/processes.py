"""The processes that work on one run together, as `python -m paddle.distributed.launch` starts them.

Everything here is called by all of them at the same point of their work; alone, it costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from paddle import Tensor, distributed, nn

T = TypeVar("T")


def count() -> int:
    """How many there are, on all machines."""
    return distributed.get_world_size()


def rank() -> int:
    """The number of this one, from 0."""
    return distributed.get_rank()


def is_first() -> bool:
    """Whether this is the one that writes."""
    return rank() == 0


def join() -> None:
    """Meet the others, if there are any; the device has been chosen before."""
    if count() > 1:
        distributed.init_parallel_env()


def gather(value: T) -> list[T]:
    """What each process has, by rank; values that pickle can write."""
    if count() == 1:
        return [value]
    values: list[T] = []
    distributed.all_gather_object(values, value)
    return values


def wait() -> None:
    """Go on when all have come here."""
    if count() > 1:
        distributed.barrier()


def means(numbers: dict[str, float]) -> dict[str, float]:
    """The means of numbers that every process has under the same names."""
    every = gather(numbers)
    return {name: sum(one[name] for one in every) / len(every) for name in numbers}


def copy_from_first(network: nn.Layer) -> None:
    """Begin with the weights and statistics of the first process."""
    if count() > 1:
        distributed.parallel.sync_params_buffers(network)


def average_gradients(parameters: Sequence[Tensor]) -> None:
    """Replace the gradients by their means over the processes, of which there are several."""
    from paddle.distributed.fleet.utils.hybrid_parallel_util import fused_allreduce_gradients

    fused_allreduce_gradients(parameters, None)
