"""YOWO-Plus and YOWO-Nano (Yang 2022)."""

from __future__ import annotations

from paddle import Tensor

from paddlevideo.modeling.models.yowo import YOWO
from paddlevideo.registry import MODELS


@MODELS.register
class YOWOPlus(YOWO):
    """YOWO with the appearance features first; YOWO-Nano is the same network with a lighter 3-D branch."""

    def join(self, motion: list[Tensor], appearance: list[Tensor]) -> list[Tensor]:
        """The branches that there are, in the order of their channels."""
        return appearance + motion
