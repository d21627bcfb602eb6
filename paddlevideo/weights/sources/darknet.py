"""Weights of Darknet, named by `paddlevideo.weights.darknet_file` as they were read."""

from paddlevideo.weights.sources.base import Source

DARKNET = Source(
    title="YOLOv2 or Darknet-19 (Darknet)",
    marks=(r"^stage1\.0\.bn\.bias$", r"^stage6\.4\.conv\.weight$"),
    renames=((r"^", "backbone_2d."),),
    left_out=(r"^classifier\.",),
    whole_parts=False,  # Darknet-19, the classifier, has no detection layers
)
