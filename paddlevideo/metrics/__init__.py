"""Numbers that say how good a model is, one file a metric."""

from paddlevideo.metrics.detection_score import DetectionScore
from paddlevideo.metrics.frame_map import FrameMAP

__all__ = ["DetectionScore", "FrameMAP"]
