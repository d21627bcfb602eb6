"""Where weights come from: how each source is recognised, and how its names become ours."""

from paddlevideo.weights.sources.base import Source
from paddlevideo.weights.sources.bmn import BMN_UPSTREAM
from paddlevideo.weights.sources.darknet import DARKNET
from paddlevideo.weights.sources.kinetics import KINETICS
from paddlevideo.weights.sources.yowo_official import YOWO_OFFICIAL
from paddlevideo.weights.sources.yowo_plus import YOLOV2_OF_YOWO_PLUS, YOWO_PLUS
from paddlevideo.weights.sources.yowo_upstream import YOWO_UPSTREAM

SOURCES: tuple[Source, ...] = (
    YOWO_OFFICIAL,
    YOWO_UPSTREAM,
    YOWO_PLUS,
    YOLOV2_OF_YOWO_PLUS,
    *KINETICS,
    DARKNET,
    BMN_UPSTREAM,
)

__all__ = ["SOURCES", "Source"]
