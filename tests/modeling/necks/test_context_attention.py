from __future__ import annotations

import numpy as np
import paddle
import pytest

from paddlevideo.modeling.necks import ContextAttention


@pytest.fixture
def layer() -> ContextAttention:
    paddle.seed(0)
    layer = ContextAttention(in_channels=6, bank_channels=3, channels=8)
    layer.project.weight.set_value(paddle.randn(layer.project.weight.shape))
    layer.eval()
    return layer


def test_missing_rows_do_not_count(layer: ContextAttention) -> None:
    x, bank = paddle.randn([2, 6, 3, 4]), paddle.randn([2, 5, 3])
    short = layer(x, bank[:, :2], paddle.ones([2, 2]))
    present = paddle.to_tensor([[1.0, 1, 0, 0, 0]] * 2)
    np.testing.assert_allclose(layer(x, bank, present).numpy(), short.numpy(), atol=1e-5)
    assert np.abs((layer(x, bank, paddle.ones([2, 5])) - short).numpy()).max() > 1e-3


def test_order_in_the_bank_does_not_matter_and_cells_ask_differently(layer: ContextAttention) -> None:
    x, bank, present = paddle.randn([1, 6, 2, 2]), paddle.randn([1, 4, 3]), paddle.ones([1, 4])
    added = (layer(x, bank, present) - x).numpy()
    np.testing.assert_allclose((layer(x, bank.flip(1), present) - x).numpy(), added, atol=1e-5)
    assert np.abs(added[..., 0, 0] - added[..., 1, 1]).max() > 1e-4


def test_an_empty_bank_is_finite(layer: ContextAttention) -> None:
    out = layer(paddle.randn([1, 6, 2, 2]), paddle.zeros([1, 4, 3]), paddle.zeros([1, 4]))
    assert np.isfinite(out.numpy()).all()
