"""The fusion of YOWO-Plus (Yang 2022, sec. 3): CFAM with two of its choices changed."""

from __future__ import annotations

from paddle import nn

from paddlevideo.modeling.layers import LeakyReLU
from paddlevideo.modeling.necks.cfam import CFAM
from paddlevideo.registry import NECKS


@NECKS.register
class ChannelEncoder(CFAM):
    """CFAM with leaky activations; `dropout` drops single values, not whole channels."""

    activation = LeakyReLU
    drop = nn.Dropout
