from __future__ import annotations

import numpy as np
import paddle
import pytest

from paddlevideo.modeling.backbones import ShuffleNet3DV2
from paddlevideo.modeling.backbones.shufflenet3d_v2 import SplitUnit3D


@pytest.mark.parametrize(("frames", "left"), [(8, 1), (16, 1), (32, 2)])
@pytest.mark.parametrize("last_channels", [None, 40])
def test_time_shrinks_sixteenfold_and_space_by_32(frames: int, left: int, last_channels: int | None) -> None:
    network = ShuffleNet3DV2(width=0.25, last_channels=last_channels)
    network.eval()
    out = network(paddle.zeros([1, 3, frames, 64, 32]))
    assert out.shape == [1, last_channels or 128, left, 2, 1]


@pytest.mark.parametrize(
    ("width", "stages"),
    [(0.25, [32, 64, 128]), (0.5, [48, 96, 192]), (1, [116, 232, 464]), (1.5, [176, 352, 704]), (2.0, [224, 488, 976])],
)
def test_widths_of_the_stages(width: float, stages: list[int]) -> None:
    network = ShuffleNet3DV2(width=width)
    found = [2 * network.features[last].branch2[0].weight.shape[0] for last in (3, 11, 15)]
    assert found == stages
    assert network.out_channels == stages[-1]
    assert ShuffleNet3DV2(width=width, last_channels=2048).out_channels == 2048


def test_unit_passes_half_of_its_input_on() -> None:
    unit = SplitUnit3D(8, 8, stride=1)
    x = paddle.rand([2, 8, 2, 3, 3])
    out = unit(x)
    np.testing.assert_array_equal(out[:, 0::2].numpy(), x[:, :4].numpy())
    np.testing.assert_array_equal(out[:, 1::2].numpy(), unit.branch2(x[:, 4:]).numpy())


def test_halving_unit_gives_both_branches_all_of_its_input() -> None:
    unit = SplitUnit3D(6, 8, stride=2)
    unit.eval()
    x = paddle.rand([2, 6, 4, 4, 4])
    out = unit(x)
    assert out.shape == [2, 8, 2, 2, 2]
    np.testing.assert_array_equal(out[:, 0::2].numpy(), unit.branch1(x).numpy())
    np.testing.assert_array_equal(out[:, 1::2].numpy(), unit.branch2(x).numpy())


def test_another_width_is_refused() -> None:
    with pytest.raises(ValueError, match=r"0.25, 0.5, 1.0, 1.5, 2.0, got 0.75"):
        ShuffleNet3DV2(width=0.75)


def test_fewer_units() -> None:
    network = ShuffleNet3DV2(width=0.25, units=[1, 2, 1])
    assert [unit.stride for unit in network.features] == [2, 2, 1, 2]
    assert network(paddle.zeros([1, 3, 16, 32, 32])).shape == [1, 128, 1, 1, 1]
    for units in ([4, 8], [1, 0, 1]):
        with pytest.raises(ValueError, match="three numbers of at least 1, got"):
            ShuffleNet3DV2(units=units)
