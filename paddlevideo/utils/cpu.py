"""Faster networks on a CPU: all cores, and convolutions by oneDNN.

Paddle's eager mode computes convolutions by copying patches and multiplying matrices; oneDNN, several times faster, is
used in static graphs only. So each convolution becomes a small static graph of its own, which keeps parameters, their
names, gradients and exports as they are. Whole networks in one graph are slower or crash (Paddle 3.3).
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import paddle
from paddle import Tensor, nn

from paddlevideo import REQUESTED_THREADS

# Numbers of glibc's malloc.h: M_MMAP_MAX, M_TRIM_THRESHOLD, M_TOP_PAD, M_ARENA_MAX.
MALLOC_OPTIONS = {-4: 0, -1: 2**31 - 1, -2: 256 << 20, -8: 1}


def use_all_cores() -> None:
    """Compute with all cores that this process may run on, unless `OMP_NUM_THREADS` was set; else Paddle takes one.

    Processes that were launched together share the cores. Their launcher has imported Paddle, which set the variable to
    1, so that this value means nothing there.
    """
    neighbours = int(os.environ.get("PADDLE_LOCAL_SIZE", "1"))
    if REQUESTED_THREADS is None or (neighbours > 1 and REQUESTED_THREADS == "1"):
        use_threads(max(1, available_cores() // neighbours))


def available_cores() -> int:
    """How many cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def use_threads(count: int) -> None:
    """Compute with so many threads.

    Paddle reads `OMP_NUM_THREADS` when it is imported, and prints a warning if it is not 1, so the running OpenMP
    library is told instead.
    """
    paddle.base.core.set_num_threads(count)  # matrix products
    library = Path(paddle.__file__).parent / "libs" / "libiomp5.so"
    if library.exists():
        ctypes.CDLL(str(library)).omp_set_num_threads(count)  # oneDNN


def keep_freed_memory() -> None:
    """Let glibc keep freed memory for the next tensors instead of handing it back to the system, page by page.

    A process then stays at its largest size. Without it up to half of a training step is spent by the kernel.
    """
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt"):
        return
    for option, value in MALLOC_OPTIONS.items():
        library.mallopt(option, value)


class _OneDNNConv2D(nn.Conv2D):
    def forward(self, x: Tensor) -> Tensor:
        return paddle.assign(super().forward(x))  # without a copy the graph's output would be erased with its operator


class _OneDNNConv3D(nn.Conv3D):
    def forward(self, x: Tensor) -> Tensor:
        return paddle.assign(super().forward(x))


def use_onednn(network: nn.Layer) -> None:
    """Let oneDNN compute all convolutions of a network; on other devices than a CPU nothing changes."""
    if paddle.device.get_device() != "cpu":
        return
    paddle.set_flags({"FLAGS_use_onednn": True})
    for kind, replacement in ((nn.Conv2D, _OneDNNConv2D), (nn.Conv3D, _OneDNNConv3D)):
        for layer in network.sublayers():
            if type(layer) is kind:
                layer.__class__ = replacement
                shape = [None, layer._in_channels, *[None] * len(layer._kernel_size)]
                spec = paddle.static.InputSpec(shape, stop_gradient=False)
                paddle.jit.to_static(layer, full_graph=True, input_spec=[spec])
