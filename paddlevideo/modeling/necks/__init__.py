"""What joins features."""

from paddlevideo.modeling.necks.boundary_matching import BoundaryMatching
from paddlevideo.modeling.necks.cfam import CFAM
from paddlevideo.modeling.necks.channel_encoder import ChannelEncoder
from paddlevideo.modeling.necks.context_attention import ContextAttention

__all__ = ["CFAM", "BoundaryMatching", "ChannelEncoder", "ContextAttention"]
