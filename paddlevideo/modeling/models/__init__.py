"""Complete models, one a file."""

from paddlevideo.modeling.models.base import Anchors, InputTransform, Postprocess, VideoModel
from paddlevideo.modeling.models.bmn import BMN
from paddlevideo.modeling.models.yowo import YOWO
from paddlevideo.modeling.models.yowo_plus import YOWOPlus

__all__ = ["BMN", "YOWO", "Anchors", "InputTransform", "Postprocess", "VideoModel", "YOWOPlus"]
