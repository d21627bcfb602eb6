"""Where a network runs, and the chance it runs with."""

from __future__ import annotations

import random
import re

import numpy as np
import paddle

from paddlevideo.utils.cpu import keep_freed_memory, use_all_cores


def use_device(name: str | None) -> str:
    """Select a device for all that follows.

    Args:
        name: `cpu`, `gpu` or `gpu:N`; None is the GPU if there is one. Of several processes each takes the GPU that its
            launcher gave it, unless there is a number.

    Returns:
        The device selected.

    Raises:
        ValueError: no such device here.
    """
    has_gpu = paddle.device.is_compiled_with_cuda() and paddle.device.cuda.device_count() > 0
    if name is None:
        name = "gpu" if has_gpu else "cpu"
    if not re.fullmatch(r"cpu|gpu(:\d+)?", name):
        raise ValueError(f"--device {name}: expected cpu, gpu or gpu:N")
    if name != "cpu" and not has_gpu:
        raise ValueError(
            f"--device {name}: this Paddle sees no GPU; use --device cpu, or install requirements-gpu.txt on a machine "
            "with one"
        )
    if name == "gpu":
        name = f"gpu:{paddle.distributed.ParallelEnv().device_id}"
    paddle.device.set_device(name)
    if name == "cpu":
        use_all_cores()
        keep_freed_memory()
    return name


def seed_everything(seed: int) -> None:
    """Seed Python, numpy and Paddle with a number from 0 to 2**32 - 1."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - Paddle's samplers and seeds of workers are drawn from this state
    paddle.seed(seed)
