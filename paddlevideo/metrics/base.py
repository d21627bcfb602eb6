"""What metrics have in common: one record for each sample, whatever the batching, and means over classes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from paddlevideo.metrics.overlap import Float64Array
from paddlevideo.types import Arrays, Meta, Prediction

STRICT = tuple(round(0.5 + 0.05 * k, 2) for k in range(10))  # 0.5:0.95


class UnmeasurableError(ValueError):
    """The samples are fine, but a metric needs others: frames that are missing, or facts that they do not have."""


class Metric(ABC):
    """Collects one small record per sample and turns them into named numbers at the end.

    A number of one class is called `<what>/<class>`.

    Args:
        background: whether samples without truths count. Published frame metrics are of annotated frames only; False
            measures like them on the detections of every frame.
    """

    primary: str  # the number that decides which weights are best
    higher_is_better: bool = True

    def __init__(self, background: bool = True) -> None:
        self.background = background
        self._records: dict[str, Any] = {}

    @abstractmethod
    def record(self, prediction: Prediction, target: Arrays, meta: Meta) -> Any:
        """What is kept of one sample: small and picklable."""

    @abstractmethod
    def compute(self, records: dict[str, Any]) -> dict[str, float]:
        """Named numbers from the records of all samples, by sample id."""

    def reset(self) -> None:
        """Forget every record."""
        self._records = {}

    def update(self, predictions: list[Prediction], targets: list[Arrays], meta: list[Meta]) -> None:
        """Record a batch; a sample seen before (a padded last batch) is recorded once."""
        for prediction, target, info in zip(predictions, targets, meta, strict=True):
            if self.background or has_truths(target):
                self._records[info["id"]] = self.record(prediction, target, info)

    @property
    def records(self) -> dict[str, Any]:
        """The records so far, by sample id."""
        return self._records

    def replace_records(self, parts: Sequence[dict[str, Any]]) -> None:
        """Have the records of several processes, in their order; a sample that two of them had counts once."""
        self._records = {name: record for part in parts for name, record in part.items()}

    def accumulate(self) -> dict[str, float]:
        """The numbers over all records so far.

        Raises:
            UnmeasurableError: nothing was recorded.
        """
        if not self._records:
            raise UnmeasurableError(
                f"{type(self).__name__}: no sample was evaluated; does the test set have frames that count?"
            )
        return self.compute(self._records)


def has_truths(target: Arrays) -> bool:
    """Whether a target, `labels [N]` or `[N, C]`, has more than padding rows."""
    return bool((target["labels"] != -1).any())


class MeanAveragePrecision(Metric):
    """A metric whose numbers are means of average precision over classes, at several IoU thresholds.

    Args:
        classes: class names; the label is the position.
        iou_thresholds: least overlaps of a true positive, each above 0 and up to 1, a number for each. 0.5, or the
            first without it, is the primary one.
        mean: name of the means.
        single: name of the average precision of one class at the primary threshold.
        background: see `Metric`.

    Raises:
        ValueError: no threshold, or one that is no overlap.
    """

    def __init__(
        self, classes: Sequence[str], iou_thresholds: Sequence[float], mean: str, single: str, background: bool = True
    ) -> None:
        super().__init__(background)
        if not iou_thresholds or not all(0 < threshold <= 1 for threshold in iou_thresholds):
            raise ValueError(
                f"METRIC {type(self).__name__}: iou_thresholds should be numbers above 0 and at most 1, got "
                f"{list(iou_thresholds)}; usual are 0.2 and 0.5"
            )
        self.classes, self.iou_thresholds = list(classes), list(iou_thresholds)
        self.mean, self.single = mean, single
        self.decisive = self.iou_thresholds.index(0.5) if 0.5 in self.iou_thresholds else 0
        self.primary = f"{mean}@{self.iou_thresholds[self.decisive]:g}"

    def numbers(self, table: Float64Array) -> dict[str, float]:
        """Means and single numbers, and the mean over 0.5:0.95 where all ten thresholds are there.

        Args:
            table: AP by threshold and class, `[thresholds, classes]`; nan for a class that does not count.
        """
        means = dict(zip(self.iou_thresholds, np.nanmean(table, axis=1).tolist(), strict=True))
        numbers = {f"{self.mean}@{threshold:g}": value for threshold, value in means.items()}
        if means.keys() >= set(STRICT):
            numbers[f"{self.mean}@0.5:0.95"] = float(np.mean([means[threshold] for threshold in STRICT]))
        single = zip(self.classes, table[self.decisive].tolist(), strict=True)
        return numbers | {f"{self.single}/{name}": ap for name, ap in single if not np.isnan(ap)}
