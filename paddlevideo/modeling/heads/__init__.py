"""What predicts from features, and what its numbers mean."""

from paddlevideo.modeling.heads.yowo_head import YOWOHead

__all__ = ["YOWOHead"]
