"""From files to batches."""

from paddlevideo.loader import datasets, samplers, transforms

__all__ = ["datasets", "samplers", "transforms"]
