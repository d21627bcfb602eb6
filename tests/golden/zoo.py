"""Deterministic weights and inputs of the reference arrays of the zoo, and our names in the legacy spelling."""

from __future__ import annotations

import json
import math
import re
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
from paddle import nn

from tests.conftest import golden_arrays

Array = npt.NDArray[Any]
STATISTICS = {"weight": "scale", "bias": "offset", "_mean": "mean", "_variance": "variance"}


def load_zoo(name: str) -> tuple[dict[str, Array], dict[str, Any]]:
    """The arrays of `golden/zoo/NAME.npz` and its meta."""
    arrays = golden_arrays(f"zoo/{name}.npz")
    return arrays, json.loads(str(arrays.pop("meta")))


def draw(name: str, seed: int) -> np.random.Generator:
    """The generator that an array's name and the seed of its file stand for."""
    return np.random.Generator(np.random.PCG64(zlib.crc32(f"{name}:{seed}".encode())))


def zoo_weight(name: str, shape: list[int], kind: str, seed: int) -> Array:
    """The reference value of a legacy parameter, float64."""
    normal = draw(name, seed).standard_normal(shape)
    fan_in = shape[0] if len(shape) == 2 else math.prod(shape[1:])
    scaled = {
        "weight": normal * math.sqrt(2 / fan_in),
        "bias": 0.1 * normal,
        "gamma": 1 + 0.1 * normal,
        "var": 1 + 0.1 * np.abs(normal),
    }[kind]
    return scaled * 0.3 if name.endswith("branch2c_scale") else scaled  # `overrides` of the residual networks


def resnet_name(name: str) -> str:
    """The legacy name of a tensor of a recognition model with a 2-D ResNet."""
    if match := re.fullmatch(r"head\.fc\.(weight|bias)", name):
        return f"fc_0.{match[1][0]}_0"
    if match := re.fullmatch(r"backbone\.bn1\.(\w+)", name):
        return f"bn_conv1_{STATISTICS[match[1]]}"
    if name == "backbone.conv1.weight":
        return "conv1_weights"
    match = re.fullmatch(r"backbone\.layer(\d)\.(\d+)\.(conv|bn|downsample\.)(\d)\.(\w+)", name)
    assert match, name
    stage, block = int(match[1]) + 1, "abcdefghijklmnopqrstuvwxyz"[int(match[2])]
    branch = "branch1" if match[3] == "downsample." else f"branch2{'abc'[int(match[4]) - 1]}"
    is_norm = match[3] == "bn" or (match[3] == "downsample." and match[4] == "1")
    if is_norm:
        return f"bn{stage}{block}_{branch}_{STATISTICS[match[5]]}"
    return f"res{stage}{block}_{branch}_weights"


def load_zoo_weights(model: nn.Layer, meta: dict[str, Any]) -> None:
    """Fill a recognition model with the reference's weights; every one of them is used."""
    parts = {one["name"]: one for one in meta["params"]}
    state = {}
    for name, value in model.state_dict().items():
        part = parts.pop(resnet_name(name))
        array = zoo_weight(part["name"], part["shape"], part["kind"], meta["seed"])
        array = array.T if array.ndim == 2 else array  # linear layers are [in, out] there, rows are classes here
        state[name] = array.reshape(value.shape).astype(np.float32)
    assert not parts
    model.set_state_dict(state)
