"""A model whose clips move on by a frame or a few, so that most of their stem was computed for the clip before.

With a kernel of 2P + 1 frames the output of the stem at one time depends on the P frames before and after it alone. It
is the same in all clips that hold those, and is computed once. The first and the last P outputs of a clip see zeros
beyond its ends instead of frames, so they are its own.
"""

from __future__ import annotations

from collections.abc import Callable

import paddle
from paddle import Tensor, nn
from paddle.nn import functional as F

from paddlevideo.modeling.backbones.clip_backbone import ClipBackbone
from paddlevideo.types import InputSpec, Tensors


class Sliding(nn.Layer):
    """A model in a form that is given maps of the stem, and gives the new ones with its answers.

    Args:
        model: whose only input is a clip; owns the weights.
        backbone: its branch for clips.
        answer: the model's raw outputs from features of that branch and the last frame `[B, 3, H, W]` of the clip.
    """

    def __init__(self, model: nn.Layer, backbone: ClipBackbone, answer: Callable[[Tensor, Tensor], Tensors]) -> None:
        super().__init__()
        self.model, self.backbone, self.answer = model, backbone, answer
        self.padding: int = backbone.convolution.weight.shape[2] // 2

    def forward(self, inputs: Tensors) -> Tensors:
        """Raw outputs for a clip of T frames, S of them new, and `maps [B, C, S, H', W']` for the next clips.

        The inputs are its first frames, `head [B, 3, 2P, H, W]`, its last ones, `tail [B, 3, 2P + S, H, W]`, and what
        is known of those between, `maps [B, C, 1 + T - 2P - S, H', W']`. The first map is of no use: without it there
        would be none for a clip of which nothing is known.
        """
        first = self.stem(inputs["head"], self.padding, 0)  # P of them
        last = self.stem(inputs["tail"], 0, self.padding)  # S inside the clip, then P
        features = self.backbone.after_stem(paddle.concat([first, inputs["maps"][:, :, 1:], last], axis=2))
        return {**self.answer(features, inputs["tail"][:, :, -1]), "maps": last[:, :, : -self.padding]}

    def stem(self, frames: Tensor, before: int, after: int) -> Tensor:
        """Maps of frames `[B, 3, T, H, W]` with so many frames of zeros before and after them."""
        layer = self.backbone.convolution
        height, width = (size // 2 for size in layer.weight.shape[3:])
        padding = [before, after, height, height, width, width]
        return self.backbone.each(F.conv3d(frames, layer.weight, layer.bias, layer._stride, padding))

    def decode(self, outputs: Tensors) -> Tensors:
        """As the model decodes, and the maps as they are."""
        return {**self.model.decode(outputs), "maps": outputs["maps"]}

    @paddle.no_grad()
    def maps_shape(self, clip: InputSpec) -> tuple[int, ...]:
        """Of what is kept of a clip `[3, T, H, W]`: `[C, 1 + T - 2P, H', W']`."""
        maps = self.stem(paddle.zeros([1, *clip.shape]), 0, 0)
        channels, inside, *plane = maps.shape[1:]
        return channels, 1 + inside, *plane

    def spec(self, clip: InputSpec) -> dict[str, InputSpec]:
        """Shapes of the inputs for clips `[3, T, H, W]`, without a batch axis."""
        channels, _, *plane = clip.shape
        maps_channels, _, *maps_plane = self.maps_shape(clip)
        return {
            "head": InputSpec((channels, 2 * self.padding, *plane)),
            "tail": InputSpec((channels, None, *plane)),
            "maps": InputSpec((maps_channels, None, *maps_plane)),
        }
