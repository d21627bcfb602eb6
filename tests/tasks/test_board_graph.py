from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paddlevideo.config import Config
from paddlevideo.modeling.models import VideoModel
from paddlevideo.tasks.board_graph import write_graph
from paddlevideo.tasks.exporter import probe
from paddlevideo.tasks.parts import build_model
from paddlevideo.tasks.predictor import eager_network
from paddlevideo.utils.cpu import use_onednn


@pytest.fixture
def model(tiny_config: Config) -> VideoModel:
    model = build_model(tiny_config)
    use_onednn(model)
    return model


def test_layers_and_operators_are_drawn_as_they_follow_each_other(model: VideoModel, tmp_path: Path) -> None:
    write_graph(model, tmp_path)
    (file,) = tmp_path.glob("*vdlgraph*.log")  # how VisualDL finds it
    drawn: dict[str, Any] = json.loads(file.read_text())
    nodes = {node["name"]: node for node in drawn["nodes"]}
    children = set(nodes["/"]["children_node"])
    assert {"/backbone_2d", "/backbone_3d", "/neck", "/head"} <= children
    assert "/head" in nodes["/neck"]["edge_output_nodes"]
    convolutions = [name for name, node in nodes.items() if node["type"] in ("conv2d", "conv3d")]
    layers = {name for name, layer in model.named_sublayers() if type(layer).__name__.endswith(("Conv2D", "Conv3D"))}
    assert {name.rpartition("/")[0].lstrip("/").replace("/", ".") for name in convolutions} == layers
    weights = {variable["name"] for variable in drawn["vars"] if variable["persistable"]}
    assert {name for name, _ in model.named_parameters()} == weights


def test_the_server_of_visualdl_reads_it(model: VideoModel, tmp_path: Path) -> None:
    from visualdl.component.graph.netron_graph import Model

    write_graph(model, tmp_path)
    (file,) = tmp_path.iterdir()
    shown = Model(json.loads(file.read_text())).make_graph(refresh=True, expand_all=True)
    assert any(node["name"].startswith("/neck/") for node in shown["nodes"])


def test_a_model_is_as_it_was_afterwards(model: VideoModel, tmp_path: Path) -> None:
    model.eval()
    before = eager_network(model)(probe(model))
    model.train()
    write_graph(model, tmp_path)
    assert model.training and all(layer.training for layer in model.sublayers())
    assert not any(layer._forward_pre_hooks or layer._forward_post_hooks for layer in model.sublayers())
    model.eval()
    after = eager_network(model)(probe(model))
    for name, value in before.items():
        np.testing.assert_array_equal(value, after[name])
