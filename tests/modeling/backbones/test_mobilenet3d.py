from __future__ import annotations

import math

import paddle
import pytest

from paddlevideo.modeling.backbones import MobileNet3D


@pytest.mark.parametrize(("frames", "left"), [(8, 1), (16, 1), (32, 2)])
def test_time_shrinks_sixteenfold_and_space_by_32(frames: int, left: int) -> None:
    network = MobileNet3D(width=0.125)
    network.eval()
    assert network(paddle.zeros([1, 3, frames, 64, 32])).shape == [1, 128, left, 2, 1]
    assert network.out_channels == 128


def test_channels_mix_in_the_second_convolution_only() -> None:
    block = MobileNet3D(width=0.25).features[3]
    assert block.conv1.weight.shape == [32, 1, 3, 3, 3]
    assert block.conv2.weight.shape == [32, 32, 1, 1, 1]


def test_weights_start_uniform_by_fan_in() -> None:
    paddle.seed(0)
    weight = MobileNet3D(width=0.5).features[13].conv2.weight
    bound = 1 / math.sqrt(512)
    assert float(weight.abs().max()) == pytest.approx(bound, rel=1e-3)
    assert float(weight.std()) == pytest.approx(bound / math.sqrt(3), rel=0.01)
