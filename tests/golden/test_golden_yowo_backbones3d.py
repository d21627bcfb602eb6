"""The other 3-D branches against the official implementation, with its deterministic weights."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import paddle
import pytest
from paddle import nn

from paddlevideo.registry import BACKBONES
from paddlevideo.weights import read_weights
from tests.conftest import golden_arrays, golden_path
from tests.golden.weights import assert_close_to_max, golden_clip, golden_seed, golden_weight, official_name
from tests.weights.torch_writer import write_torch_file

TOLERANCE = 2e-5
PREFIX = "backbone_3d."
NODES: dict[str, dict[str, Any]] = {
    "resnet18": {"name": "ResNet3D", "depth": 18},
    "resnet50": {"name": "ResNet3D", "depth": 50},
    "resnet101": {"name": "ResNet3D", "depth": 101},
    "mobilenet_2x": {"name": "MobileNet3D", "width": 2.0},
    "mobilenetv2_1x": {"name": "MobileNet3DV2", "width": 1.0},
    "shufflenet_2x": {"name": "ShuffleNet3D", "width": 2.0, "groups": 3},
    "shufflenetv2_2x": {"name": "ShuffleNet3DV2", "width": 2.0, "last_channels": 2048},
}
NANO = {"name": "ShuffleNet3DV2", "width": 1.0}
TRAINABLE = {  # parameters of each branch, counted in the official implementations
    "resnet18": 33_030_080,
    "resnet50": 46_198_976,
    "resnet101": 85_245_120,
    "mobilenet_2x": 12_875_136,
    "mobilenetv2_1x": 2_354_048,
    "shufflenet_2x": 3_606_288,
    "shufflenetv2_2x": 5_410_416,
}


@pytest.fixture(scope="module", params=NODES)
def branch(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, nn.Layer]:
    """A branch filled from a checkpoint file as Kinetics training leaves it, with classifier and counters."""
    network: nn.Layer = BACKBONES.build(NODES[request.param])
    seed = golden_seed()
    names = {official_name(PREFIX + name): tuple(value.shape) for name, value in network.state_dict().items()}
    state = {name.removeprefix(PREFIX): golden_weight(name, shape, seed) for name, shape in names.items()}
    extra = {"fc.weight": np.ones((4, 2), np.float32), "bn1.num_batches_tracked": np.array(3)}
    prefixed = {f"module.{name}": value for name, value in {**state, **extra}.items()}
    path = tmp_path_factory.mktemp("kinetics") / f"{request.param}.pth"
    write_torch_file(path, {"epoch": 60, "arch": request.param, "state_dict": prefixed}, legacy=True)
    weights = read_weights(path)
    path.unlink()
    assert weights.source.endswith("on Kinetics (PyTorch)")
    assert set(weights.left_out) == set(extra)
    network.set_state_dict({name.removeprefix(PREFIX): value for name, value in weights.tensors.items()})
    network.eval()
    return request.param, network


def spelt_officially(network: nn.Layer) -> dict[str, list[int]]:
    return {official_name(PREFIX + name): list(value.shape) for name, value in network.state_dict().items()}


def trainable(network: nn.Layer) -> int:
    return sum(parameter.size for parameter in network.parameters() if not parameter.stop_gradient)


def test_every_branch_of_the_file_is_tested() -> None:
    assert {key.split("/")[0] for key in golden_arrays("yowo/backbones3d.npz")} == set(NODES)


def test_names_and_shapes_are_the_official_ones(branch: tuple[str, nn.Layer]) -> None:
    name, network = branch
    official = json.loads(golden_path("yowo/official_backbone3d_param_shapes.json").read_text())[name]
    expected = {**official["parameters"], **official["buffers"]}
    expected = {key: shape for key, shape in expected.items() if not key.endswith("num_batches_tracked")}
    assert spelt_officially(network) == expected
    assert trainable(network) == TRAINABLE[name]


@pytest.mark.parametrize("frames", [16, 32])
def test_forward(branch: tuple[str, nn.Layer], frames: int) -> None:
    name, network = branch
    expected = golden_arrays("yowo/backbones3d.npz")[f"{name}/T{frames}"]
    clip = golden_clip(f"b3d_{frames}", (1, 3, frames, 96, 96), golden_seed())
    with paddle.no_grad():
        features = network(paddle.to_tensor(clip))
    assert features.shape == [1, network.out_channels, frames // 16, 3, 3]
    # time is averaged by our model, not by its 3-D branch
    assert_close_to_max(features.mean(2, keepdim=True).numpy(), expected, TOLERANCE, name)


def test_branch_of_yowo_nano() -> None:
    network = BACKBONES.build(NANO)
    assert trainable(network) == 821_996
    rows = json.loads(golden_path("yowo_plus/names_yowo_nano_24.json").read_text())
    expected = {row["name"]: row["shape"] for row in rows if row["name"].startswith(PREFIX)}
    expected = {key: shape for key, shape in expected.items() if not key.endswith("num_batches_tracked")}
    assert spelt_officially(network) == expected
