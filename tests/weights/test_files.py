from __future__ import annotations

import json
import os
import pickle
import struct
from pathlib import Path

import numpy as np
import paddle
import pytest
from safetensors.numpy import save_file

from paddlevideo.weights import OWN, read_weights, write_tensors
from paddlevideo.weights.darknet_file import DETECTOR, LAYOUTS, numbers_of
from tests.weights.torch_writer import write_torch_file

CONV = np.arange(2 * 3 * 27, dtype=np.float32).reshape(2, 3, 3, 3, 3)
SHUFFLENET = {
    "conv1.0.weight": CONV,
    "conv1.1.running_mean": np.float32([1, 2]),
    "conv1.1.num_batches_tracked": np.array(5, np.int64),
    "features.0.banch2.0.weight": CONV + 1,
    "classifier.1.weight": np.ones((4, 2), np.float32),
}
EXPECTED = {
    "backbone_3d.conv1.0.weight": CONV,
    "backbone_3d.conv1.1._mean": np.float32([1, 2]),
    "backbone_3d.features.0.branch2.0.weight": CONV + 1,
}


def write(path: Path, tensors: dict[str, np.ndarray]) -> None:
    if path.suffix == ".safetensors":
        save_file(tensors, path)
    elif path.suffix == ".pdparams":
        paddle.save(tensors, str(path))
    else:
        write_torch_file(path, {"arch": "shufflenetv2", "state_dict": {f"module.{k}": v for k, v in tensors.items()}})


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors", "w.pdparams", "named_otherwise.bin"])
def test_a_source_is_recognised_in_any_kind_of_file(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, SHUFFLENET)
    weights = read_weights(tmp_path / name)
    assert weights.source == "3-D ShuffleNetV2 on Kinetics (PyTorch)"
    assert set(weights.left_out) == {"conv1.1.num_batches_tracked", "classifier.1.weight"}
    assert weights.tensors.keys() == EXPECTED.keys()
    for key, value in EXPECTED.items():
        np.testing.assert_array_equal(weights.tensors[key], value)


def test_unknown_names_stay_as_they_are(tmp_path: Path) -> None:
    write_tensors({"neck.a": np.ones(2, np.float32)}, tmp_path / "w.safetensors")
    weights = read_weights(tmp_path / "w.safetensors")
    assert (weights.source, list(weights.tensors)) == (OWN, ["neck.a"])


@pytest.mark.parametrize("target", ["w.safetensors", "w.pdparams"])
def test_what_is_written_is_read_bit_equal(tmp_path: Path, target: str) -> None:
    values = {"a.b": np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32), "c": np.array([np.nan, np.inf])}
    write_tensors(values, tmp_path / target)
    back = read_weights(tmp_path / target).tensors
    assert {key: value.tobytes() for key, value in back.items()} == {k: v.tobytes() for k, v in values.items()}
    assert [path.name for path in tmp_path.iterdir()] == [target]


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"w\.pth: expected a name that ends with \.pdparams or \.safetensors"):
        write_tensors({}, tmp_path / "w.pth")


class Payload:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("name", ["w.pdparams", "w.pkl", "w.safetensors"])
def test_a_pickle_that_runs_code_is_refused_whatever_its_name(tmp_path: Path, name: str) -> None:
    marker = tmp_path / "was-run"
    (tmp_path / name).write_bytes(pickle.dumps({"w": np.ones(2), "x": Payload(marker)}))
    with pytest.raises(ValueError, match=r"refused.*wants to build \w+\.mkdir"):
        read_weights(tmp_path / name)
    assert not marker.exists()


