"""Checkpoints of the published YOWO-Plus and YOWO-Nano, and of the YOLOv2 that they start from."""

from paddlevideo.weights.sources.base import TORCH_COUNTERS, TORCH_NORM, Source
from paddlevideo.weights.sources.kinetics import BRANCHES

_YOLOV2 = (
    (r"^backbone_2d\.backbone\.conv_(\d)\.", r"backbone_2d.stage\1."),
    (r"^backbone_2d\.convsets_1\.0\.", "backbone_2d.stage6.5."),
    (r"^backbone_2d\.convsets_1\.1\.", "backbone_2d.stage6.6."),
    (r"^backbone_2d\.route_layer\.", "backbone_2d.passthrough."),
    (r"^backbone_2d\.convsets_2\.", "backbone_2d.fuse."),
    (r"^backbone_2d\.pred\.", "backbone_2d.predict."),
    (r"^(backbone_2d\..+)\.convs\.0\.", r"\1.conv."),
    (r"^(backbone_2d\..+)\.convs\.1\.", r"\1.bn."),
)
YOWO_PLUS = Source(
    title="YOWO-Plus or YOWO-Nano (PyTorch)",
    marks=(r"^backbone_2d\.backbone\.conv_1\.", r"^backbone_3d\.", r"^channel_encoder\.", r"^pred\.weight$"),
    renames=(
        *_YOLOV2,
        *BRANCHES,
        (r"^channel_encoder\.fuse_convs\.0\.convs\.", "neck.reduce."),
        (r"^channel_encoder\.fuse_convs\.1\.convs\.", "neck.mix."),
        (r"^channel_encoder\.fuse_convs\.2\.", "neck.attention."),
        (r"^channel_encoder\.fuse_convs\.3\.convs\.", "neck.refine."),
        (r"^channel_encoder\.fuse_convs\.5\.", "neck.project."),
        (r"^pred\.", "head.conv."),
        *TORCH_NORM,
    ),
    left_out=TORCH_COUNTERS,
)
YOLOV2_OF_YOWO_PLUS = Source(
    title="YOLOv2 of YOWO-Plus (PyTorch)",
    marks=(r"^backbone\.conv_1\.0\.convs\.0\.weight$", r"^convsets_2\."),
    renames=((r"^", "backbone_2d."), *_YOLOV2, *TORCH_NORM),
    left_out=TORCH_COUNTERS,
)
