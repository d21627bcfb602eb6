from __future__ import annotations

import math

import numpy as np
import paddle
import pytest
from paddle import Tensor

from paddlevideo.modeling.losses import BMNLoss
from paddlevideo.modeling.losses.bmn_loss import MatchingMaps, balanced_log_loss, ends_within, matching_maps
from paddlevideo.types import Tensors

SNIPPETS = 10


def outputs(batch: int = 2) -> Tensors:
    rng = np.random.default_rng(0)
    shapes = {"start": (batch, SNIPPETS), "end": (batch, SNIPPETS), "map": (batch, 2, SNIPPETS, SNIPPETS)}
    return {
        name: paddle.to_tensor(rng.uniform(0.1, 0.9, shape), "float32", stop_gradient=False)
        for name, shape in shapes.items()
    }


def targets(segments: list[list[list[float]]], labels: list[list[int]], duration: float = 100.0) -> Tensors:
    return {
        "segments": paddle.to_tensor(segments, "float64"),
        "labels": paddle.to_tensor(labels, "int64"),
        "duration": paddle.full([len(labels)], duration, "float64"),
    }


def plain_loss(values: Tensors, truth: Tensors) -> Tensors:
    loss = BMNLoss()
    loss.draw = lambda shape: paddle.full(shape, 0.5)
    return loss(values, truth)


def test_maps_of_one_segment() -> None:
    maps = matching_maps(paddle.to_tensor([[[0.2, 0.5]]], "float64"), paddle.to_tensor([[True]]), 10, 10)
    # A start is from 0.05 to 0.35, an end from 0.35 to 0.65.
    np.testing.assert_allclose(maps.start.numpy()[0], [0.5, 1, 1, 0.5, 0, 0, 0, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(maps.end.numpy()[0], [0, 0, 0, 0.5, 1, 1, 0.5, 0, 0, 0], atol=1e-6)
    assert maps.iou[0, 2, 2].item() == pytest.approx(1.0)  # three snippets from the third
    assert maps.iou[0, 0, 2].item() == pytest.approx(1 / 3)
    assert maps.iou[0, 9, 0].item() == pytest.approx(0.3)
    assert maps.iou[0, 0, 7].item() == 0


def test_balanced_halves() -> None:
    probability = paddle.to_tensor([0.5, 0.25, 0.8])
    loss = balanced_log_loss(probability, paddle.to_tensor([True, False, False]), paddle.to_tensor([False, True, True]))
    expected = 0.5 * (math.log(2) - (math.log(0.75) + math.log(0.2)) / 2)
    assert loss.item() == pytest.approx(expected, rel=1e-4)


def test_only_segments_within_the_video_count() -> None:
    assert ends_within(2, 3).numpy().tolist() == [[1, 1, 1], [1, 1, 0]]


def test_the_overlap_is_learnt_on_as_many_of_each_group() -> None:
    iou = paddle.to_tensor([[[0.9, 0.5, 0.5, 0.1], [0.8, 0.2, 0.2, 0.2]]])  # the last cell leaves the video
    maps = MatchingMaps(paddle.zeros([1, 4]), paddle.zeros([1, 4]), iou)
    values = {"start": paddle.full([1, 4], 0.5), "end": paddle.full([1, 4], 0.5), "map": paddle.full([1, 2, 2, 4], 0.5)}
    loss = BMNLoss()
    draws = iter([[[0.1] * 4, [0.1] * 4], [[0.9] * 4, [0.9, 0.2, 0.9, 0.9]]])
    loss.draw = lambda shape: paddle.to_tensor(next(draws))
    # Two high ones; of the two middle ones each is kept (0.1 > 1 - 2 / 2); of the three low ones those with
    # a draw above 1 - 2 / 3.
    errors = [0.4**2, 0.3**2, 0.0, 0.0, 0.4**2, 0.3**2]
    assert loss.of_maps(values, maps)["pem_reg"].item() == pytest.approx(0.5 * sum(errors) / 6)


def test_padding_changes_nothing() -> None:
    plain = targets([[[10, 40]], [[55, 80]]], [[0], [0]])
    padded = targets([[[10, 40], [0, 0]], [[55, 80], [0, 0]]], [[0, -1], [0, -1]])
    values = outputs()
    for name, value in plain_loss(values, plain).items():
        assert plain_loss(values, padded)[name].item() == value.item(), name


def test_seconds_are_shares_of_the_video() -> None:
    values = outputs(1)
    whole = plain_loss(values, targets([[[10, 40]]], [[0]], 100.0))
    assert plain_loss(values, targets([[[2.5, 10]]], [[0]], 25.0))["loss"].item() == whole["loss"].item()


def test_without_an_action_all_is_finite_and_learns_that_there_is_none() -> None:
    values = outputs()
    losses = plain_loss(values, targets([[[0, 0]], [[0, 0]]], [[-1], [-1]]))
    losses["loss"].backward()
    assert all(np.isfinite(value.item()) for value in losses.values())
    for name, value in values.items():
        assert np.isfinite(value.grad.numpy()).all(), name
    assert (values["start"].grad.numpy() > 0).all()


def test_the_loss_is_the_weighted_sum_of_its_parts() -> None:
    losses = plain_loss(outputs(), targets([[[10, 40]], [[55, 80]]], [[0], [0]]))
    parts = losses["tem"] + 10 * losses["pem_reg"] + losses["pem_cls"]
    assert losses["loss"].item() == pytest.approx(parts.item(), rel=1e-6)
    assert min(losses[name].item() for name in ("tem", "pem_reg", "pem_cls")) > 0
    assert isinstance(losses["loss"], Tensor) and losses["tem"].stop_gradient
