"""Weight files of Darknet: a header, then the numbers of every convolution in a row, without names or shapes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from paddlevideo.types import Arrays

HEADERS = (16, 20)  # bytes: three int32 of version, then the number of pictures seen as int32, later as int64
NORM = ("bn.bias", "bn.weight", "bn._mean", "bn._variance")  # in the order of the file
# Every convolution of the detector in order: our name, channels in, channels out, kernel.
DETECTOR = (
    ("stage1.0", 3, 32, 3),
    ("stage2.0", 32, 64, 3),
    ("stage3.0", 64, 128, 3),
    ("stage3.1", 128, 64, 1),
    ("stage3.2", 64, 128, 3),
    ("stage4.0", 128, 256, 3),
    ("stage4.1", 256, 128, 1),
    ("stage4.2", 128, 256, 3),
    ("stage5.0", 256, 512, 3),
    ("stage5.1", 512, 256, 1),
    ("stage5.2", 256, 512, 3),
    ("stage5.3", 512, 256, 1),
    ("stage5.4", 256, 512, 3),
    ("stage6.0", 512, 1024, 3),
    ("stage6.1", 1024, 512, 1),
    ("stage6.2", 512, 1024, 3),
    ("stage6.3", 1024, 512, 1),
    ("stage6.4", 512, 1024, 3),
    ("stage6.5", 1024, 1024, 3),
    ("stage6.6", 1024, 1024, 3),
    ("passthrough", 512, 64, 1),
    ("fuse", 1280, 1024, 3),
)
SHARED_LAYERS = 18  # so many of them are also those of the picture classifier
PREDICT = {"predict.bias": (425,), "predict.weight": (425, 1024, 1, 1)}
CLASSIFY = {"classifier.bias": (1000,), "classifier.weight": (1000, 1024, 1, 1)}

Shapes = dict[str, tuple[int, ...]]


def _with_norm(name: str, in_channels: int, out_channels: int, kernel: int) -> Shapes:
    shapes: Shapes = {f"{name}.{part}": (out_channels,) for part in NORM}
    return {**shapes, f"{name}.conv.weight": (out_channels, in_channels, kernel, kernel)}


def _layout(count: int, last: Shapes) -> Shapes:
    return {key: shape for layer in DETECTOR[:count] for key, shape in _with_norm(*layer).items()} | last


LAYOUTS: tuple[Shapes, ...] = (
    _layout(len(DETECTOR), PREDICT),
    _layout(SHARED_LAYERS, CLASSIFY),
    _layout(SHARED_LAYERS, {}),  # the classifier cut off, as detectors are trained from it
)


def numbers_of(shapes: Shapes) -> int:
    """How many numbers a file with these tensors holds."""
    return int(sum(np.prod(shape) for shape in shapes.values()))


def darknet_layout(path: Path) -> tuple[Shapes, int] | None:
    """Which of `LAYOUTS` a file has, and the length of its header; None if its length fits none of them."""
    size = path.stat().st_size
    fits = ((layout, header) for layout in LAYOUTS for header in HEADERS if size == header + 4 * numbers_of(layout))
    return next(fits, None)


def load_darknet_file(path: Path, layout: Shapes, header: int) -> Arrays:
    """The tensors of a file, by the names of the 2-D branch.

    Args:
        path: of the file.
        layout: one of `LAYOUTS`.
        header: its length in bytes.
    """
    numbers: npt.NDArray[np.float32] = np.fromfile(path, "<f4", offset=header)
    tensors: Arrays = {}
    for name, shape in layout.items():
        count = int(np.prod(shape))
        tensors[name], numbers = numbers[:count].reshape(shape), numbers[count:]
    return tensors
