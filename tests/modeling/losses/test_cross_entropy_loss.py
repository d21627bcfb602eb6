from __future__ import annotations

import math

import numpy as np
import paddle
import pytest

from paddlevideo.modeling.losses.cross_entropy_loss import CrossEntropyLoss


def loss_of(logits: list[list[float]], labels: list[int], **options: float) -> dict[str, float]:
    targets = {"labels": paddle.to_tensor(np.array(labels)[:, None])}
    losses = CrossEntropyLoss(**options)(paddle.to_tensor(np.array(logits, np.float32)), targets)
    return {name: float(value) for name, value in losses.items()}


def test_mean_over_the_samples_that_have_a_class() -> None:
    rows = [[0.0, math.log(3)], [0.0, math.log(3)], [5.0, 5.0]]
    # the true classes have the probabilities 3/4 and 1/4
    expected = {"loss": -(math.log(0.75) + math.log(0.25)) / 2, "accuracy": 0.5}
    assert loss_of(rows, [1, 0, -1]) == pytest.approx(expected)


def test_smoothing_spreads_a_share_of_the_truth() -> None:
    logs = [math.log(0.75), math.log(0.25)]
    expected = -(0.8 * logs[0] + 0.2 * sum(logs) / 2)
    assert loss_of([[math.log(3), 0.0]], [0], label_smoothing=0.2)["loss"] == pytest.approx(expected)
    with pytest.raises(ValueError, match="label_smoothing should be at least 0 and below 1, got 1"):
        CrossEntropyLoss(label_smoothing=1.0)


def test_nothing_to_learn_and_hopeless_logits_are_finite() -> None:
    assert loss_of([[1.0, 2.0]], [-1]) == {"loss": 0.0, "accuracy": 0.0}
    assert loss_of([[200.0, 0.0]], [1])["loss"] == pytest.approx(200.0)  # not cut off
