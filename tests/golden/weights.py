"""Deterministic weights and clips of the reference folder, and our names in the reference's spelling."""

from __future__ import annotations

import json
import math
import re
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
from paddle import nn

from tests.conftest import golden_path

FACTORS = (  # patterns of official names, and what the whole tensor is multiplied by
    (r"backbone_3d\.layer[1-4]\.\d+\.bn3\.weight", 0.2),
    (r"backbone_3d\.features\.\d+\.conv\.7\.weight", 0.5),
    (r"cfam\.conv_bn_relu2\.1\.(weight|bias)", 0.3),
    (r"conv_final\.weight", 0.5),
)
DARKNET = (  # our units of the 2-D branch in order: name, position in the official list of layers
    ("stage1.0", 0), ("stage2.0", 2), ("stage3.0", 4), ("stage3.1", 5), ("stage3.2", 6),
    ("stage4.0", 8), ("stage4.1", 9), ("stage4.2", 10),
    ("stage5.0", 12), ("stage5.1", 13), ("stage5.2", 14), ("stage5.3", 15), ("stage5.4", 16),
    ("stage6.0", 18), ("stage6.1", 19), ("stage6.2", 20), ("stage6.3", 21), ("stage6.4", 22), ("stage6.5", 23),
    ("stage6.6", 24), ("passthrough", 26), ("fuse", 29),
)  # fmt: skip


def official_name(name: str) -> str:
    """The official name of one of our parameters or buffers."""
    name = name.replace("._mean", ".running_mean").replace("._variance", ".running_var")
    for number, (unit, position) in enumerate(DARKNET, start=1):
        name = re.sub(rf"^backbone_2d\.{unit}\.(conv|bn)\.", rf"backbone_2d.models.{position}.\g<1>{number}.", name)
    name = name.replace("backbone_2d.predict.", "backbone_2d.models.30.conv23.")
    name = re.sub(r"^(backbone_3d\.features\.\d+\.)branch", r"\g<1>banch", name)  # spelt so in the checkpoints
    for number, part in enumerate(("reduce", "mix", "refine"), start=1):
        name = name.replace(f"neck.{part}.", f"cfam.conv_bn_relu{number}.")
    name = name.replace("neck.attention.", "cfam.sc.").replace("neck.project.", "cfam.conv_out.1.")
    return name.replace("head.conv.", "conv_final.")


def assert_same_rows(ours: npt.NDArray[Any], theirs: npt.NDArray[Any], tolerance: float) -> None:
    """Each row has its own partner within `tolerance`, in any order, as rounding may exchange near-equal scores."""
    assert ours.shape == theirs.shape
    free = np.arange(len(ours))
    for row in theirs:
        distance = np.abs(ours[free] - row).max(1)
        nearest = distance.argmin()
        assert distance[nearest] <= tolerance, f"no row like {row}, the nearest is {ours[free[nearest]]}"
        free = np.delete(free, nearest)


def golden_seed(family: str = "yowo") -> int:
    """The seed of a folder of reference arrays."""
    return int(json.loads(golden_path(f"{family}/seed.json").read_text())["seed"])


def generator(text: str, seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(zlib.crc32(f"{text}:{seed}".encode())))


def golden_weight(name: str, shape: tuple[int, ...], seed: int) -> npt.NDArray[np.float32]:
    """The reference value of an official parameter or buffer."""
    normal = generator(name, seed).standard_normal(shape)
    kind = name.rpartition(".")[2]
    if kind == "gamma":
        value = np.full(shape, 0.5)
    elif kind == "running_var":
        value = 1 + 0.1 * np.abs(normal)
    elif kind in ("bias", "running_mean"):
        value = 0.1 * normal
    elif len(shape) >= 2:
        value = normal * math.sqrt(2 / math.prod(shape[1:]))
    else:
        value = 1 + 0.1 * normal
    factor = math.prod(factor for pattern, factor in FACTORS if re.fullmatch(pattern, name))
    return (value * factor).astype(np.float32)


def load_golden_weights(layer: nn.Layer, seed: int, prefix: str = "") -> None:
    """Fill a layer with reference weights; `prefix` is where it sits in the whole network, such as `neck.`."""
    state = {
        name: golden_weight(official_name(prefix + name), tuple(value.shape), seed)
        for name, value in layer.state_dict().items()
    }
    layer.set_state_dict(state)


def golden_clip(tag: str, shape: tuple[int, ...], seed: int) -> npt.NDArray[np.float32]:
    """The reference clip `[B, C, T, H, W]` in 0..1."""
    rng = generator(f"input.{tag}", seed)
    batch, channels, frames, height, width = shape
    base = rng.random((batch, channels, frames // 4, height // 16, width // 16))
    noise = rng.random(shape)
    for axis, factor in ((2, 4), (3, 16), (4, 16)):
        base = np.repeat(base, factor, axis=axis)
    return (0.7 * base + 0.3 * noise).astype(np.float32)


def assert_close_to_max(actual: npt.ArrayLike, expected: npt.NDArray[np.float32], tolerance: float, what: str) -> None:
    """Largest difference relative to the largest absolute expected value."""
    difference = np.abs(np.asarray(actual) - expected).max() / np.abs(expected).max()
    assert difference <= tolerance, f"{what}: {difference:.2e} of the maximum, allowed {tolerance:.0e}"
