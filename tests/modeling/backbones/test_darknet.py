from __future__ import annotations

import numpy as np
import paddle

from paddlevideo.modeling.backbones.darknet import Darknet19, space_to_depth


def test_space_to_depth_groups_pixels_of_a_block_row_by_row() -> None:
    x = paddle.arange(2 * 4 * 4).reshape([1, 2, 4, 4]).astype("float32")
    y = space_to_depth(x).numpy()
    assert y.shape == (1, 8, 2, 2)
    for i in (0, 1):
        for j in (0, 1):
            group = 2 * (2 * i + j)
            np.testing.assert_array_equal(y[0, group : group + 2], x.numpy()[0, :, i::2, j::2])


def test_small_variant_keeps_the_stride_of_32() -> None:
    network = Darknet19(out_channels=10, width=0.125)
    network.eval()
    assert network(paddle.zeros([2, 3, 64, 96])).shape == [2, 10, 2, 3]
