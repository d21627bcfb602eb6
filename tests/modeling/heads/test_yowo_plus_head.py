from __future__ import annotations

import math

import numpy as np
import paddle
import pytest

from paddlevideo.modeling.heads import YOWOHead, YOWOPlusHead
from paddlevideo.modeling.heads.yowo_plus_head import split

ANCHORS = [[32.0, 32.0], [64.0, 16.0]]


def test_decode_of_one_known_cell() -> None:
    head = YOWOPlusHead(in_channels=4, num_classes=3, anchors=ANCHORS)
    raw = np.zeros((1, 2 * 8, 2, 4), np.float32)  # grid of 2 rows, 4 columns
    row, column, anchor = 1, 2, 1
    raw[0, anchor, row, column] = math.log(4)
    raw[0, 2 + anchor * 3 : 2 + anchor * 3 + 3, row, column] = [0, math.log(2), 0]
    raw[0, 8 + anchor * 4 : 8 + anchor * 4 + 4, row, column] = [0, math.log(3), math.log(0.5), 0]
    out = head.decode(paddle.to_tensor(raw))
    index = (row * 4 + column) * 2 + anchor
    centre, size = (2.5 * 32, 1.75 * 32), (32, 16)  # pixels of a frame of 128 x 64
    (x, y), (w, h) = centre, size
    expected = [(x - w / 2) / 128, (y - h / 2) / 64, (x + w / 2) / 128, (y + h / 2) / 64]
    np.testing.assert_allclose(out["boxes"].numpy()[0, index], expected, atol=1e-6)
    assert out["objectness"].numpy()[0, index] == pytest.approx(0.8)
    np.testing.assert_allclose(out["probabilities"].numpy()[0, index], [0.25, 0.5, 0.25], atol=1e-6)


def test_channels_are_grouped_by_kind() -> None:
    raw = paddle.arange(2 * 8 * 6, dtype="float32").reshape([1, 16, 2, 3])
    said = split(raw, 2)
    cell, anchor = 4, 1  # row 1, column 1
    values = raw.numpy()[0, :, 1, 1]
    assert said["confidence"].numpy()[0, cell * 2 + anchor] == values[anchor]
    np.testing.assert_array_equal(said["classes"].numpy()[0, cell * 2 + anchor], values[2 + 3 : 2 + 6])
    np.testing.assert_array_equal(said["boxes"].numpy()[0, cell * 2 + anchor], values[8 + 4 : 8 + 8])


def test_training_starts_with_rare_objects() -> None:
    head = YOWOPlusHead(in_channels=4, num_classes=3, anchors=ANCHORS)
    bias = head.conv.bias.numpy()
    np.testing.assert_allclose(1 / (1 + np.exp(-bias[:8])), 0.01, rtol=1e-5)
    assert np.abs(bias[8:]).max() <= 0.5


@pytest.mark.parametrize("head_class", [YOWOHead, YOWOPlusHead])
def test_exclusive_classes_share_a_softmax_and_the_others_do_not(head_class: type) -> None:
    probabilities = head_class(4, 5, ANCHORS, exclusive=2).probabilities
    p = probabilities(paddle.to_tensor([0.0, math.log(3), 0.0, math.log(4), -30.0])).numpy()
    np.testing.assert_allclose(p, [0.25, 0.75, 0.5, 0.8, 0], atol=1e-6)
    none = head_class(4, 2, ANCHORS, exclusive=0).probabilities
    np.testing.assert_allclose(none(paddle.to_tensor([0.0, math.log(4)])).numpy(), [0.5, 0.8], atol=1e-6)


@pytest.mark.parametrize("head_class", [YOWOHead, YOWOPlusHead])
@pytest.mark.parametrize("exclusive", [-1, 6])
def test_more_exclusive_classes_than_there_are_is_refused(head_class: type, exclusive: int) -> None:
    with pytest.raises(ValueError, match=r"exclusive should be null or in 0\.\.5"):
        head_class(4, 5, ANCHORS, exclusive=exclusive)
