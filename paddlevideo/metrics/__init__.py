"""Numbers that say how good a model is, one file a metric."""

from paddlevideo.metrics.ava_map import AVAMAP
from paddlevideo.metrics.background import BackgroundFalsePositives
from paddlevideo.metrics.detection_score import DetectionScore
from paddlevideo.metrics.frame_map import FrameMAP
from paddlevideo.metrics.proposal_recall import ProposalRecall
from paddlevideo.metrics.segment_map import SegmentMAP
from paddlevideo.metrics.top_k_accuracy import TopKAccuracy
from paddlevideo.metrics.video_map import VideoMAP

__all__ = [
    "AVAMAP",
    "BackgroundFalsePositives",
    "DetectionScore",
    "FrameMAP",
    "ProposalRecall",
    "SegmentMAP",
    "TopKAccuracy",
    "VideoMAP",
]
