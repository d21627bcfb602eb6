"""Scores of all classes as they are."""

from __future__ import annotations

import numpy as np

from paddlevideo.registry import POSTPROCESS
from paddlevideo.types import Arrays, Meta, Prediction


@POSTPROCESS.register
class ClassScores:
    """What a clip classifier answers: a score for each class; which of them are told is up to who writes them."""

    answers = "ScoreAnswers"

    def __call__(self, decoded: Arrays, meta: list[Meta]) -> list[Prediction]:
        """`scores [B, C]` to `scores [C]` of each sample.

        Raises:
            ValueError: a score is not finite.
        """
        for info, scores in zip(meta, decoded["scores"], strict=True):
            if not np.isfinite(scores).all():
                raise ValueError(f"{info['id']}: scores should be finite, got nan or inf; check the weights")
        return [{"scores": scores} for scores in decoded["scores"]]
