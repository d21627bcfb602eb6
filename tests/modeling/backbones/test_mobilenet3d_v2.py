from __future__ import annotations

import paddle
import pytest

from paddlevideo.modeling.backbones import MobileNet3DV2
from paddlevideo.modeling.backbones.mobilenet3d_v2 import InvertedResidual3D


@pytest.mark.parametrize(("frames", "left"), [(8, 1), (16, 1), (32, 2)])
def test_time_shrinks_sixteenfold_and_space_by_32(frames: int, left: int) -> None:
    network = MobileNet3DV2(width=0.125)
    network.eval()
    assert network(paddle.zeros([1, 3, frames, 64, 32])).shape == [1, 1280, left, 2, 1]


@pytest.mark.parametrize(("width", "channels"), [(0.5, 1280), (1.0, 1280), (1.25, 1600)])
def test_the_last_layer_grows_but_does_not_shrink(width: float, channels: int) -> None:
    assert MobileNet3DV2(width=width).out_channels == channels


def test_repeated_blocks_have_a_shortcut() -> None:
    blocks = [layer for layer in MobileNet3DV2(width=0.25).sublayers() if isinstance(layer, InvertedResidual3D)]
    assert [number for number, block in enumerate(blocks, start=1) if block.has_shortcut] == [
        3, 5, 6, 8, 9, 10, 12, 13, 15, 16
    ]  # fmt: skip


def test_a_block_ends_without_activation() -> None:
    block = InvertedResidual3D(4, 4, 1, expansion=6)
    block.conv[-1].weight.set_value(paddle.zeros([4]))
    block.conv[-1].bias.set_value(paddle.to_tensor([-9.0, -1.0, 1.0, 9.0]))
    x = paddle.rand([2, 4, 2, 3, 3])
    change = (block(x) - x).mean([0, 2, 3, 4]).numpy()
    assert change == pytest.approx([-9, -1, 1, 9], abs=1e-5)


def test_a_halving_block_of_equal_channels_has_no_shortcut() -> None:
    assert InvertedResidual3D(4, 4, 2, expansion=6)(paddle.rand([2, 4, 4, 4, 4])).shape == [2, 4, 2, 2, 2]
