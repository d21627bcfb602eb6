"""Decoded arrays to predictions; numpy only."""

from paddlevideo.modeling.postprocess.detection_nms import DetectionNMS

__all__ = ["DetectionNMS"]
