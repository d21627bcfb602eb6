"""Samples to network inputs; numpy only."""

from paddlevideo.modeling.inputs.clip_input import ClipInput
from paddlevideo.modeling.inputs.clip_with_context import ClipWithContext
from paddlevideo.modeling.inputs.feature_input import FeatureInput
from paddlevideo.modeling.inputs.segment_input import SegmentInput

__all__ = ["ClipInput", "ClipWithContext", "FeatureInput", "SegmentInput"]
