"""Feature extractors."""

from paddlevideo.modeling.backbones.darknet import Darknet19
from paddlevideo.modeling.backbones.mobilenet3d import MobileNet3D
from paddlevideo.modeling.backbones.mobilenet3d_v2 import MobileNet3DV2
from paddlevideo.modeling.backbones.resnet2d import ResNet2D
from paddlevideo.modeling.backbones.resnet3d import ResNet3D
from paddlevideo.modeling.backbones.resnext3d import ResNeXt3D
from paddlevideo.modeling.backbones.shufflenet3d import ShuffleNet3D
from paddlevideo.modeling.backbones.shufflenet3d_v2 import ShuffleNet3DV2
from paddlevideo.modeling.backbones.snippet_convs import SnippetConvs

__all__ = [
    "Darknet19",
    "MobileNet3D",
    "MobileNet3DV2",
    "ResNeXt3D",
    "ResNet2D",
    "ResNet3D",
    "ShuffleNet3D",
    "ShuffleNet3DV2",
    "SnippetConvs",
]
