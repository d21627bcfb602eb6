"""The official network's answer from weight files of every kind, through the command that converts them."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import paddle
import pytest

from paddlevideo.config import load_config
from paddlevideo.modeling.models import VideoModel
from paddlevideo.tasks.checkpoint import load_weights, start_from
from paddlevideo.tasks.parts import build_model
from paddlevideo.types import Arrays
from paddlevideo.weights import read_weights, write_tensors
from paddlevideo.weights.darknet_file import LAYOUTS
from tests.conftest import REPOSITORY, golden_arrays, golden_path, load_script
from tests.golden import plus_weights
from tests.golden.weights import DARKNET, assert_close_to_max, golden_clip, golden_seed, golden_weight
from tests.weights.torch_writer import Call, Global, write_torch_file

CONFIG = REPOSITORY / "configs" / "localization" / "yowo.yaml"
TOLERANCE = 2e-5
CASE, SHAPE = "f8_96", (2, 3, 8, 96, 96)


@pytest.fixture(scope="module")
def official() -> Arrays:
    """The official state dict."""
    content = json.loads(golden_path("yowo/official_param_shapes.json").read_text())
    shapes = {**content["parameters"], **content["buffers"]}
    seed = golden_seed()
    return {
        name: np.zeros((), np.int64) if name.endswith("num_batches_tracked") else golden_weight(name, shape, seed)
        for name, shape in shapes.items()
    }


def assert_answers_as_the_reference(model: VideoModel) -> None:
    model.eval()
    expected = golden_arrays("yowo/forward.npz")[f"{CASE}/final"]
    with paddle.no_grad():
        raw = model({"clip": paddle.to_tensor(golden_clip(CASE, SHAPE, golden_seed()))})["raw"].numpy()
    assert_close_to_max(raw.reshape(expected.shape), expected, TOLERANCE, "raw")


def convert(source: Path, target: Path, config: Path = CONFIG) -> None:
    tool = load_script("tools/convert_weights.py")
    assert tool.main([str(source), str(target), "-c", str(config)]) == 0
    source.unlink()


def write_official(folder: Path, state: Arrays) -> Path:
    prefixed = {f"module.{name}": value for name, value in state.items()}
    content = {"epoch": 5, "state_dict": prefixed, "optimizer": {"param_groups": [{"lr": 1e-4}]}, "score": 0.8}
    write_torch_file(folder / "yowo.pth", content)
    return folder / "yowo.pth"


def write_upstream(folder: Path, state: Arrays) -> Path:
    names = json.loads(golden_path("yowo/official_to_upstream_names.json").read_text())
    paddle.save({names[name]: value for name, value in state.items() if name in names}, str(folder / "yowo.pdparams"))
    return folder / "yowo.pdparams"


@pytest.mark.parametrize(
    ("write", "target", "source"),
    [
        (write_official, "w.pdparams", "official YOWO (PyTorch)"),
        (write_upstream, "w.safetensors", "YOWO of PaddleVideo"),
    ],
)
def test_a_whole_network(
    official: Arrays,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    write: Callable[[Path, Arrays], Path],
    target: str,
    source: str,
) -> None:
    convert(write(tmp_path, official), tmp_path / target)
    assert f": {source}" in capsys.readouterr().out
    model = build_model(load_config(CONFIG))
    load_weights(model, tmp_path / target)
    (tmp_path / target).unlink()
    assert_answers_as_the_reference(model)


def test_branches_from_darknet_and_kinetics(official: Arrays, tmp_path: Path) -> None:
    with (tmp_path / "yolo.weights").open("wb") as file:
        file.write(struct.pack("<4i", 0, 1, 0, 32_013_312))
        for name in LAYOUTS[0]:
            file.write(official[official_2d_name(name)].astype("<f4").tobytes())
    assert (tmp_path / "yolo.weights").stat().st_size == 203_934_260  # as published
    branch = {k.removeprefix("backbone_3d."): v for k, v in official.items() if k.startswith("backbone_3d.")}
    branch["fc.weight"] = np.ones((400, 2), np.float32)
    write_torch_file(tmp_path / "resnext.pth", {"state_dict": {f"module.{k}": v for k, v in branch.items()}}, True)

    whole = read_weights(write_official(tmp_path, official)).tensors
    rest = {name: value for name, value in whole.items() if not name.startswith("backbone_")}
    write_tensors(rest, tmp_path / "rest.safetensors")
    config = load_config(CONFIG)
    model = build_model(config)
    for name in ("yolo.weights", "resnext.pth", "rest.safetensors"):
        start_from(model, tmp_path / name, config.classes)
        (tmp_path / name).unlink()
    (tmp_path / "yowo.pth").unlink()
    assert_answers_as_the_reference(model)


def test_yowo_nano_from_its_checkpoint(tmp_path: Path) -> None:
    entries = json.loads(golden_path("yowo_plus/names_yowo_nano_24.json").read_text())
    golden = golden_arrays("yowo_plus/forward_nano_ucf24_small.npz")
    case = plus_weights.index()["cases"]["forward_nano_ucf24_small.npz"]
    state = {
        entry["name"]: np.zeros((), np.int64)
        if entry["name"].endswith("num_batches_tracked")
        else plus_weights.weight(entry["name"], tuple(entry["shape"]), plus_weights.seed()).astype(np.float32)
        for entry in entries
    }
    write_torch_file(tmp_path / "nano.pth", {"model": state, "epoch": 4, "args": Call(Global("argparse", "Namespace"))})
    nano = CONFIG.with_name("yowo_nano.yaml")
    convert(tmp_path / "nano.pth", tmp_path / "w.pdparams", nano)
    model = build_model(load_config(nano, [f"MODEL.input.size={case['img']}"]))
    load_weights(model, tmp_path / "w.pdparams")
    (tmp_path / "w.pdparams").unlink()
    model.eval()
    clip = plus_weights.clip(case["input_rng_name"], tuple(case["input_shape"]), case["input_mean"], case["input_std"])
    with paddle.no_grad():
        raw = model({"clip": paddle.to_tensor(clip)})["raw"].numpy()
    assert_close_to_max(raw, golden["pred"], 1e-4, "raw")


def official_2d_name(name: str) -> str:
    """The official name of a tensor of the 2-D branch."""
    if name.startswith("predict."):
        return f"backbone_2d.models.30.conv23.{name.removeprefix('predict.')}"
    number, (unit, position) = next(
        (number, place) for number, place in enumerate(DARKNET, start=1) if name.startswith(f"{place[0]}.")
    )
    rest = name.removeprefix(f"{unit}.").replace("_mean", "running_mean").replace("_variance", "running_var")
    kind, _, last = rest.partition(".")
    return f"backbone_2d.models.{position}.{kind}{number}.{last}"
