"""How often a model sees an action where there is none."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paddlevideo.metrics.base import Metric, UnmeasurableError, has_truths
from paddlevideo.registry import METRICS
from paddlevideo.types import Arrays, Meta, Prediction


@METRICS.register
class BackgroundFalsePositives(Metric):
    """Detections on frames without truths, which no frame-mAP on annotated frames sees.

    Args:
        classes: class names; not needed here.
        confidence: detections whose score exceeds this are counted; the default is that of tools/predict.py.
    """

    primary = "background_false_positives"
    higher_is_better = False

    def __init__(self, classes: Sequence[str], confidence: float = 0.3) -> None:
        super().__init__()
        self.confidence = confidence

    def record(self, prediction: Prediction, target: Arrays, meta: Meta) -> int | None:
        """Number of confident detections of one frame, None for a frame that has a truth.

        Args:
            prediction: `scores [K]`.
            target: `labels [N]` or `[N, C]`; rows of -1 are padding.
            meta: not needed here.
        """
        return None if has_truths(target) else int((prediction["scores"] > self.confidence).sum())

    def compute(self, records: dict[str, int | None]) -> dict[str, float]:
        """Mean number of confident detections on a background frame, and the share of these frames that have any.

        Raises:
            UnmeasurableError: every frame has a truth.
        """
        counts = np.array([count for count in records.values() if count is not None])
        if not len(counts):
            raise UnmeasurableError(
                f"METRIC BackgroundFalsePositives: expected frames without truths, but each of the {len(records)} "
                "samples has one; set DATASET.test.background=1 or DATASET.test.every_frame=true"
            )
        share = float((counts > 0).mean())
        return {self.primary: float(counts.mean()), "background_frames_with_detections": share}
