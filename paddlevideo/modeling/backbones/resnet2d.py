"""2-D ResNet that looks at each frame of a clip (He et al. 2016), and the temporal shift (Lin, Gan and Han 2019)."""

from __future__ import annotations

from collections.abc import Sequence

from paddle import Tensor, nn
from paddle.nn import functional as F

from paddlevideo.modeling.layers import conv_norm
from paddlevideo.registry import BACKBONES


class Bottleneck2D(nn.Layer):
    """1x1, 3x3, 1x1 around a shortcut, which is a convolution where the shape changes (type B).

    Args:
        in_channels: channels in.
        channels: inner channels; four times as many come out.
        stride: of the 3x3 convolution.
        shift: share of the channels that the residual branch takes from the frame before, and as many from the frame
            after, zeros beyond the ends (TSM, sec. 3); 0 takes none.
    """

    expansion = 4

    def __init__(self, in_channels: int, channels: int, stride: int, shift: float) -> None:
        super().__init__()
        self.shift, self.out_channels = shift, channels * self.expansion
        self.conv1, self.bn1 = conv_norm("2D", in_channels, channels, 1)
        self.conv2, self.bn2 = conv_norm("2D", channels, channels, 3, stride=stride)
        self.conv3, self.bn3 = conv_norm("2D", channels, self.out_channels, 1)
        changes = stride != 1 or in_channels != self.out_channels
        self.downsample = (
            nn.Sequential(*conv_norm("2D", in_channels, self.out_channels, 1, stride=stride))
            if changes
            else nn.Identity()
        )

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """`[B * frames, in, H, W]` to `[B * frames, 4 * channels, H/stride, W/stride]`."""
        y = F.temporal_shift(x, frames, self.shift) if self.shift else x
        y = F.relu(self.bn1(self.conv1(y)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + self.downsample(x))


@BACKBONES.register
class ResNet2D(nn.Layer):
    """2-D ResNet without its classifier; with `shift` its frames know of each other, which is TSM's backbone.

    Weights begin as Paddle draws them, N(0, 2 / fan-in).

    Args:
        blocks: bottlenecks of each of the four stages; `[3, 4, 6, 3]` is ResNet-50, `[3, 4, 23, 3]` ResNet-101.
        width: factor on all channel counts, for small variants; 1 is the published network.
        shift: see `Bottleneck2D`; 0.125 is the published one, and the number of frames does not change it.

    Raises:
        ValueError: not four stages, no channel, or a shift of more channels than there are.
    """

    def __init__(self, blocks: Sequence[int] = (3, 4, 6, 3), width: float = 1.0, shift: float = 0.0) -> None:
        super().__init__()
        channels = round(64 * width)
        if len(blocks) != 4 or min(blocks) < 1 or channels < 1 or not 0 <= shift <= 0.5 or 0 < shift * channels < 1:
            raise ValueError(
                "ResNet2D: expected blocks as four positive numbers, a width that leaves channels and a shift of 0, or "
                f"up to 0.5 and of a whole channel at least, got {list(blocks)}, {width} and {shift}"
            )
        self.conv1, self.bn1 = conv_norm("2D", 3, channels, 7, stride=2)
        self.pool = nn.MaxPool2D(3, 2, 1)
        self.out_channels = channels
        for stage, count in enumerate(blocks):
            layers = nn.LayerList()
            for number in range(count):
                stride = 2 if stage > 0 and number == 0 else 1
                layers.append(Bottleneck2D(self.out_channels, channels * 2**stage, stride, shift))
                self.out_channels = layers[-1].out_channels
            setattr(self, f"layer{stage + 1}", layers)

    def forward(self, x: Tensor) -> Tensor:
        """Clips `[B, 3, T, H, W]` to features `[B * T, out_channels, H/32, W/32]`, the frames of a clip in order."""
        frames = x.shape[2]
        x = x.transpose([0, 2, 1, 3, 4]).reshape([-1, 3, *x.shape[3:]])  # [B * T, 3, H, W]
        x = self.pool(F.relu(self.bn1(self.conv1(x))))
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            for block in stage:
                x = block(x, frames)
        return x
