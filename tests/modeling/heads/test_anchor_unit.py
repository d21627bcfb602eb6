"""The contract of `anchor_unit`, for every head that has anchors."""

from __future__ import annotations

import numpy as np
import paddle
import pytest

from paddlevideo.registry import HEADS
from paddlevideo.tasks import parts

assert parts.REGISTERED
ANCHORED = [name for name in HEADS if hasattr(HEADS.get(name), "anchor_unit")]


def test_there_are_such_heads() -> None:
    assert len(ANCHORED) >= 2


@pytest.mark.parametrize("name", ANCHORED)
def test_a_network_that_says_nothing_answers_with_its_anchors(name: str) -> None:
    """`anchor_unit` is the number of pixels that an anchor of width 1 is wide, on frames of any size."""
    anchors = [[1.5, 0.75], [2.0, 1.0]]
    head = HEADS.build({"name": name, "anchors": anchors}, in_channels=4, num_classes=3)
    head.conv.weight.set_value(paddle.zeros_like(head.conv.weight))
    if head.conv.bias is not None:
        head.conv.bias.set_value(paddle.zeros_like(head.conv.bias))
    boxes = head.decode(head(paddle.zeros([1, 4, 5, 9])))["boxes"].numpy()[0]
    middle = boxes[(2 * 9 + 4) * 2 :][:2]  # both anchors of the cell in the middle, which the frame's edge does not cut
    sides = (middle[:, 2:] - middle[:, :2]) * [9 * 32, 5 * 32]
    np.testing.assert_allclose(sides, np.array(anchors) * head.anchor_unit, rtol=1e-4)
