from __future__ import annotations

import numpy as np
import paddle
import pytest

from paddlevideo.modeling.backbones.resnet2d import ResNet2D, temporal_shift


def test_channels_come_from_the_neighbouring_frames() -> None:
    # two clips of three frames with four channels, each worth 100 * clip + 10 * frame + channel
    clip, frame, channel = np.mgrid[1:3, 1:4, 1:5]
    x = (100 * clip + 10 * frame + channel).reshape(6, 4, 1, 1).astype(np.float32)
    shifted = temporal_shift(paddle.to_tensor(x), frames=3, share=0.25).numpy().reshape(6, 4)
    assert shifted.tolist() == [
        [0, 122, 113, 114],
        [111, 132, 123, 124],
        [121, 0, 133, 134],
        [0, 222, 213, 214],
        [211, 232, 223, 224],
        [221, 0, 233, 234],
    ]


@pytest.mark.parametrize("shift", [0.0, 0.125])
def test_only_the_shift_lets_frames_know_of_each_other(shift: float) -> None:
    paddle.seed(0)
    network = ResNet2D(blocks=[1, 1, 1, 1], width=0.125, shift=shift)
    network.eval()
    clip = paddle.rand([1, 3, 4, 32, 32])
    other = clip.clone()
    other[:, :, 3] = 0.0
    before, after = network(clip).numpy(), network(other).numpy()
    assert before.shape == (4, network.out_channels, 1, 1)
    changed = [not np.allclose(a, b, atol=1e-6) for a, b in zip(before, after, strict=True)]
    assert changed == ([False, False, False, True] if shift == 0 else [True, True, True, True])


@pytest.mark.parametrize(
    "node", [{"blocks": [1, 1]}, {"width": 0.0}, {"shift": 0.6}, {"width": 0.0625, "shift": 0.125}]
)
def test_networks_that_cannot_be_are_refused(node: dict) -> None:
    with pytest.raises(ValueError, match="ResNet2D: expected blocks as four positive numbers"):
        ResNet2D(**node)
