"""Costs in numpy that tell their gradient too, and how a loss made of them takes part in Paddle's backward pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle
from paddle import Tensor

from paddlevideo.types import FloatArray, IntArray


def with_gradient(x: Tensor, value: float, gradient: FloatArray) -> Tensor:
    """A number that depends on `x`, in float32, whose gradient by `x` is known and of the shape of `x`."""
    return _WithGradient.apply(x, value, gradient)


class _WithGradient(paddle.autograd.PyLayer):
    @staticmethod
    def forward(context: Any, x: Tensor, value: float, gradient: FloatArray) -> Tensor:
        context.gradient, context.dtype = gradient, x.dtype
        return paddle.full([], value, "float32")

    @staticmethod
    def backward(context: Any, slope: Tensor) -> Tensor:
        return paddle.scale(paddle.to_tensor(context.gradient), slope).astype(context.dtype)


def smooth_l1(error: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Half of the square up to 1, straight beyond it (Girshick 2015, eq. 3); cost and slope of the shape of `error`."""
    slope: FloatArray = error.clip(-1, 1)
    return slope * (error - 0.5 * slope), slope


def focal(logits: FloatArray, labels: IntArray, gamma: float) -> tuple[FloatArray, FloatArray]:
    """Focal loss of one label a row (Lin et al. 2017).

    Args:
        logits: `[R, C]`.
        labels: `[R]`.
        gamma: exponent.

    Returns:
        Cost `[R]` and its gradient by the logits, `[R, C]`.
    """
    row = np.arange(len(labels))
    log_p = logits - logits.max(-1, keepdims=True)
    log_p -= np.log(np.exp(log_p).sum(-1, keepdims=True))
    p = np.exp(log_p)
    right, miss = log_p[row, labels], (1 - p[row, labels]).clip(1e-12)
    slope = gamma * miss ** (gamma - 1) * (1 - miss) * right - miss**gamma  # by log p of the label
    gradient = -slope[:, None] * p
    gradient[row, labels] += slope
    return miss**gamma * -right, gradient
