"""What joins features."""

from paddlevideo.modeling.necks.cfam import CFAM

__all__ = ["CFAM"]
