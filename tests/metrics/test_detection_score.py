"""F-score and its relatives on boxes worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from paddlevideo.metrics import DetectionScore
from paddlevideo.metrics.base import UnmeasurableError
from paddlevideo.registry import METRICS

CLASSES = ("Biking", "Diving")
LEFT, RIGHT = [0.0, 0.0, 0.4, 0.4], [0.5, 0.5, 0.9, 0.9]
META = {"id": "v/7"}


def prediction(*rows):
    """Rows of label, objectness, box."""
    objectness = np.array([row[1] for row in rows], dtype=np.float32)
    return {
        "boxes": np.array([row[2] for row in rows], dtype=np.float32).reshape(-1, 4),
        "labels": np.array([row[0] for row in rows], dtype=np.int64),
        "scores": objectness / 2,
        "objectness": objectness,
    }


def target(*rows):
    """Rows of label, box."""
    return {
        "boxes": np.array([row[1] for row in rows], dtype=np.float32).reshape(-1, 4),
        "labels": np.array([row[0] for row in rows], dtype=np.int64),
    }


def counts(found, truth, **choices):
    """total, proposals, detected, correct"""
    return tuple(DetectionScore(CLASSES, **choices).record(found, truth, META))


def test_only_confident_boxes_are_proposals():
    found = prediction((0, 0.25, LEFT), (0, 0.26, RIGHT))  # exactly the threshold is not above it
    assert counts(found, target((0, LEFT), (0, RIGHT))) == (2, 1, 1, 1)
    assert counts(found, target((0, LEFT), (0, RIGHT)), proposal_threshold=0.2) == (2, 2, 2, 2)


def test_wrong_class_is_detected_but_not_correct():
    assert counts(prediction((1, 0.9, LEFT)), target((0, LEFT))) == (1, 1, 1, 0)


def test_overlap_has_no_border_and_must_exceed_the_threshold():
    half = [0.0, 0.0, 0.25, 0.5]
    assert counts(prediction((0, 0.9, half)), target((0, [0.0, 0.0, 0.5, 0.5]))) == (1, 1, 0, 0)
    assert counts(prediction((0, 0.9, half)), target((0, [0.0, 0.0, 0.5, 0.5])), iou_threshold=0.49) == (1, 1, 1, 1)


def test_box_of_largest_overlap_decides_and_the_first_of_equals():
    near = [0.0, 0.0, 0.4, 0.36]  # IoU 0.9
    assert counts(prediction((1, 0.9, near), (0, 0.3, LEFT)), target((0, LEFT))) == (1, 2, 1, 1)
    above, below = [0.0, 0.0, 0.5, 0.75], [0.0, 0.25, 0.5, 1.0]  # IoU 3/4 with the whole column, both
    column = target((0, [0.0, 0.0, 0.5, 1.0]))
    assert counts(prediction((0, 0.9, above), (1, 0.8, below)), column) == (1, 2, 1, 1)
    assert counts(prediction((1, 0.9, above), (0, 0.8, below)), column) == (1, 2, 1, 0)
    assert counts(prediction((0, 0.9, below), (1, 0.8, above)), column) == (1, 2, 1, 1)


def test_one_box_may_serve_several_truths():
    assert counts(prediction((0, 0.9, LEFT)), target((0, LEFT), (0, LEFT), (1, LEFT))) == (3, 1, 3, 2)


def test_box_listed_again_for_another_class_is_one_proposal():
    found = prediction((1, 0.9, RIGHT), (0, 0.9, RIGHT), (0, 0.8, LEFT))
    assert counts(found, target((1, RIGHT))) == (1, 2, 1, 1)


def test_empty_sides_and_padding():
    assert counts(prediction(), target((0, LEFT))) == (1, 0, 0, 0)
    assert counts(prediction((0, 0.9, LEFT)), target()) == (0, 1, 0, 0)
    assert counts(prediction(), target()) == (0, 0, 0, 0)
    nothing = [0.0, 0.0, 0.0, 0.0]
    assert counts(prediction((0, 0.9, nothing)), target((0, LEFT), (-1, nothing))) == (1, 1, 0, 0)
    assert counts(prediction((0, 0.9, nothing)), target((0, nothing))) == (1, 1, 0, 0)  # no area, no overlap


def test_totals_run_over_the_whole_set_and_not_over_batches():
    metric = METRICS.build({"name": "DetectionScore"}, classes=CLASSES)
    many = target(*((0, LEFT) for _ in range(8)))
    metric.update([prediction((0, 0.9, LEFT))], [many], [{"id": "a"}])  # 8 truths, 1 box, 8 correct
    metric.update(
        [prediction((1, 0.9, LEFT), (1, 0.9, RIGHT))] * 2, [target((0, LEFT))] * 2, [{"id": "b"}, {"id": "c"}]
    )
    tiny = 1e-5  # which the official code adds to each denominator
    precision, recall = 8 / (5 + tiny), 8 / (10 + tiny)  # the mean of the batches would be (8 + 0) / 2 and (1 + 0) / 2
    expected = {
        "fscore": 2 * precision * recall / (precision + recall + tiny),
        "precision": precision,
        "recall": recall,
        "classification_accuracy": 8 / (10 + tiny),
        "localization_recall": 10 / (10 + tiny),
    }
    assert metric.accumulate() == pytest.approx(expected, abs=1e-12)
    assert metric.primary == "fscore"


def test_frames_without_truths_count_unless_they_are_left_out():
    for background, precision in ((True, 1 / 2), (False, 1)):
        metric = DetectionScore(CLASSES, background=background)
        found = [prediction((0, 0.9, LEFT))] * 2
        metric.update(found, [target((0, LEFT)), target((-1, LEFT))], [{"id": "a"}, {"id": "b"}])
        assert metric.accumulate()["precision"] == pytest.approx(precision, abs=1e-4)


def test_nothing_found_scores_zero():
    metric = DetectionScore(CLASSES)
    metric.update([prediction()], [target((0, LEFT))], [META])
    assert set(metric.accumulate().values()) == {0.0}


def test_errors_say_what_to_do():
    found = prediction((0, 0.9, LEFT))
    with pytest.raises(ValueError, match=r"v/7: prediction has label 2, expected 0\.\.1 .* 2 classes"):
        counts(prediction((2, 0.9, LEFT)), target())
    with pytest.raises(ValueError, match=r"v/7: annotation has label 5, expected 0\.\.1 .* 2 classes"):
        counts(found, target((5, LEFT)))
    with pytest.raises(
        UnmeasurableError, match=r"v/7: expected one label a box, \[N\], got \[1, 2\]; leave multi_label"
    ):
        counts(found, {**target((0, LEFT)), "labels": np.array([[1, 0]])})
    del found["objectness"]
    with pytest.raises(
        UnmeasurableError, match=r"v/7: METRIC DetectionScore needs objectness .* boxes, labels, scores; use"
    ):
        counts(found, target())
