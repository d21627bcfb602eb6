from __future__ import annotations

import math
from typing import Any

import numpy as np
import paddle
import pytest

from paddlevideo.modeling.heads.yowo_head import ClassProbabilities
from paddlevideo.modeling.losses import MultiLabelRegionLoss, RegionLoss, YOWOPlusLoss

BOXES = paddle.to_tensor([[[0.1, 0.1, 0.4, 0.5], [0.5, 0.5, 0.9, 0.9]]])
LABELS = paddle.to_tensor([[[1, 0, 1], [0, 1, 0]]])
PADDED = paddle.to_tensor([[[1, 0, 1], [-1, -1, -1]]])


def make(kind: type) -> tuple[Any, paddle.Tensor]:
    paddle.seed(0)
    probabilities = ClassProbabilities(3, exclusive=2)
    if kind is MultiLabelRegionLoss:
        return kind([[1.0, 1.0], [2.0, 3.0]], probabilities), paddle.randn([1, 2, 8, 4, 4])
    return kind([[32.0, 32.0], [64.0, 96.0]], probabilities, focal_gamma=0.5), paddle.randn([1, 16, 4, 4])


@pytest.mark.parametrize("kind", [MultiLabelRegionLoss, YOWOPlusLoss])
def test_each_wrong_label_costs(kind: type) -> None:
    loss, raw = make(kind)
    right = loss(raw, {"boxes": BOXES, "labels": LABELS})
    other = loss(raw, {"boxes": BOXES, "labels": paddle.to_tensor([[[1, 0, 0], [0, 1, 0]]])})
    assert right["class"].item() != other["class"].item()
    for part in right:
        if part not in ("loss", "class"):
            assert right[part].item() == other[part].item(), part


@pytest.mark.parametrize("kind", [MultiLabelRegionLoss, YOWOPlusLoss])
def test_padding_and_empty_samples_cost_no_class(kind: type) -> None:
    loss, raw = make(kind)
    one = loss(raw, {"boxes": BOXES[:, :1], "labels": PADDED[:, :1]})
    padded = loss(raw, {"boxes": BOXES, "labels": PADDED})
    assert padded["loss"].item() == pytest.approx(one["loss"].item(), rel=1e-6)
    empty = loss(raw, {"boxes": BOXES, "labels": paddle.full([1, 2, 3], -1, "int64")})
    assert empty["class"].item() == 0 and math.isfinite(empty["loss"].item())


def test_class_term_is_a_mean_over_boxes_and_the_others_are_those_of_the_region_loss() -> None:
    loss, raw = make(MultiLabelRegionLoss)
    single = RegionLoss([[1.0, 1.0], [2.0, 3.0]])(raw, {"boxes": BOXES, "labels": paddle.to_tensor([[0, 1]])})
    both = loss(raw, {"boxes": BOXES, "labels": LABELS})
    for part in ("x", "y", "w", "h", "confidence", "recall"):
        assert both[part].item() == single[part].item(), part
    alone = [loss(raw, {"boxes": BOXES[:, i : i + 1], "labels": LABELS[:, i : i + 1]})["class"].item() for i in (0, 1)]
    assert both["class"].item() == pytest.approx(np.mean(alone), rel=1e-5)


@pytest.mark.parametrize("kind", [MultiLabelRegionLoss, YOWOPlusLoss])
def test_the_loss_is_the_same_where_no_gradient_is_asked_for(kind: type) -> None:
    loss, raw = make(kind)
    targets = {"boxes": BOXES, "labels": LABELS}
    with paddle.no_grad():
        without = loss(raw, targets)["loss"].item()
    raw.stop_gradient = False
    assert without == loss(raw, targets)["loss"].item()


def test_class_ratio_without_several_labels_is_refused() -> None:
    with pytest.raises(ValueError, match=r"set head\.exclusive, or remove it"):
        YOWOPlusLoss([[32.0, 32.0]], class_ratio=[0.1])
