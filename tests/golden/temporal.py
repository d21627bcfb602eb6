"""Deterministic arrays of the reference folder of temporal models, and BMN's names in its spelling."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import paddle
from paddle import nn

from tests.conftest import golden_arrays, golden_path
from tests.golden.weights import generator

FOLDER = "zoo/temporal"
BMN_LAYERS = {  # of our network, and the reference's names of them
    "backbone.0": "base1",
    "backbone.2": "base2",
    "neck.narrow": "prop1d",
    "neck.reduce": "prop3d",
    "neck.mix": "prop2d_1",
    "head.start.0": "start1",
    "head.start.2": "start2",
    "head.end.0": "end1",
    "head.end.2": "end2",
    "head.map.0": "prop2d_2",
    "head.map.2": "prop2d_3",
    "head.map.4": "prop2d_4",
}
BMN_GAINS = dict.fromkeys(("start2", "end2", "prop2d_4"), 0.5)


def read_arrays(name: str) -> dict[str, npt.NDArray[Any]]:
    """An npz file of the reference folder."""
    return golden_arrays(f"{FOLDER}/{name}")


def read_json(name: str) -> Any:
    """A JSON file of the reference folder."""
    return json.loads(golden_path(f"{FOLDER}/{name}").read_text(encoding="utf-8"))


def randn(name: str, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    return generator(name, read_json("seed.json")["seed"]).standard_normal(shape).astype(np.float32)


def rand(name: str, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    return generator(name, read_json("seed.json")["seed"]).random(shape).astype(np.float32)


def fill_bmn(network: nn.Layer) -> None:
    """Give BMN the reference's weights."""
    seed = read_json("seed.json")["seed"]
    for name, parameter in network.named_parameters():
        layer, _, kind = name.rpartition(".")
        theirs, shape = BMN_LAYERS[layer], tuple(parameter.shape)
        normal = generator(f"bmn.{theirs}.{kind}", seed).standard_normal(shape)
        scale = 0.1 if kind == "bias" else BMN_GAINS.get(theirs, 1.0) * math.sqrt(2 / math.prod(shape[1:]))
        parameter.set_value(paddle.to_tensor((scale * normal).astype(np.float32)))
