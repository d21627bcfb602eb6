"""What every metric has in common: one record for each sample, whatever the batching."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from paddlevideo.types import Arrays, Meta, Prediction


class Metric(ABC):
    """Collects one small record per sample and turns them into named numbers at the end."""

    primary: str  # the number that decides which weights are best
    higher_is_better: bool = True

    def __init__(self) -> None:
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
            self._records[info["id"]] = self.record(prediction, target, info)

    def accumulate(self) -> dict[str, float]:
        """The numbers over all records so far.

        Raises:
            ValueError: nothing was recorded.
        """
        if not self._records:
            raise ValueError(f"{type(self).__name__}: no sample was evaluated; is the test index empty?")
        return self.compute(self._records)
