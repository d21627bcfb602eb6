from __future__ import annotations

import numpy as np
import paddle
import pytest

from paddlevideo.modeling.backbones.resnet2d import Bottleneck2D, ResNet2D


def test_a_block_takes_channels_from_both_neighbouring_frames() -> None:
    block = Bottleneck2D(in_channels=4, channels=1, stride=1, shift=0.25)
    seen = []
    block.conv1.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].numpy()))
    # two clips of three frames with four channels, each worth 100 * clip + 10 * frame + channel
    clip, frame, channel = np.mgrid[1:3, 1:4, 1:5]
    x = (100 * clip + 10 * frame + channel).reshape(6, 4, 1, 1).astype(np.float32)
    block(paddle.to_tensor(x), 3)
    assert seen[0].reshape(6, 4).tolist() == [
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
