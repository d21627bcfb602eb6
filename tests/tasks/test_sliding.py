"""A network in parts gives the answers of the whole one, whatever clips come."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import paddle
import pytest
from paddle import Tensor, nn

from paddlevideo.engines import Network
from paddlevideo.modeling.backbones.clip_backbone import ClipBackbone
from paddlevideo.modeling.sliding import Sliding
from paddlevideo.registry import BACKBONES
from paddlevideo.tasks.sliding import SlidingNetwork, eager_parts
from paddlevideo.types import Arrays, FloatArray, Tensors

TOLERANCE = 1e-5  # relative to the largest value
NODES: list[dict[str, Any]] = [
    {"name": "ResNeXt3D", "blocks": [1, 1, 1, 1], "cardinality": 2, "width": 0.0625},
    {"name": "ResNet3D", "depth": 18, "width": 0.0625},
    {"name": "MobileNet3D", "width": 0.125},
    {"name": "MobileNet3DV2", "width": 0.125},
    {"name": "ShuffleNet3D", "width": 0.5, "groups": 1},
    {"name": "ShuffleNet3DV2", "width": 0.25, "units": [1, 1, 1]},
]


class Small(ClipBackbone):
    """A stem of any kernel and padding, and a layer that mixes times."""

    def __init__(self, kernel: int, padding: int, bias: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv3D(
            3, 4, (kernel, 3, 5), (1, 2, 1), (padding, 0, 2), dilation=(1, 2, 1), bias_attr=None if bias else False
        )
        self.norm, self.mix = nn.BatchNorm3D(4), nn.Conv3D(4, 2, 3, padding=1)

    @property
    def convolution(self) -> Any:
        return self.conv

    def each(self, x: Tensor) -> Tensor:
        return nn.functional.relu(self.norm(x))

    def after_stem(self, maps: Tensor) -> Tensor:
        return self.mix(maps)


def ready(network: ClipBackbone) -> ClipBackbone:
    """The network in eval mode with normalisations and biases that do something."""
    rng = np.random.default_rng(0)
    for name, value in network.state_dict().items():
        if name.endswith(("_mean", "_variance", "bias")):
            value.set_value(rng.uniform(0.5, 1.5, value.shape).astype(np.float32))
    network.eval()
    return network


def in_parts(backbone: ClipBackbone) -> Sliding:
    """The backbone alone, which answers with its features and the last frame."""

    def rest(maps: Tensor, frame: Tensor) -> Tensors:
        return {"features": backbone.after_stem(maps), "frame": frame}

    return Sliding(backbone.convolution, backbone.each, rest)


def sliding(backbone: ClipBackbone, keep: int = 1) -> tuple[SlidingNetwork, list[str]]:
    """The network in parts, and the names of the parts as they run."""
    parts, runs = in_parts(backbone), []

    def noted(name: str, part: Network) -> Network:
        def run(inputs: Arrays) -> Arrays:
            runs.append(name)
            return part(inputs)

        return run

    noting = {name: noted(name, part) for name, part in eager_parts(parts).items()}
    return SlidingNetwork(noting, **parts.facts, keep=keep), runs


def clips_of(frames: FloatArray, length: int = 16, step: int = 1) -> Iterator[FloatArray]:
    """The clips `[1, 3, length, H, W]` that end at each of the frames `[3, N, H, W]`; the first frame is repeated."""
    for last in range(frames.shape[1]):
        yield frames[None, :, np.maximum(last - step * np.arange(length - 1, -1, -1), 0)]


def video(count: int, seed: int = 0, size: int = 16) -> FloatArray:
    return np.random.default_rng(seed).random((3, count, size, size), np.float32)


@paddle.no_grad()
def assert_right(network: SlidingNetwork, backbone: ClipBackbone, clip: FloatArray) -> None:
    expected, found = backbone(paddle.to_tensor(clip)).numpy(), network({"clip": clip})
    np.testing.assert_allclose(found["features"], expected, rtol=0, atol=TOLERANCE * np.abs(expected).max())
    np.testing.assert_array_equal(found["frame"], clip[:, :, -1:])


def test_every_3d_backbone_offers_its_parts() -> None:
    offering = {name for name in BACKBONES if issubclass(BACKBONES.get(name), ClipBackbone)}
    assert offering == {node["name"] for node in NODES} == {name for name in BACKBONES if "3D" in name}


@pytest.mark.parametrize("node", NODES, ids=lambda node: node["name"])
def test_backbones_of_the_zoo(node: dict[str, Any]) -> None:
    paddle.seed(0)
    backbone = ready(BACKBONES.build(node))
    network, runs = sliding(backbone)
    for clip in clips_of(video(4, size=32)):
        assert_right(network, backbone, clip)
    assert runs.count("stem") == 1


def test_forty_clips_with_a_beginning_jumps_and_a_return() -> None:
    backbone = ready(Small(7, 3))
    network, runs = sliding(backbone)
    first, second = list(clips_of(video(24))), list(clips_of(video(16, seed=1)))
    clips = [*first[:20], *second[:10], *second[9:12], *first[20:], first[23], *second[13:15]]
    assert len(clips) == 40
    for clip in clips:
        assert_right(network, backbone, clip)
    # the beginnings, the step back by one, the return, the same clip again, and the last jump
    assert runs.count("stem") == 6


@pytest.mark.parametrize(
    ("kernel", "padding", "length"), [(1, 0, 4), (3, 1, 4), (3, 0, 8), (5, 1, 8), (4, 2, 8), (3, 2, 8), (7, 3, 7)]
)
@pytest.mark.parametrize("bias", [True, False])
def test_any_kernel_and_padding(kernel: int, padding: int, length: int, bias: bool) -> None:
    paddle.seed(0)
    backbone = ready(Small(kernel, padding, bias))
    network, runs = sliding(backbone)
    for clip in clips_of(video(length + 6), length):
        assert_right(network, backbone, clip)
    assert runs.count("stem") == 1


@pytest.mark.parametrize("moved", [2, 3, 4])
def test_a_clip_that_moves_on_by_some_frames(moved: int) -> None:
    backbone = ready(Small(7, 3))
    network, runs = sliding(backbone)
    for clip in list(clips_of(video(24)))[::moved]:
        assert_right(network, backbone, clip)
    assert runs.count("stem") == 1


def test_a_clip_that_moves_on_by_more_takes_the_whole_stem() -> None:
    backbone = ready(Small(7, 3))
    network, runs = sliding(backbone)
    for clip in list(clips_of(video(40)))[::5]:
        assert_right(network, backbone, clip)
    assert runs == ["stem", "rest"] * 8


def test_clips_of_every_second_frame_take_turns() -> None:
    backbone = ready(Small(7, 3))
    network, runs = sliding(backbone, keep=2)
    for clip in clips_of(video(24), step=2):
        assert_right(network, backbone, clip)
    assert runs.count("stem") == 2


def test_the_clip_not_met_for_longest_is_forgotten() -> None:
    backbone = ready(Small(3, 1))
    network, runs = sliding(backbone, keep=2)
    one, two, three = (list(clips_of(video(3, seed))) for seed in range(3))
    for clip in (one[0], two[0], one[1], three[0], one[2], three[1]):
        assert_right(network, backbone, clip)
    assert runs.count("stem") == 3
    assert_right(network, backbone, two[1])
    assert runs.count("stem") == 4


def test_streams_that_take_turns() -> None:
    backbone = ready(Small(7, 3))
    network, runs = sliding(backbone, keep=3)
    for clips in zip(*(clips_of(video(6, seed)) for seed in range(3)), strict=True):
        for clip in clips:
            assert_right(network, backbone, clip)
    assert runs.count("stem") == 3


def test_a_batch_is_answered_in_order() -> None:
    backbone = ready(Small(3, 1))
    network, _ = sliding(backbone)
    clips = np.concatenate(list(clips_of(video(6))))
    one_by_one = [network({"clip": clip[None]}) for clip in clips]
    together = sliding(backbone)[0]({"clip": paddle.to_tensor(clips)})
    for name, values in together.items():
        np.testing.assert_array_equal(values, np.concatenate([answer[name] for answer in one_by_one]))


def test_a_frame_that_differs_anywhere_is_a_new_frame() -> None:
    backbone = ready(Small(7, 3))
    network, runs = sliding(backbone)
    first, second = list(clips_of(video(20)))[-2:]
    network({"clip": first})
    changed = second.copy()
    changed[0, 2, 7, -1, -1] += 1e-6
    assert_right(network, backbone, changed)
    assert runs.count("stem") == 2


def test_changing_a_clip_afterwards_changes_nothing() -> None:
    backbone = ready(Small(7, 3))
    network, runs = sliding(backbone)
    for clip in clips_of(video(20)):
        assert_right(network, backbone, clip)
        clip[:] = -1
    assert runs.count("stem") == 1


def test_a_clip_of_another_size_is_a_new_clip() -> None:
    backbone = ready(Small(3, 1))
    network, _ = sliding(backbone)
    for length, size in ((8, 16), (8, 20), (12, 16)):
        for clip in list(clips_of(video(3, size=size), length)):
            assert_right(network, backbone, clip)


def kept(network: SlidingNetwork) -> int:
    """Bytes that the network keeps of clips."""
    arrays = [array for clip in network.clips for array in (*clip.frames, *clip.early, *clip.maps, clip.sums)]
    return sum(array.nbytes for array in arrays if array is not None)


def test_what_is_kept_does_not_grow() -> None:
    network, _ = sliding(ready(Small(7, 3)), keep=2)
    frames = video(90)
    sizes = []
    for clip in clips_of(frames, step=2):
        network({"clip": clip})
        sizes.append(kept(network))
    assert sizes[1] < sizes[4] == sizes[-1]


@pytest.mark.parametrize(
    "options", [{"stride": (2, 1, 1)}, {"dilation": 2}, {"groups": 3}, {"padding_mode": "reflect"}]
)
def test_a_stem_that_clips_cannot_share_is_refused(options: dict[str, Any]) -> None:
    backbone = Small(3, 1)
    backbone.conv = nn.Conv3D(3, 6, 3, **options)
    with pytest.raises(ValueError, match="derive the backbone from"):
        in_parts(backbone)


def test_parts_are_made_of_the_weights_as_they_are() -> None:
    backbone = ready(Small(7, 3))
    first, second = list(clips_of(video(20)))[-2:]
    backbone.conv.weight.set_value(backbone.conv.weight * 2)
    network, _ = sliding(backbone)
    network({"clip": first})
    assert_right(network, backbone, second)
