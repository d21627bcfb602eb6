"""Checkpoints of the official YOWO code."""

from paddlevideo.weights.darknet_file import DETECTOR
from paddlevideo.weights.sources.base import TORCH_COUNTERS, TORCH_NORM, Source
from paddlevideo.weights.sources.kinetics import BRANCHES

FUSION_AND_HEAD = (
    (r"^cfam\.conv_bn_relu1\.", "neck.reduce."),
    (r"^cfam\.conv_bn_relu2\.", "neck.mix."),
    (r"^cfam\.sc\.", "neck.attention."),
    (r"^cfam\.conv_bn_relu3\.", "neck.refine."),
    (r"^cfam\.conv_out\.1\.", "neck.project."),
    (r"^conv_final\.", "head.conv."),
)
YOWO_OFFICIAL = Source(
    title="official YOWO (PyTorch)",
    marks=(r"^backbone_2d\.models\.0\.conv1\.weight$", r"^backbone_3d\.", r"^cfam\.", r"^conv_final\.weight$"),
    renames=(
        *(
            (rf"^backbone_2d\.models\.\d+\.(conv|bn){number}\.", rf"backbone_2d.{name}.\1.")
            for number, (name, *_) in enumerate(DETECTOR, start=1)
        ),
        (r"^backbone_2d\.models\.30\.conv23\.", "backbone_2d.predict."),
        *BRANCHES,
        *FUSION_AND_HEAD,
        *TORCH_NORM,
    ),
    left_out=TORCH_COUNTERS,
)
