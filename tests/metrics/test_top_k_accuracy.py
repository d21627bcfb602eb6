from __future__ import annotations

import numpy as np
import pytest

from paddlevideo.metrics.base import UnmeasurableError
from paddlevideo.metrics.top_k_accuracy import TopKAccuracy

CLASSES = ["a", "b", "c"]


def measured(metric: TopKAccuracy, rows: list[tuple[str, int, list[float], int]]) -> dict[str, float]:
    """The numbers of views, each a video, the number of the view, scores and the true class."""
    for video, view, scores, label in rows:
        meta = {"id": f"{video}#{view}", "video": video, "view": view}
        metric.update([{"scores": np.array(scores, np.float32)}], [{"labels": np.array([label])}], [meta])
    return metric.accumulate()


def test_shares_of_videos_whose_class_is_among_the_surest() -> None:
    rows = [("p", 0, [0.6, 0.3, 0.1], 0), ("q", 0, [0.6, 0.3, 0.1], 1), ("r", 0, [0.6, 0.3, 0.1], 2)]
    numbers = measured(TopKAccuracy(CLASSES, top=[1, 2]), rows)
    assert numbers == pytest.approx({"top1": 1 / 3, "top2": 2 / 3, "accuracy/a": 1, "accuracy/b": 0, "accuracy/c": 0})


def test_views_of_a_video_add_up_and_count_once() -> None:
    views = [("p", 0, [0.5, 0.4, 0.1], 1), ("p", 1, [0.1, 0.8, 0.1], 1), ("q", 0, [1, 0, 0], 0), ("q", 1, [0, 0, 1], 0)]
    numbers = measured(TopKAccuracy(CLASSES), [*views, views[0]])
    assert numbers["top1"] == 1.0  # of the two that are equally sure of q, the first class counts
    assert measured(TopKAccuracy(CLASSES), views[::-1]) == numbers


def test_a_video_that_lacks_a_view_is_named() -> None:
    rows = [("p", 0, [1, 0, 0], 0), ("p", 1, [1, 0, 0], 0), ("q", 0, [1, 0, 0], 0)]
    with pytest.raises(UnmeasurableError, match="expected 2 views of every video, got 1 of q"):
        measured(TopKAccuracy(CLASSES), rows)


def test_bad_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match=r"top should be positive numbers, got \[0\]"):
        TopKAccuracy(CLASSES, top=[0])
    with pytest.raises(ValueError, match="p#0: expected scores of 3 classes, got 2"):
        measured(TopKAccuracy(CLASSES), [("p", 0, [1, 0], 0)])
