"""3-D ResNeXt for clips (Hara et al. 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from paddlevideo.modeling.backbones.resnet3d import Bottleneck3D, ResidualTrunk3D
from paddlevideo.registry import BACKBONES


@BACKBONES.register
class ResNeXt3D(ResidualTrunk3D):
    """3-D ResNeXt without its classifier: bottlenecks with grouped 3x3x3 convolutions, twice as wide at their ends.

    Args:
        blocks: residual blocks in each of the four stages; 3, 4, 23, 3 is ResNeXt-101.
        cardinality: groups of every 3x3x3 convolution.
        width: factor on all channel counts, for small variants; 1 is the published network.

    Raises:
        ValueError: not four stages.
    """

    def __init__(self, blocks: Sequence[int] = (3, 4, 23, 3), cardinality: int = 32, width: float = 1.0) -> None:
        if len(blocks) != 4:
            raise ValueError(f"ResNeXt3D: blocks should be four numbers, one a stage, got {list(blocks)}")
        block = partial(Bottleneck3D, expansion=2, groups=cardinality)
        super().__init__(block, blocks, round(64 * width), round(128 * width))