HUGE = 1 << 60
BAD = {
    "empty.pdparams": (b"", "the file is empty"),
    "magic.pdparams": (b"MZ\x90\x00" + b"\0" * 60, "not a weight file"),
    "page.pth": (b"<!DOCTYPE html><html>", "not a weight file"),
    "claim.safetensors": (struct.pack("<Q", HUGE) + b"{}", f"claims {HUGE} bytes"),
    "json.safetensors": (struct.pack("<Q", 5) + b"{nope", "refused, not a file of safetensors"),
    "claim.pdparams": (b"\x80\x04\x8e" + struct.pack("<Q", HUGE) + b"x", f"claims {HUGE} bytes"),
    "array.pdparams": (b"\x80\x05\x96" + struct.pack("<Q", HUGE) + b"x", f"claims {HUGE} bytes"),
    "list.pdparams": (pickle.dumps([1, 2]), "expected named tensors, got list"),
    "numbers.pdparams": (pickle.dumps({"epoch": 1}), "directly or under state_dict or model, got epoch"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_said(tmp_path: Path, name: str) -> None:
    content, problem = BAD[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=problem) as caught:
        read_weights(tmp_path / name)
    assert name in str(caught.value)


def test_a_truncated_safetensors_file_is_named(tmp_path: Path) -> None:
    save_file({"w": np.ones(1000, np.float32)}, tmp_path / "w.safetensors")
    data = (tmp_path / "w.safetensors").read_bytes()
    (tmp_path / "w.safetensors").write_bytes(data[:-100])
    with pytest.raises(ValueError, match=r"w\.safetensors: refused, not a file of safetensors"):
        read_weights(tmp_path / "w.safetensors")


def test_a_header_whose_length_looks_like_a_pickle(tmp_path: Path) -> None:
    for length in (0x480, 0x280):  # 80 04 and 80 02 are how pickles start
        header = b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'.ljust(length)
        (tmp_path / "w.safetensors").write_bytes(struct.pack("<Q", length) + header + np.float32(7).tobytes())
        assert read_weights(tmp_path / "w.safetensors").tensors["w"].tolist() == [7]


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such weight file"):
        read_weights(tmp_path / "none.pth")


def safetensors(kind: str, shape: list[int], data: bytes, name: str = "a") -> bytes:
    header = json.dumps({name: {"dtype": kind, "shape": shape, "data_offsets": [0, len(data)]}}).encode()
    return struct.pack("<Q", len(header)) + header + data


def test_bfloat16_becomes_float32(tmp_path: Path) -> None:
    halves = np.float32([[1, -2, np.nan]]).view(np.uint16)[:, 1::2]
    (tmp_path / "w.safetensors").write_bytes(safetensors("BF16", [1, 3], halves.tobytes()))
    tensor = read_weights(tmp_path / "w.safetensors").tensors["a"]
    np.testing.assert_array_equal(tensor, np.float32([[1, -2, np.nan]]))
    assert tensor.dtype == np.float32


@pytest.mark.parametrize("kind", ["F8_E4M3", "F8_E5M2"])
def test_types_that_numpy_lacks_are_named(tmp_path: Path, kind: str) -> None:
    (tmp_path / "w.safetensors").write_bytes(safetensors(kind, [4], bytes(4)))
    with pytest.raises(
        ValueError, match=rf"w\.safetensors: refused.*tensor a is of type {kind}; expected F64.*float32"
    ):
        read_weights(tmp_path / "w.safetensors")


@pytest.mark.parametrize(
    ("kind", "shape", "size", "dtype"),
    [("I8", [2], 2, "int8"), ("BOOL", [], 1, "bool"), ("BF16", [0, 3], 0, "float32")],
)
def test_other_types_and_shapes_are_read_as_they_are(
    tmp_path: Path, kind: str, shape: list[int], size: int, dtype: str
) -> None:
    (tmp_path / "w.safetensors").write_bytes(safetensors(kind, shape, bytes(size)))
    tensor = read_weights(tmp_path / "w.safetensors").tensors["a"]
    assert (list(tensor.shape), tensor.dtype) == (shape, dtype)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("module." * 20 + "a", "begin with 8 or more of module, model, backbone"),
        ("module." * 5000 + "a", "up to 1000 printable characters, got 'module.*35001 characters"),
        ("a\x1b[2J", "printable characters, got 'a.x1b"),
    ],
)
def test_names_that_are_none_of_a_network(tmp_path: Path, name: str, problem: str) -> None:
    (tmp_path / "w.safetensors").write_bytes(safetensors("F32", [1], bytes(4), name))
    with pytest.raises(ValueError, match=rf"w\.safetensors: .*{problem}"):
        read_weights(tmp_path / "w.safetensors")


@pytest.mark.parametrize(("header", "layout"), [(16, 0), (20, 0), (16, 1), (20, 1), (20, 2)])
def test_darknet_files_are_told_apart_by_their_length(tmp_path: Path, header: int, layout: int) -> None:
    numbers = np.arange(numbers_of(LAYOUTS[layout]), dtype="<f4")
    (tmp_path / "any.weights").write_bytes(bytes(header) + numbers.tobytes())
    weights = read_weights(tmp_path / "any.weights")
    assert weights.source == "YOLOv2 or Darknet-19 (Darknet)"
    first = weights.tensors["backbone_2d.stage1.0.bn.bias"]  # the file starts with it
    np.testing.assert_array_equal(first, np.arange(32))
    np.testing.assert_array_equal(weights.tensors["backbone_2d.stage1.0.bn._variance"], np.arange(96, 128))
    kernel = weights.tensors["backbone_2d.stage1.0.conv.weight"]
    assert kernel.shape == (32, 3, 3, 3)
    assert kernel[0, 0, 0, 1] == 129
    assert ("backbone_2d.predict.weight" in weights.tensors) == (layout == 0)
    assert bool(weights.left_out) == (layout == 1)
    (tmp_path / "any.weights").unlink()


def test_the_detector_of_darknet_has_the_published_length() -> None:
    assert numbers_of(LAYOUTS[0]) == 50_983_561
    assert len(DETECTOR) == 22


def test_a_truncated_darknet_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "yolo.weights").write_bytes(struct.pack("<4i", 0, 1, 0, 32013312) + bytes(4000))
    with pytest.raises(ValueError, match=r"yolo\.weights: not a weight file \(4016 bytes"):
        read_weights(tmp_path / "yolo.weights")


def test_tensors_in_a_container_of_paddle(tmp_path: Path) -> None:
    layer = paddle.nn.Linear(3, 2)
    paddle.save({"state_dict": layer.state_dict(), "epoch": 1}, str(tmp_path / "w.pdparams"))
    weights = read_weights(tmp_path / "w.pdparams")
    np.testing.assert_array_equal(weights.tensors["weight"], layer.weight.numpy())
    assert weights.left_out == ()


def test_what_is_no_tensor_is_told(tmp_path: Path) -> None:
    (tmp_path / "w.pdparams").write_bytes(pickle.dumps({"w": np.ones(2, np.float32), "steps": 7}))
    assert read_weights(tmp_path / "w.pdparams").left_out == ("steps",)


def test_two_names_for_one_tensor_are_refused(tmp_path: Path) -> None:
    names = ("0", "backbone_2d.models.0.conv1.weight"), ("1", "backbone_2d.models.7.conv1.weight")
    others = ("backbone_3d.x", "cfam.x", "conv_final.weight")
    tensors = {name: np.ones(2, np.float32) for name in (*(name for _, name in names), *others)}
    save_file(tensors, tmp_path / "w.safetensors")
    with pytest.raises(ValueError, match="two of its names mean the same tensor of official YOWO"):
        read_weights(tmp_path / "w.safetensors")
