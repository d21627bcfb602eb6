"""What numbers of a solver have to be."""

from __future__ import annotations

import math


def check_factor(where: str, value: float, above_zero: bool = False) -> None:
    """Let nothing pass that would turn training around or into no numbers.

    Raises:
        ValueError: it is negative, or 0 where that is not allowed, infinite or no number; says where it stands.
    """
    if not math.isfinite(value) or value < 0 or (above_zero and value == 0):
        raise ValueError(f"{where} should be a finite number {'above' if above_zero else 'from'} 0, got {value}")
