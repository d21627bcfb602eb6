"""How often the true class of a video is among the surest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from paddlevideo.metrics.base import Metric, UnmeasurableError
from paddlevideo.metrics.overlap import Float64Array
from paddlevideo.registry import METRICS
from paddlevideo.types import Arrays, FloatArray, IntArray, Meta, Prediction


class Scored(NamedTuple):
    """Of one view: its video, the scores of all classes, the true class."""

    video: str
    scores: FloatArray
    label: int


@METRICS.register
class TopKAccuracy(Metric):
    """The share of videos whose true class has one of the K highest scores, summed over the views of each.

    Args:
        classes: class names; the label is the position.
        top: the numbers K; the first is the primary one.

    Raises:
        ValueError: no number, or one that no class could miss.
    """

    def __init__(self, classes: Sequence[str], top: Sequence[int] = (1, 5)) -> None:
        super().__init__()
        if not top or min(top) < 1:
            raise ValueError(f"METRIC TopKAccuracy: top should be positive numbers, got {list(top)}")
        self.classes, self.top = list(classes), list(top)
        self.primary = f"top{self.top[0]}"

    def record(self, prediction: Prediction, target: Arrays, meta: Meta) -> Scored:
        """One view.

        Args:
            prediction: `scores [C]`.
            target: `labels [1]`.
            meta: `id`, and `video` where a video has several views.
        """
        scores = np.asarray(prediction["scores"], np.float32)
        if len(scores) != len(self.classes):
            raise ValueError(f"{meta['id']}: expected scores of {len(self.classes)} classes, got {len(scores)}")
        return Scored(str(meta.get("video", meta["id"])), scores, int(target["labels"][0]))

    def compute(self, records: dict[str, Scored]) -> dict[str, float]:
        """`top1`, `top5`, ... over all videos, and `accuracy/<class>`.

        Raises:
            UnmeasurableError: a video has another number of views than the others.
        """
        scores, labels = join_views(records.values())
        order = np.argsort(-scores, axis=1, kind="stable")
        place = (order == labels[:, None]).argmax(1)  # of the true class
        numbers = {f"top{k}": float((place < k).mean()) for k in self.top}
        each = {name: place[labels == k] == 0 for k, name in enumerate(self.classes)}
        return numbers | {f"accuracy/{name}": float(right.mean()) for name, right in each.items() if len(right)}


def join_views(views: Iterable[Scored]) -> tuple[Float64Array, IntArray]:
    """Scores of each video, summed over its views, and its label: `[N, C]`, `[N]`.

    Args:
        views: `Scored` records in any order; the result does not depend on it.

    Raises:
        UnmeasurableError: a video has another number of views than the others.
    """
    videos: dict[str, list[Scored]] = {}
    for view in views:
        videos.setdefault(view.video, []).append(view)
    most = max(map(len, videos.values()))
    short = [name for name, own in videos.items() if len(own) < most]
    if short:
        raise UnmeasurableError(
            f"TopKAccuracy: expected {most} views of every video, got {len(videos[short[0]])} of {short[0]}; "
            f"{len(short)} videos lack some, test all of them"
        )
    scores = [_sum([view.scores for view in own]) for own in videos.values()]
    return np.stack(scores), np.array([own[0].label for own in videos.values()])


def _sum(scores: list[FloatArray]) -> Float64Array:
    """Their sum, to the bit the same in any order."""
    total: Float64Array = np.sort(np.stack(scores).astype(np.float64), axis=0).sum(0)
    return total
