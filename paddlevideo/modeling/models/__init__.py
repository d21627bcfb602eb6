"""Complete models, one a file."""

from paddlevideo.modeling.models.base import InputTransform, Postprocess, VideoModel
from paddlevideo.modeling.models.yowo import YOWO

__all__ = ["YOWO", "InputTransform", "Postprocess", "VideoModel"]
