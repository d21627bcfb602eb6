from __future__ import annotations

import math

import numpy as np
import paddle
import pytest

from paddlevideo.modeling.heads import YOWOHead


def test_decode_of_one_known_cell() -> None:
    head = YOWOHead(in_channels=4, num_classes=2, anchors=[[1.0, 1.0], [2.0, 0.5]])
    raw = np.zeros((1, 2, 7, 2, 4), np.float32)  # grid of 2 rows, 4 columns
    raw[0, 1, :, 1, 2] = [0.0, math.log(3), math.log(1.5), 0.0, math.log(4), 1.0, 1.0 + math.log(3)]
    out = head.decode(paddle.to_tensor(raw))
    index = (1 * 4 + 2) * 2 + 1  # row, column, anchor
    # centre (2 + 1/2, 1 + 3/4) cells, size (2 * 1.5, 0.5) cells, of a 4 x 2 grid
    expected = [(2.5 - 1.5) / 4, (1.75 - 0.25) / 2, (2.5 + 1.5) / 4, (1.75 + 0.25) / 2]
    np.testing.assert_allclose(out["boxes"].numpy()[0, index], expected, atol=1e-6)
    assert out["objectness"].numpy()[0, index] == pytest.approx(0.8)
    np.testing.assert_allclose(out["probabilities"].numpy()[0, index], [0.25, 0.75], atol=1e-6)


def test_output_has_anchors_first() -> None:
    head = YOWOHead(in_channels=4, num_classes=3, anchors=[[1.0, 1.0], [2.0, 0.5]])
    x = paddle.rand([2, 4, 3, 5])
    raw = head(x)
    assert raw.shape == [2, 2, 8, 3, 5]
    np.testing.assert_array_equal(raw.numpy()[:, 1, 0], head.conv(x).numpy()[:, 8])


@pytest.mark.parametrize("anchors", [[], [[1.0]], [[1.0, -1.0]]])
def test_bad_anchors_are_refused(anchors: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="positive width and height"):
        YOWOHead(4, 3, anchors)


def test_no_classes_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one class"):
        YOWOHead(4, 0, [[1.0, 1.0]])
