from __future__ import annotations

import paddle
import pytest

from paddlevideo.modeling.backbones import ShuffleNet3D
from paddlevideo.modeling.backbones.shufflenet3d import ShuffleUnit3D
from paddlevideo.modeling.layers import channel_groups, interleave


def test_channel_shuffle_takes_from_the_groups_in_turn() -> None:
    x = paddle.arange(6).reshape([1, 6, 1, 1, 1]) * paddle.ones([2, 6, 2, 3, 4], "int64")
    parts = channel_groups(x, 3)
    assert [part[0, :, 0, 0, 0].tolist() for part in parts] == [[0, 1], [2, 3], [4, 5]]
    y = interleave(parts)
    assert y.shape == [2, 6, 2, 3, 4]
    assert y[1, :, 1, 2, 3].tolist() == [0, 2, 4, 1, 3, 5]


@pytest.mark.parametrize("groups", [1, 2, 3, 4, 8])
def test_time_shrinks_sixteenfold_and_space_by_32(groups: int) -> None:
    network = ShuffleNet3D(width=1.0, groups=groups)
    network.eval()
    channels = {1: 576, 2: 800, 3: 960, 4: 1088, 8: 1536}[groups]
    assert network(paddle.zeros([1, 3, 16, 64, 32])).shape == [1, channels, 1, 2, 1]
    assert network.out_channels == channels


def test_clip_of_32_frames_keeps_two() -> None:
    network = ShuffleNet3D(width=0.25)
    network.eval()
    assert network(paddle.zeros([2, 3, 32, 32, 64])).shape == [2, 240, 2, 1, 2]


@pytest.mark.parametrize("frames", [8, 24])
def test_other_clip_lengths_are_refused(frames: int) -> None:
    with pytest.raises(ValueError, match=rf"multiple of 16 frames, got {frames}; change MODEL.input.num_frames"):
        ShuffleNet3D(width=0.25)(paddle.zeros([1, 3, frames, 32, 32]))


def test_halving_unit_puts_the_pooled_input_behind_its_own_channels() -> None:
    unit = ShuffleUnit3D(6, 24, stride=2, groups=3)
    unit.eval()
    out = unit(paddle.ones([1, 6, 2, 4, 4]))
    assert out.shape == [1, 24, 1, 2, 2]
    # the padded zeros count: 4 of 9 pixels at the corner, 6 at a side, all inside
    assert out[0, 18, 0].numpy() == pytest.approx(paddle.to_tensor([[4 / 9, 6 / 9], [6 / 9, 1]]).numpy())


def test_only_a_first_convolution_of_24_channels_is_not_grouped() -> None:
    assert ShuffleNet3D(width=1.0).layer1[0].conv1.weight.shape == [60, 24, 1, 1, 1]
    assert ShuffleNet3D(width=2.0).layer1[0].conv1.weight.shape == [120, 16, 1, 1, 1]


def test_groups_and_widths_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="1, 2, 3, 4, 8, got 5"):
        ShuffleNet3D(groups=5)
    with pytest.raises(ValueError, match=r"width 0.125 gives 3 channels and then 30, .* multiples of 3 and 12"):
        ShuffleNet3D(width=0.125)
