"""Paddle Inference has faults that depend on how a network is written and on its channel counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest

from paddlevideo.engines import ENGINES, Graph
from paddlevideo.registry import BACKBONES

NODES: list[dict[str, Any]] = [
    {"name": "ResNeXt3D", "blocks": [1, 1, 1, 1], "cardinality": 2, "width": 0.125},
    {"name": "ResNet3D", "depth": 18, "width": 0.125},
    {"name": "ResNet3D", "depth": 50, "width": 0.125},
    {"name": "MobileNet3D", "width": 0.25},
    {"name": "MobileNet3DV2", "width": 0.25},
    {"name": "ShuffleNet3D", "width": 2.0},
    {"name": "ShuffleNet3DV2", "width": 1.0},
]


@pytest.mark.parametrize("node", NODES, ids=lambda node: node["name"])
def test_exported_network_equals_the_eager_one(node: dict[str, Any], tmp_path: Path) -> None:
    paddle.seed(0)
    network = BACKBONES.build(node)
    network.eval()
    clip = np.random.default_rng(0).random((2, 3, 16, 64, 96), np.float32)
    with paddle.no_grad():
        expected = network(paddle.to_tensor(clip)).numpy()
    spec = paddle.static.InputSpec([None, *clip.shape[1:]], "float32", "clip")
    static = paddle.jit.to_static(network, input_spec=[spec], full_graph=True)
    paddle.jit.save(static, str(tmp_path / "model"))
    files = {"model": tmp_path / "model.json", "weights": tmp_path / "model.pdiparams"}
    for onednn in (True, False):
        graph = Graph(files, ["features"], {"onednn": onednn})
        features = ENGINES["paddle"].load(graph, "float32")({"clip": clip})["features"]
        np.testing.assert_allclose(features, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
