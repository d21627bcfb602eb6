from __future__ import annotations

import numpy as np
import paddle

from paddlevideo.modeling.necks.cfam import CFAM, ChannelAttention


def test_attention_starts_as_identity() -> None:
    x = paddle.rand([2, 6, 3, 4])
    np.testing.assert_array_equal(ChannelAttention()(x).numpy(), x.numpy())


def test_attention_prefers_the_least_similar_channel() -> None:
    layer = ChannelAttention()
    layer.gamma.set_value(np.array([1.0], np.float32))
    x = np.zeros((1, 3, 1, 2), np.float32)
    x[0, 0], x[0, 1], x[0, 2] = [[9, 0]], [[9, 0]], [[0, 1]]  # channels 0 and 1 alike, 2 unlike both
    gathered = layer(paddle.to_tensor(x)).numpy() - x
    # channel 0: energies 81, 81, 0; softmax of their negatives is all on channel 2
    np.testing.assert_allclose(gathered[0, 0], x[0, 2], atol=1e-6)


def test_widths() -> None:
    block = CFAM(in_channels=7, channels=5, out_channels=3)
    block.eval()
    assert block(paddle.rand([2, 7, 4, 4])).shape == [2, 3, 4, 4]
    assert block.out_channels == 3
