from __future__ import annotations

import numpy as np
import paddle
import pytest

from paddlevideo.modeling.backbones import ResNeXt3D


@pytest.mark.parametrize(("frames", "left"), [(8, 1), (16, 1), (32, 2)])
def test_time_shrinks_sixteenfold_and_space_by_32(frames: int, left: int) -> None:
    network = ResNeXt3D(blocks=[1, 1, 1, 1], cardinality=2, width=0.125)
    network.eval()
    out = network(paddle.zeros([1, 3, frames, 64, 32]))
    assert out.shape == [1, network.out_channels, left, 2, 1]


def test_order_of_frames_matters() -> None:
    paddle.seed(0)
    network = ResNeXt3D(blocks=[1, 1, 1, 1], cardinality=2, width=0.125)
    network.eval()
    clip = paddle.rand([1, 3, 8, 32, 32])
    difference = np.abs((network(clip) - network(clip.flip(2))).numpy()).max()
    assert difference > 1e-3


def test_blocks_of_another_number_of_stages_are_refused() -> None:
    with pytest.raises(ValueError, match=r"four numbers.*\[1, 1\]"):
        ResNeXt3D(blocks=[1, 1])
