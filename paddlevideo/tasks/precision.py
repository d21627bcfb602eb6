"""Mixed precision: networks that compute in half precision while weights, loss and averages stay in float32."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal

import paddle

from paddlevideo.config import Config
from paddlevideo.registry import construct
from paddlevideo.utils.logging import logger


@dataclass(frozen=True)
class Precision:
    """How a network computes in training.

    Args:
        level: O0 in float32; O1 what gains from it and is safe in half precision; O2 all but what is not safe. Weights
            are converted where they are used and stay in float32 themselves, so that they are saved exactly.
        dtype: bfloat16 has the range of float32; gradients in float16 need a factor that keeps them in its range.
    """

    level: Literal["O0", "O1", "O2"] = "O0"
    dtype: Literal["float16", "bfloat16"] = "float16"

    @property
    def is_mixed(self) -> bool:
        """Whether anything is in half precision."""
        return self.level != "O0"

    def forward(self) -> AbstractContextManager[Any]:
        """The context in which a network runs."""
        return paddle.amp.auto_cast(self.is_mixed, level="O2" if self.level == "O2" else "O1", dtype=self.dtype)

    def scaler(self) -> paddle.amp.GradScaler:
        """What scales the loss, by 1 where that is not needed."""
        return paddle.amp.GradScaler(enable=self.is_mixed and self.dtype == "float16")


def precision_of(config: Config) -> Precision:
    """The precision that a config asks for, or float32 where there is no other.

    Raises:
        TypeError: `amp` has something else than `level` and `dtype`.
    """
    wanted: Precision = construct("amp", Precision, config.amp)
    if wanted.is_mixed and paddle.device.get_device() == "cpu":
        logger.info("mixed precision %s is not available on a CPU with this Paddle; training in float32", wanted.level)
        return Precision()
    return wanted
