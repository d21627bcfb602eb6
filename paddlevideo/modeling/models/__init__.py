"""Complete models, one a file."""

from paddlevideo.modeling.models.base import Anchors, InputTransform, Postprocess, VideoModel
from paddlevideo.modeling.models.bmn import BMN
from paddlevideo.modeling.models.clip_classifier import ClipClassifier
from paddlevideo.modeling.models.yowo import YOWO
from paddlevideo.modeling.models.yowo_plus import YOWOPlus

__all__ = ["BMN", "YOWO", "Anchors", "ClipClassifier", "InputTransform", "Postprocess", "VideoModel", "YOWOPlus"]
