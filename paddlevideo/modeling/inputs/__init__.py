"""Samples to network inputs; numpy only."""

from paddlevideo.modeling.inputs.clip_input import ClipInput

__all__ = ["ClipInput"]
