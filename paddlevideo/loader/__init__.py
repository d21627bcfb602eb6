"""From files to batches."""

from paddlevideo.loader import crops, datasets, samplers, transforms

__all__ = ["crops", "datasets", "samplers", "transforms"]
