"""Average recall of proposals by their number, AR@AN, and the area under it, counted as in ActivityNet's challenge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from paddlevideo.metrics.base import STRICT, Metric, UnmeasurableError
from paddlevideo.metrics.overlap import Float64Array
from paddlevideo.modeling.segments import segment_iou
from paddlevideo.registry import METRICS
from paddlevideo.types import Arrays, IntArray, Meta, Prediction

SHARES = np.arange(1, 101) / 100.0  # of the proposals that count at most


class SegmentRecord(NamedTuple):
    """One video: proposals `[K, 2]`, the best first, and truths `[N, 2]`, in seconds."""

    proposals: Float64Array
    truths: Float64Array


@METRICS.register
class ProposalRecall(Metric):
    """Share of the true segments that one of the best proposals overlaps, a mean over IoU thresholds 0.5:0.95.

    Videos share their proposals: where one has fewer, others may count more, up to `most` a video on average.

    Args:
        classes: not needed, as proposals have no class.
        most: proposals a video that count on average, AN of the last number.
    """

    primary = "AUC"

    def __init__(self, classes: Sequence[str] = (), most: int = 100) -> None:
        super().__init__()
        if most < 1:
            raise ValueError(f"METRIC ProposalRecall: most should be at least 1, got {most}; usual is 100")
        self.most = most

    def record(self, prediction: Prediction, target: Arrays, meta: Meta) -> SegmentRecord:
        """Proposals and truths of one video.

        Args:
            prediction: `segments [K, 2]` in seconds, `scores [K]`.
            target: `segments [N, 2]` in seconds, `labels [N]`; rows labelled -1 are padding.
            meta: not needed.
        """
        order = np.argsort(-prediction["scores"], kind="stable")
        segments, truths = prediction["segments"][order], target["segments"][target["labels"] != -1]
        return SegmentRecord(segments.astype(np.float64), truths.astype(np.float64))

    def compute(self, records: dict[str, SegmentRecord]) -> dict[str, float]:
        """`AUC` and `AR@<number>` for 1, 5, 10 and 100 percent of `most`, in 0..1.

        Raises:
            UnmeasurableError: there is not one truth.
        """
        recall, number = self.curve(records)
        area = float(np.sum((recall[1:] + recall[:-1]) / 2 * np.diff(number)) / number[-1])
        at = {f"AR@{share * self.most / 100:g}": float(recall[share - 1]) for share in (1, 5, 10, 100)}
        return {"AUC": area, **at}

    def curve(self, records: dict[str, SegmentRecord]) -> tuple[Float64Array, Float64Array]:
        """Average recall and average number of proposals a video, `[100]` each; proposals of all videos are counted.

        Raises:
            UnmeasurableError: there is not one truth.
        """
        videos = [record for record in records.values() if len(record.truths)]
        if not videos:
            raise UnmeasurableError(
                f"METRIC ProposalRecall: expected annotated segments, but none of the {len(records)} test videos has "
                "one; check the annotation that DATASET.test names"
            )
        total = sum(len(record.proposals) for record in records.values())
        ratio = self.most * float(len(videos)) / max(total, 1)
        kept = [min(int(len(record.proposals) * ratio), len(record.proposals)) for record in videos]
        shares = SHARES * (self.most * float(len(videos)) / max(sum(kept), 1))
        found = np.zeros((len(STRICT), len(SHARES)))
        for record, count in zip(videos, kept, strict=True):
            found += _found(record, np.minimum((count * shares).astype(np.int64), count))
        recall = found.mean(0) / sum(len(record.truths) for record in videos)
        return recall, shares * max(sum(kept), 1) / len(videos)


def _found(record: SegmentRecord, counts: IntArray) -> Float64Array:
    """Truths that one of the first `counts [100]` proposals overlaps, `[thresholds, 100]`."""
    overlap = segment_iou(record.truths[:, None], record.proposals[None, : counts[-1]])
    best = np.maximum.accumulate(np.pad(overlap, ((0, 0), (1, 0))), axis=1)[:, counts]  # [N, 100]
    return (best >= np.array(STRICT)[:, None, None]).sum(1).astype(np.float64)
