from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paddlevideo.metrics import SegmentMAP
from paddlevideo.metrics.base import UnmeasurableError

CLASSES = ["Diving", "Surfing", "Rowing"]
Row = tuple[float, float, int]  # start, end, label


def add(metric: SegmentMAP, name: str, found: list[Row], truths: list[Row], labelled: bool = True) -> None:
    """Detections with falling scores."""
    rows, there = (np.array(part, np.float64).reshape(-1, 3) for part in (found, truths))
    prediction: dict[str, Any] = {"segments": rows[:, :2], "scores": 1 - np.arange(len(rows)) / 10}
    if labelled:
        prediction["labels"] = rows[:, 2].astype(np.int64)
    target = {"segments": there[:, :2], "labels": there[:, 2].astype(np.int64)}
    metric.update([prediction], [target], [{"id": name}])


def test_a_detection_may_take_its_second_best_truth() -> None:
    metric = SegmentMAP(CLASSES, [0.5])
    add(metric, "a", [(0, 10, 0), (0, 10, 0)], [(0, 10, 0), (0, 8, 0)])
    assert metric.accumulate()["segment_map@0.5"] == 1


def test_a_second_detection_of_a_truth_is_false() -> None:
    metric = SegmentMAP(CLASSES, [0.5])
    add(metric, "a", [(0, 10, 0), (0, 9, 0), (20, 30, 0)], [(0, 10, 0), (20, 30, 0)])
    assert metric.accumulate()["segment_map@0.5"] == pytest.approx((1 + 2 / 3) / 2)


def test_classes_do_not_touch_each_other_and_those_without_truths_do_not_count() -> None:
    metric = SegmentMAP(CLASSES, [0.5])
    add(metric, "a", [(0, 10, 1), (0, 10, 2)], [(0, 10, 0), (0, 10, 1)])
    numbers = metric.accumulate()
    assert numbers == {"segment_map@0.5": 0.5, "AP/Diving": 0.0, "AP/Surfing": 1.0}


def test_videos_share_one_order_of_scores() -> None:
    metric = SegmentMAP(CLASSES, [0.5])
    add(metric, "a", [(0, 10, 0), (20, 30, 0)], [(20, 30, 0)])
    add(metric, "b", [(0, 10, 0)], [(0, 10, 0)])
    # False 1.0 and true 1.0 (the earlier first), then true 0.9: precisions 1/2 and 2/3, of which the better one counts.
    assert metric.accumulate()["segment_map@0.5"] == pytest.approx(2 / 3)


def test_strict_thresholds_have_a_mean() -> None:
    metric = SegmentMAP(CLASSES)
    add(metric, "a", [(0, 7.2, 0)], [(0, 10, 0)])
    numbers = metric.accumulate()
    assert (numbers["segment_map@0.7"], numbers["segment_map@0.75"]) == (1, 0)
    assert numbers["segment_map@0.5:0.95"] == pytest.approx(0.5)


def test_classes_of_whole_videos_for_segments_without_class(tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    path.write_text(json.dumps({"a": [{"label": "Surfing", "score": 0.8}, {"label": "Diving", "score": 0.5}]}))
    metric = SegmentMAP(CLASSES, [0.5], video_labels=str(path))
    add(metric, "a", [(0, 10, 0), (20, 30, 0)], [(20, 30, 1)], labelled=False)
    record = metric.records["a"]
    assert record.labels.tolist() == [1, 1, 0, 0]
    np.testing.assert_allclose(record.scores, [0.8, 0.72, 0.5, 0.45])
    assert metric.accumulate()["AP/Surfing"] == 0.5
    with pytest.raises(UnmeasurableError, match="video_labels has no video b"):
        add(metric, "b", [(0, 10, 0)], [], labelled=False)


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '{"a": 3}', '{"a": [{"label": "Diving"}]}', '{"a": [{"label": "Knitting", "score": 1}]}',
     '{"a": [{"label": "Diving", "score": NaN}]}'],
)  # fmt: skip
def test_files_of_video_labels_that_are_wrong_are_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "labels.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"labels\.json: expected {video"):
        SegmentMAP(CLASSES, video_labels=str(path))


def test_what_cannot_be_measured_says_why(tmp_path: Path) -> None:
    metric = SegmentMAP(CLASSES)
    with pytest.raises(UnmeasurableError, match="expects a label for each segment"):
        add(metric, "a", [(0, 10, 0)], [(0, 10, 0)], labelled=False)
    add(metric, "a", [(0, 10, 0)], [])
    with pytest.raises(UnmeasurableError, match="none of the 1 test videos has one"):
        metric.accumulate()
    with pytest.raises(ValueError, match="a: prediction has label 3"):
        add(metric, "a", [(0, 10, 3)], [])
    with pytest.raises(FileNotFoundError, match=r"no file .*labels\.json"):
        SegmentMAP(CLASSES, video_labels=str(tmp_path / "labels.json"))
