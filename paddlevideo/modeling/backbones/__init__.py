"""Feature extractors."""

from paddlevideo.modeling.backbones.darknet import Darknet19
from paddlevideo.modeling.backbones.resnext3d import ResNeXt3D

__all__ = ["Darknet19", "ResNeXt3D"]
