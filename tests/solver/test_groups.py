from __future__ import annotations

import math
from typing import Any

import numpy as np
import paddle
import pytest
from paddle import nn

from paddlevideo.solver import Clip, build_optimizer, freeze


def network() -> nn.Layer:
    """`0.weight` and `1.weight`, one number each."""
    model = nn.Sequential(nn.Linear(1, 1, bias_attr=False), nn.Linear(1, 1, bias_attr=False))
    for parameter in model.parameters():
        parameter.set_value(paddle.full([1, 1], 2.0))
    return model


def step(model: nn.Layer, optimizer: Any, gradients: dict[str, float]) -> dict[str, float]:
    for name, parameter in model.named_parameters():
        parameter.grad = paddle.full([1, 1], gradients[name])
    optimizer.step()
    return {name: parameter.item() for name, parameter in model.named_parameters()}


def test_groups_multiply_rate_and_decay() -> None:
    model = network()
    groups = [{"match": "0", "learning_rate": 0.1, "weight_decay": 0.0}, {"match": "*", "weight_decay": 0.5}]
    node = {"name": "Momentum", "learning_rate": 0.1, "weight_decay": 0.2, "momentum": 0.0, "groups": groups}
    moved = step(model, build_optimizer(node, model), {"0.weight": 1.0, "1.weight": 1.0})
    assert moved["0.weight"] == pytest.approx(2 - 0.1 * 0.1 * 1)
    assert moved["1.weight"] == pytest.approx(2 - 0.1 * (1 + 0.5 * 0.2 * 2))


def test_groups_of_decoupled_decay() -> None:
    model = network()
    groups = [{"match": "0.weight", "learning_rate": 0.5, "weight_decay": 0.0}]
    node = {"name": "AdamW", "learning_rate": 0.1, "groups": groups}  # its own decay is 0.01
    moved = step(model, build_optimizer(node, model), {"0.weight": 3.0, "1.weight": 3.0})
    assert moved["0.weight"] == pytest.approx(2 - 0.5 * 0.1)  # the first step of Adam is as long as its rate
    assert moved["1.weight"] == pytest.approx(2 * (1 - 0.1 * 0.01) - 0.1)


def test_the_first_group_that_matches_has_a_parameter() -> None:
    model = network()
    groups = [{"match": "0", "learning_rate": 0.0}, {"match": "*", "learning_rate": 2.0}]
    node = {"name": "Momentum", "learning_rate": 0.1, "momentum": 0.0, "groups": groups}
    assert step(model, build_optimizer(node, model), {"0.weight": 1.0, "1.weight": 1.0}) == pytest.approx(
        {"0.weight": 2.0, "1.weight": 1.8}
    )


@pytest.mark.parametrize(
    ("groups", "error", "said"),
    [
        ([{"match": "2"}], ValueError, r"OPTIMIZER\.groups: '2' matches no parameter"),
        ([{"match": "*"}, {"match": "0"}], ValueError, "'0' matches no parameter, or only some that are frozen or"),
        ([{"match": "0", "lr": 1.0}], TypeError, r"OPTIMIZER\.groups\.0 has no argument 'lr'"),
        ([{"match": "0", "learning_rate": "1e-4"}], TypeError, "learning_rate should be float, got '1e-4'"),
        ({"match": "0"}, TypeError, "should be a list such as"),
        ([{"match": "0", "learning_rate": -1.0}], ValueError, "learning_rate of '0' should be a finite number from 0"),
        (
            [{"match": "0", "weight_decay": math.nan}],
            ValueError,
            "weight_decay of '0' should be a finite number from 0",
        ),
    ],
)
def test_wrong_groups_are_named(groups: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        build_optimizer({"name": "Adam", "learning_rate": 0.1, "groups": groups}, network())


def test_frozen_parts_stay_and_keep_their_statistics() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1D(2), nn.Linear(2, 2, bias_attr=False), nn.BatchNorm1D(2))
    freeze(model, ["0", "1"])
    before = {name: value.numpy() for name, value in model.state_dict().items()}
    optimizer = build_optimizer({"name": "Adam", "learning_rate": 0.1}, model)
    x = paddle.to_tensor(np.random.default_rng(0).random((8, 2), np.float32))
    ((model(x) - 1) ** 2).sum().backward()
    optimizer.step()
    moved = {name for name, value in model.state_dict().items() if (value.numpy() != before[name]).any()}
    assert moved == {"2.weight", "3.weight", "3.bias", "3._mean", "3._variance"}
    plain = nn.Sequential(model[0], model[1])
    plain.eval()
    seen = plain(x).numpy()
    plain.train()
    np.testing.assert_array_equal(plain(x).numpy(), seen)
    with pytest.raises(ValueError, match=r"OPTIMIZER\.freeze: 'backbone' matches no parameter"):
        freeze(model, ["backbone"])
    with pytest.raises(TypeError, match="should be a list of patterns"):
        freeze(model, "0")
    with pytest.raises(ValueError, match=r"expected 3\.weight and 3\.bias to match both or not at all"):
        freeze(model, ["3.weight"])


@pytest.mark.parametrize("limit", [0.0, -1.0, math.nan, math.inf])
@pytest.mark.parametrize(
    ("name", "key"), [("GlobalNorm", "clip_norm"), ("ParameterNorm", "clip_norm"), ("ValueRange", "max")]
)
def test_limits_that_turn_gradients_around_or_lose_them_are_refused(name: str, key: str, limit: float) -> None:
    with pytest.raises(ValueError, match=f"{name}: {key} should be a finite number above 0, got {limit}"):
        Clip({"name": name, key: limit})


def test_an_empty_range_is_refused() -> None:
    with pytest.raises(ValueError, match=r"min should be less than max, got 2\.0 and 1\.0"):
        Clip({"name": "ValueRange", "max": 1.0, "min": 2.0})


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ({"name": "GlobalNorm", "clip_norm": 1.0}, [0.6, 0.8]),
        ({"name": "ParameterNorm", "clip_norm": 3.5}, [3.0, 3.5]),
        ({"name": "ValueRange", "max": 2.0}, [2.0, 2.0]),
        (None, [3.0, 4.0]),
    ],
)
def test_gradients_are_limited_together_whatever_their_groups(node: Any, expected: list[float]) -> None:
    model = network()
    for parameter, value in zip(model.parameters(), [3.0, 4.0], strict=True):
        parameter.grad = paddle.full([1, 1], value)
    Clip(node)(model.parameters())
    assert [parameter.grad.item() for parameter in model.parameters()] == pytest.approx(expected)
