"""What a clip that moves on by a frame has in common with the clip before it.

The first convolution of a 3-D backbone is linear: its output at one time is a sum over the frames around it, a tap of
the kernel for each. What a frame adds to all of these sums is computed once, when it comes. What follows on every time
step alone is done when a sum is complete, and the other layers look at the maps of a whole clip.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from paddle import Tensor, nn

from paddlevideo.types import Tensors


@dataclass(frozen=True)
class Sliding:
    """A network whose only input is a clip, in parts.

    Args:
        convolution: a `Conv3D` from clips `[B, 3, T, H, W]`; one group, step and dilation 1 in time, padded by zeros.
        each: what follows on every time step alone, `[B, C, T', H', W']` to maps `[B, C', T', H'', W'']`.
        rest: maps and the last frame `[B, 3, 1, H, W]` to decoded outputs.

    Raises:
        ValueError: the convolution is another one.
    """

    convolution: Any
    each: Callable[[Tensor], Tensor]
    rest: Callable[[Tensor, Tensor], Tensors]

    def __post_init__(self) -> None:
        layer = self.convolution
        time = {"stride": layer._stride[0], "dilation": layer._dilation[0], "groups": layer._groups}
        if set(time.values()) != {1} or layer._padding_mode != "zeros":
            raise ValueError(
                f"a stem that clips share has a step, dilation and groups of 1 in time and zeros as padding, got "
                f"{time} and {layer._padding_mode}; derive the backbone from nn.Layer instead of ClipBackbone"
            )

    @property
    def facts(self) -> dict[str, int]:
        """What `tasks/sliding.py` has to know beside the graphs."""
        return {"kernel": self.kernel, "padding": self.padding}

    @property
    def kernel(self) -> int:
        """How many frames an output of the convolution sees."""
        return self.convolution.weight.shape[2]

    @property
    def padding(self) -> int:
        """How many frames of zeros the convolution puts at either end of a clip."""
        return self.convolution._updated_padding[0]

    def graphs(self) -> dict[str, nn.Layer]:
        """What `tasks/sliding.py` runs, by name; the taps are those of the weights as they are now."""
        return {"stem": WholeStem(self), "taps": Taps(self.convolution), "each": Each(self), "rest": Rest(self)}


class WholeStem(nn.Layer):
    """The stem of a clip of which no frame was seen before."""

    def __init__(self, parts: Sliding) -> None:
        super().__init__()
        self.parts = parts

    def forward(self, inputs: Tensors) -> Tensors:
        """`clip [B, 3, T, H, W]` to `maps [B, C', T', H'', W'']`."""
        return {"maps": self.parts.each(self.parts.convolution(inputs["clip"]))}


class Taps(nn.Layer):
    """What frames add to the convolution's outputs at the times around them: a plane of the kernel is a tap.

    All taps are one 2-D convolution; the bias, which an output gets once, is left to `Each`.
    """

    def __init__(self, convolution: Any) -> None:
        super().__init__()
        out_channels, in_channels, self.kernel, *plane = convolution.weight.shape
        stride, padding, dilation = convolution._stride, convolution._updated_padding, convolution._dilation
        self.conv = nn.Conv2D(
            in_channels, self.kernel * out_channels, plane,
            stride=stride[1:], padding=padding[1:], dilation=dilation[1:], bias_attr=False,
        )  # fmt: skip
        self.conv.weight.set_value(convolution.weight.flip(2).transpose([2, 0, 1, 3, 4]).flatten(0, 1))

    def forward(self, inputs: Tensors) -> Tensors:
        """`frame [B, 3, 1, H, W]` to `taps [B, K, C, 1, H', W']`, those for the earliest output first."""
        taps = self.conv(inputs["frame"].squeeze(2))
        return {"taps": taps.reshape([-1, self.kernel, taps.shape[1] // self.kernel, 1, *taps.shape[2:]])}


class Each(nn.Layer):
    """The end of the stem, on sums of taps."""

    def __init__(self, parts: Sliding) -> None:
        super().__init__()
        self.parts = parts

    def forward(self, inputs: Tensors) -> Tensors:
        """`sums [B, C, T', H', W']` to `maps [B, C', T', H'', W'']`."""
        sums, bias = inputs["sums"], self.parts.convolution.bias
        return {"maps": self.parts.each(sums if bias is None else sums + bias.reshape([-1, 1, 1, 1]))}


class Rest(nn.Layer):
    """All that follows the stem."""

    def __init__(self, parts: Sliding) -> None:
        super().__init__()
        self.parts = parts

    def forward(self, inputs: Tensors) -> Tensors:
        """`maps [B, C', T', H'', W'']` and the last `frame [B, 3, 1, H, W]` to decoded outputs."""
        return self.parts.rest(inputs["maps"], inputs["frame"])
