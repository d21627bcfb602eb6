"""Outputs and targets to scalars."""

from paddlevideo.modeling.losses.bmn_loss import BMNLoss
from paddlevideo.modeling.losses.cross_entropy_loss import CrossEntropyLoss
from paddlevideo.modeling.losses.multi_label_region_loss import MultiLabelRegionLoss
from paddlevideo.modeling.losses.region_loss import RegionLoss
from paddlevideo.modeling.losses.yowo_plus_loss import YOWOPlusLoss

__all__ = ["BMNLoss", "CrossEntropyLoss", "MultiLabelRegionLoss", "RegionLoss", "YOWOPlusLoss"]
