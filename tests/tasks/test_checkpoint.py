from __future__ import annotations

import dataclasses
import logging
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest
from paddle import nn

from paddlevideo.config import Config, save_config
from paddlevideo.modeling.models import VideoModel
from paddlevideo.tasks.checkpoint import (
    check_parts,
    fit_rows,
    load_weights,
    save_weights,
    start_from,
)
from paddlevideo.types import IntArray, Tensors
from paddlevideo.weights import Weights, write_tensors


def network(width: int = 3) -> nn.Layer:
    return nn.Sequential(nn.Linear(2, width), nn.BatchNorm1D(width), nn.Linear(width, 1))


def start(model: nn.Layer, path: Path) -> None:
    start_from(model, path, ())  # type: ignore[arg-type]


def equal(a: nn.Layer, b: nn.Layer) -> bool:
    pairs = zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    return all(np.array_equal(x.numpy(), y.numpy()) for x, y in pairs)


def test_weights_come_back_bit_equal(tmp_path: Path) -> None:
    first, second = network(), network()
    assert not equal(first, second)
    save_weights(first, tmp_path / "w.pdparams")
    load_weights(second, tmp_path / "w.pdparams")
    assert equal(first, second)
    assert [path.name for path in tmp_path.iterdir()] == ["w.pdparams"]


@pytest.mark.parametrize(
    ("number", "dtype", "said"),
    [
        (np.nan, "float32", r"tensor 0\.weight \(float32\) should be finite, got nan at \[1, 2\]"),
        (-np.inf, "float16", r"tensor 0\.weight \(float32\) should be finite, got -inf at \[1, 2\]"),
        (1e300, "float64", r"tensor 0\.weight \(float32\) should be finite, got 1e\+300 at \[1, 2\]"),
    ],
)
@pytest.mark.parametrize("read", [load_weights, start])
def test_weights_that_are_not_finite_are_named(
    tmp_path: Path, number: float, dtype: str, said: str, read: Callable[[nn.Layer, Path], None]
) -> None:
    state = {name: value.numpy() for name, value in network().state_dict().items()}
    state["0.weight"] = state["0.weight"].astype(dtype)
    state["0.weight"][1, 2] = number
    write_tensors(state, tmp_path / "w.safetensors")
    with pytest.raises(ValueError, match=rf"w\.safetensors: {said}"):
        read(network(), tmp_path / "w.safetensors")


def test_large_weights_are_finite(tmp_path: Path) -> None:
    state = {name: np.full_like(value.numpy(), 3e38) for name, value in network().state_dict().items()}
    write_tensors(state, tmp_path / "w.safetensors")
    model = network()
    load_weights(model, tmp_path / "w.safetensors")
    np.testing.assert_array_equal(model[0].weight.numpy(), np.float32(3e38))


def test_weights_of_another_width_are_named(tmp_path: Path) -> None:
    save_weights(network(4), tmp_path / "w.pdparams")
    with pytest.raises(ValueError, match=r"0\.weight is \[2, 4\], the model has \[2, 3\]") as caught:
        load_weights(network(3), tmp_path / "w.pdparams")
    assert "another number of classes" in str(caught.value)


def test_missing_and_unexpected_weights_are_named(tmp_path: Path) -> None:
    save_weights(nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1)), tmp_path / "w.pdparams")
    with pytest.raises(ValueError, match=r"missing: 1\._mean") as caught:
        load_weights(network(), tmp_path / "w.pdparams")
    assert "2 missing" not in str(caught.value)
    assert "of another shape: 1.weight" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"garbage", pickle.dumps([1, 2])])
def test_files_that_are_no_weights_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "w.pdparams"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"w\.pdparams"):
        load_weights(network(), path)


def test_no_file() -> None:
    with pytest.raises(FileNotFoundError, match="no such weight file"):
        load_weights(network(), "nowhere.pdparams")


