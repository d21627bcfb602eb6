"""Samples to network inputs; numpy only."""

from paddlevideo.modeling.inputs.clip_input import ClipInput
from paddlevideo.modeling.inputs.clip_with_context import ClipWithContext

__all__ = ["ClipInput", "ClipWithContext"]
