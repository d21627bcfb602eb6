"""Weights of Darknet, named by `paddlevideo.weights.darknet_file` as they were read."""

from paddlevideo.weights.sources.base import Source

DARKNET = Source(
    title="Darknet",
    marks=(r"^stage1\.0\.bn\.bias$", r"^stage6\.4\.conv\.weight$"),
    renames=((r"^", "backbone_2d."),),
    left_out=(r"^classifier\.",),
)
