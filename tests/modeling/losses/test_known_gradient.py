from __future__ import annotations

import numpy as np
import paddle
import pytest
from paddle.nn import functional as F

from paddlevideo.modeling.losses import class_terms
from paddlevideo.modeling.losses.known_gradient import focal, smooth_l1, with_gradient

LOGITS = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32) * 3
LABELS = np.array([0, 2, 1, 2, 2])


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_and_its_gradient_are_those_of_paddle(gamma: float) -> None:
    logits = paddle.to_tensor(LOGITS, stop_gradient=False)
    theirs = class_terms.focal(logits, paddle.to_tensor(LABELS), gamma)
    cost, gradient = focal(LOGITS, LABELS, gamma)
    np.testing.assert_allclose(cost, theirs.numpy(), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(gradient, paddle.grad(theirs.sum(), logits)[0].numpy(), atol=1e-5)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_certainty_is_finite_right_or_wrong(gamma: float) -> None:
    cost, gradient = focal(np.array([[400.0, 0.0], [400.0, 0.0]], np.float32), np.array([0, 1]), gamma)
    assert cost.tolist() == pytest.approx([0, 400])
    np.testing.assert_allclose(gradient, [[0, 0], [1, -1]], atol=1e-5)


def test_smooth_l1_and_its_slope_are_those_of_paddle() -> None:
    error = paddle.to_tensor([-3.0, -1.0, -0.5, 0.0, 0.25, 1.0, 2.0], stop_gradient=False)
    theirs = F.smooth_l1_loss(error, paddle.zeros_like(error), reduction="none")
    cost, slope = smooth_l1(error.numpy())
    np.testing.assert_allclose(cost, theirs.numpy(), rtol=1e-6)
    np.testing.assert_allclose(slope, paddle.grad(theirs.sum(), error)[0].numpy(), rtol=1e-6)


def test_the_known_gradient_is_multiplied_on_its_way_and_goes_on() -> None:
    x = paddle.to_tensor([1.0, 2.0], stop_gradient=False)
    total = with_gradient(x * 2, 7.0, np.array([3.0, 5.0], np.float32))
    assert total.item() == 7.0 and total.dtype == paddle.float32
    (total / 4).backward()
    assert x.grad.tolist() == [2 * 3 / 4, 2 * 5 / 4]


def test_half_precision_gets_a_gradient_of_its_own_type() -> None:
    x = paddle.zeros([2], "bfloat16")
    x.stop_gradient = False
    (gradient,) = paddle.grad(with_gradient(x, 7.0, np.array([3.0, 5.0], np.float32)), x)
    assert gradient.dtype == paddle.bfloat16 and gradient.astype("float32").tolist() == [3, 5]
