from __future__ import annotations

import math
from typing import Literal

import numpy as np
import paddle
import pytest

from paddlevideo.modeling.backbones import ResNet3D
from paddlevideo.modeling.backbones.resnet3d import BasicBlock3D, HalvingShortcut


@pytest.mark.parametrize("depth", [18, 50])
@pytest.mark.parametrize(("frames", "left"), [(8, 1), (16, 1), (32, 2)])
def test_time_shrinks_sixteenfold_and_space_by_32(depth: Literal[18, 50], frames: int, left: int) -> None:
    network = ResNet3D(depth=depth, width=0.0625)
    network.eval()
    out = network(paddle.zeros([1, 3, frames, 64, 32]))
    assert out.shape == [1, network.out_channels, left, 2, 1]


@pytest.mark.parametrize(("depth", "channels"), [(18, 128), (50, 512), (101, 512)])
def test_bottlenecks_give_four_times_the_channels(depth: Literal[18, 50, 101], channels: int) -> None:
    assert ResNet3D(depth=depth, width=0.25).out_channels == channels


def test_halving_shortcut_keeps_every_second_position_and_adds_zeros() -> None:
    x = paddle.arange(2 * 3 * 3 * 4).reshape([1, 2, 3, 3, 4]).astype("float32")
    y = HalvingShortcut()(x).numpy()
    assert y.shape == (1, 4, 2, 2, 2)
    np.testing.assert_array_equal(y[0, 0], [[[0, 2], [8, 10]], [[24, 26], [32, 34]]])
    np.testing.assert_array_equal(y[0, 1], y[0, 0] + 36)
    assert not y[0, 2:].any()


@pytest.mark.parametrize(("stride", "passes"), [(1, True), (2, False)])
def test_only_an_unchanged_shortcut_passes_gradient(stride: int, passes: bool) -> None:
    block = BasicBlock3D(4, 4 * stride, stride)
    block.bn2.weight.set_value(paddle.zeros([4 * stride]))  # closes the way through the convolutions
    x = paddle.rand([1, 4, 4, 4, 4])
    x.stop_gradient = False
    block(x).sum().backward()
    assert bool(x.grad.abs().sum() > 0) is passes


def test_weights_start_with_the_variance_of_he() -> None:
    paddle.seed(0)
    weight = ResNet3D(depth=18, width=0.5).layer4[0].conv1.weight  # 256 filters of 3x3x3
    assert float(weight.std()) == pytest.approx(math.sqrt(2 / (256 * 27)), rel=0.02)


def test_another_depth_is_refused() -> None:
    with pytest.raises(ValueError, match="18, 50, 101, got 34"):
        ResNet3D(depth=34)  # type: ignore[arg-type]
