"""Weights of the YOWO in PaddleVideo, the project that this one succeeds."""

from paddlevideo.weights.darknet_file import DETECTOR
from paddlevideo.weights.sources.base import Renames, Source
from paddlevideo.weights.sources.yowo_official import FUSION_AND_HEAD


def _convolutions_2d() -> Renames:
    """Its convolutions 2 to 10 sit in three blocks; the later ones are counted on from the first."""
    names = ["_conv1", *(f"_basic_block_1{block}._conv{k}" for block in (1, 2, 3) for k in (1, 2, 3))]
    names += [f"_conv{number - 9}" for number in range(11, 23)]
    pairs = ((theirs.replace(".", r"\."), ours) for theirs, (ours, *_) in zip(names, DETECTOR, strict=True))
    return tuple((rf"^backbone_2d\.{theirs}\._(conv|bn)\.", rf"backbone_2d.{ours}.\1.") for theirs, ours in pairs)


YOWO_UPSTREAM = Source(
    title="YOWO of PaddleVideo",
    marks=(r"^backbone_2d\._conv1\._conv\.weight$", r"^backbone_3d\.conv\._conv\.", r"^conv_final\.weight$"),
    renames=(
        *_convolutions_2d(),
        (r"^backbone_2d\._conv14\.", "backbone_2d.predict."),
        (r"^backbone_3d\.conv\._conv\.", "backbone_3d.conv1."),
        (r"^backbone_3d\.conv\._batch_norm\.", "backbone_3d.bn1."),
        *(
            (rf"^(backbone_3d\.layer\d\.\d+)\.conv{k - 1}\.{part}\.", rf"\1.{ours}{k}.")
            for k in (1, 2, 3)
            for part, ours in (("_conv", "conv"), ("_batch_norm", "bn"))
        ),
        (r"^(backbone_3d\.layer\d\.\d+\.downsample)\._conv\.", r"\1.0."),
        (r"^(backbone_3d\.layer\d\.\d+\.downsample)\._batch_norm\.", r"\1.1."),
        *FUSION_AND_HEAD,
    ),
)
