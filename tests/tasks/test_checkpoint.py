from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import paddle
import pytest
from paddle import nn

from paddlevideo.solver import build_optimizer
from paddlevideo.tasks.checkpoint import load_training, load_weights, save_training, save_weights


def network(width: int = 3) -> nn.Layer:
    return nn.Sequential(nn.Linear(2, width), nn.BatchNorm1D(width), nn.Linear(width, 1))


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


def train(model: nn.Layer, optimizer: paddle.optimizer.Optimizer, steps: int) -> None:
    for step in range(steps):
        x = paddle.to_tensor(np.random.default_rng(step).random((4, 2), np.float32))
        (model(x) ** 2).sum().backward()
        optimizer.step()
        optimizer.clear_grad()


RATE = {"name": "MultiStepDecay", "learning_rate": 0.1, "milestones": [1], "gamma": 0.5}
ADAM = {"name": "Adam", "weight_decay": 0.01, "learning_rate": RATE}


def test_training_continues_as_if_never_stopped(tmp_path: Path) -> None:
    whole = network()
    optimizer = build_optimizer(ADAM, whole)
    train(whole, optimizer, 3)
    optimizer._learning_rate.step()
    save_weights(whole, tmp_path / "last.pdparams")
    save_training(whole, optimizer, {"epoch": 1, "best": 0.5}, tmp_path / "last.pdopt")
    train(whole, optimizer, 3)

    other = network()  # its parameters have other global names in Paddle
    resumed = build_optimizer(ADAM, other)
    load_weights(other, tmp_path / "last.pdparams")
    assert load_training(other, resumed, tmp_path / "last.pdopt") == {"epoch": 1, "best": 0.5}
    assert resumed.get_lr() == 0.05
    train(other, resumed, 3)
    assert equal(whole, other)


def test_training_state_of_another_model_is_named(tmp_path: Path) -> None:
    model = network()
    optimizer = build_optimizer(ADAM, model)
    train(model, optimizer, 1)
    save_training(model, optimizer, {}, tmp_path / "last.pdopt")
    other = nn.Sequential(nn.Linear(2, 3))
    with pytest.raises(ValueError, match=r"a state for [12]\.\w+, which the model"):
        load_training(other, build_optimizer(ADAM, other), tmp_path / "last.pdopt")