class Payload:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_a_file_that_wants_to_run_code_is_refused(tmp_path: Path) -> None:
    path, made = tmp_path / "w.pdparams", tmp_path / "made"
    path.write_bytes(pickle.dumps({"0.weight": Payload(made)}))
    with pytest.raises(ValueError, match="mkdir"):
        load_weights(network(), path)
    assert not made.exists()


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, old = tmp_path / "w.pdparams", network()
    save_weights(old, path)

    def fail(_: object, name: str) -> None:
        Path(name).write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(paddle, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        save_weights(network(), path)
    fresh = network()
    load_weights(fresh, path)
    assert equal(fresh, old)
    assert [path.name for path in tmp_path.iterdir()] == ["w.pdparams"]


class Detector(VideoModel):
    """Two parts; the rows of the second speak of two boxes' numbers and then of the classes."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.trunk = nn.Linear(2, 3)
        self.head = nn.Conv2D(3, 2 + num_classes, 1)

    def spoken_classes(self, name: str, rows: int) -> IntArray | None:
        return spoken(rows) if name.startswith("head.") else None

    def forward(self, inputs: Tensors, targets: Tensors | None = None) -> Tensors:
        return inputs

    def loss(self, outputs: Tensors, targets: Tensors) -> Tensors:
        return outputs


def spoken(rows: int) -> IntArray:
    return np.array([max(row - 2, -1) for row in range(rows)])


def test_rows_that_mean_the_same_are_kept() -> None:
    given, own = np.arange(10.0).reshape(5, 2), -np.ones((4, 2))
    by_name = fit_rows(given, own, spoken, before=("run", "sit", "jump"), now=("jump", "swim"))
    np.testing.assert_array_equal(by_name, [[0, 1], [2, 3], [8, 9], [-1, -1]])
    unknown = fit_rows(given, own, spoken, before=(), now=("jump", "swim"))
    np.testing.assert_array_equal(unknown, [[0, 1], [2, 3], [-1, -1], [-1, -1]])
    same_number = fit_rows(given[:4], own, spoken, before=("swim", "jump"), now=("jump", "swim"))
    np.testing.assert_array_equal(same_number, [[0, 1], [2, 3], [6, 7], [4, 5]])


def test_rows_that_do_not_speak_of_classes_stay_as_they_are() -> None:
    given = np.ones((4, 2))
    assert fit_rows(given, np.zeros((5, 2)), lambda rows: None, (), ("a",)) is given
    assert fit_rows(given, np.zeros((4, 3)), spoken, (), ("a", "b")) is given
    assert fit_rows(given, np.zeros((4, 2)), spoken, (), ("a", "b")) is given
    assert fit_rows(given, np.zeros((5, 2)), spoken, ("a", "b", "c"), ("a", "b", "d")) is given  # 2 classes, not 3


def test_training_starts_from_parts_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("paddlevideo"), "propagate", True)
    model = Detector(2)
    trunk = {f"trunk.{name}": value.numpy() + 1 for name, value in model.trunk.state_dict().items()}
    before = model.head.weight.numpy()
    write_tensors(trunk, tmp_path / "trunk.safetensors")
    with caplog.at_level("INFO", logger="paddlevideo"):
        start_from(model, tmp_path / "trunk.safetensors", ("a", "b"))
    np.testing.assert_array_equal(model.trunk.weight.numpy(), trunk["trunk.weight"])
    np.testing.assert_array_equal(model.head.weight.numpy(), before)
    assert "2 tensors of trunk" in caplog.text
    assert "not in the file: head" in caplog.text


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda state: state.pop("trunk.bias"), "1 missing: trunk.bias"),
        (lambda state: state.update({"tail.x": np.ones(2, np.float32)}), "1 unexpected: tail.x"),
        (
            lambda state: state.update({"trunk.bias": np.ones(4, np.float32)}),
            r"trunk.bias is \[4\], the model has \[3\]",
        ),
    ],
)
def test_half_a_part_is_refused(tmp_path: Path, change: Callable[[dict[str, Any]], Any], problem: str) -> None:
    state = {name: value.numpy() for name, value in Detector(2).state_dict().items()}
    change(state)
    write_tensors(state, tmp_path / "w.pdparams")
    model = Detector(2)
    untouched = model.head.weight.numpy()
    with pytest.raises(ValueError, match=problem):
        start_from(model, tmp_path / "w.pdparams", ("a", "b"))
    np.testing.assert_array_equal(model.head.weight.numpy(), untouched)


def test_weights_of_other_classes_are_fitted_by_the_names_beside_them(tmp_path: Path) -> None:
    old, new = Detector(3), Detector(2)
    save_weights(old, tmp_path / "best.pdparams")
    save_config(Config(MODEL={"name": "Detector"}, classes=("run", "sit", "jump")), tmp_path / "config.yaml")
    start_from(new, tmp_path / "best.pdparams", ("jump", "swim"))
    np.testing.assert_array_equal(new.head.weight.numpy()[:2], old.head.weight.numpy()[:2])
    np.testing.assert_array_equal(new.head.weight.numpy()[2], old.head.weight.numpy()[4])
    np.testing.assert_array_equal(new.head.bias.numpy()[2], old.head.bias.numpy()[4])
    with pytest.raises(ValueError, match=r"head\.weight is \[5, 3, 1, 1\], the model has \[4, 3, 1, 1\]"):
        load_weights(new, tmp_path / "best.pdparams")


def test_a_source_without_whole_parts_may_fill_what_it_has() -> None:
    model = Detector(2)
    tensors = {"trunk.weight": np.ones((2, 3), np.float32)}
    weights = Weights(Path("w"), "some", tensors, whole_parts=False)
    assert check_parts(model, weights) == ["trunk.bias", "head"]
    with pytest.raises(ValueError, match=r"1 missing: trunk\.bias"):
        check_parts(model, dataclasses.replace(weights, whole_parts=True))


def test_weights_of_another_kind_of_number_are_refused(tmp_path: Path) -> None:
    state = {name: value.numpy() for name, value in Detector(2).state_dict().items()}
    write_tensors({**state, "trunk.bias": np.ones(3, np.int64)}, tmp_path / "w.safetensors")
    with pytest.raises(ValueError, match=r"trunk\.bias is \[3\] of int64, the model has \[3\]"):
        load_weights(Detector(2), tmp_path / "w.safetensors")


def test_without_class_names_another_length_of_ours_is_refused(tmp_path: Path) -> None:
    save_weights(Detector(3), tmp_path / "best.pdparams")
    with pytest.raises(ValueError, match=r"head\.weight is \[5, 3, 1, 1\]"):
        start_from(Detector(2), tmp_path / "best.pdparams", ("a", "b"))
