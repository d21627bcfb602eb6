"""What predicts from features, and what its numbers mean."""

from paddlevideo.modeling.heads.bmn_head import BMNHead
from paddlevideo.modeling.heads.consensus_head import ConsensusHead
from paddlevideo.modeling.heads.yowo_head import YOWOHead
from paddlevideo.modeling.heads.yowo_plus_head import YOWOPlusHead

__all__ = ["BMNHead", "ConsensusHead", "YOWOHead", "YOWOPlusHead"]
