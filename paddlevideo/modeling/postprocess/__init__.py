"""Decoded arrays to predictions; numpy only."""

from paddlevideo.modeling.postprocess.class_scores import ClassScores
from paddlevideo.modeling.postprocess.detection_nms import DetectionNMS
from paddlevideo.modeling.postprocess.proposal_soft_nms import ProposalSoftNMS
from paddlevideo.modeling.postprocess.top_k_nms import TopKNMS

__all__ = ["ClassScores", "DetectionNMS", "ProposalSoftNMS", "TopKNMS"]
