"""Outputs and targets to scalars."""

from paddlevideo.modeling.losses.region_loss import RegionLoss

__all__ = ["RegionLoss"]
