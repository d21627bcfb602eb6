"""Frame-mAP on boxes worked out by hand; parity with the public evaluators is in the golden tests."""

from __future__ import annotations

import numpy as np
import pytest

from paddlevideo.metrics import FrameMAP
from paddlevideo.metrics.base import STRICT, UnmeasurableError
from paddlevideo.metrics.frame_map import (
    BoxTable,
    DetectionTable,
    average_precision,
    evaluate,
    nearest_truths,
    true_positives,
)
from paddlevideo.metrics.overlap import box_iou
from paddlevideo.registry import METRICS

HEIGHT, WIDTH = 240, 320
CLASSES = ("Biking", "Diving", "Surfing")
LEFT, RIGHT = [10, 10, 50, 90], [200, 10, 240, 90]  # pixels, far apart


def prediction(*rows):
    """Rows of label, score, pixel box."""
    labels = np.array([row[0] for row in rows], dtype=np.int64)
    scores = np.array([row[1] for row in rows], dtype=np.float32)
    return {"boxes": fractions([row[2] for row in rows]), "labels": labels, "scores": scores}


def target(*rows):
    """Rows of label, pixel box."""
    return {
        "boxes": fractions([row[1] for row in rows]),
        "labels": np.array([row[0] for row in rows], dtype=np.int64),
    }


def fractions(boxes):
    pixels = np.array(boxes, dtype=np.float64).reshape(-1, 4)
    return (pixels / [WIDTH, HEIGHT, WIDTH, HEIGHT]).astype(np.float32)


def meta(name):
    return {"id": name, "size": [HEIGHT, WIDTH]}


def score(frames, **choices):
    """Numbers of `frames`, a mapping from id to prediction and target."""
    metric = FrameMAP(CLASSES, **choices)
    for name, (found, truth) in frames.items():
        metric.update([found], [truth], [meta(name)])
    return metric.accumulate()


def tables(truths, detections):
    """Tables of one image and class from pixel boxes, and (score, pixel box) pairs."""
    boxes = np.array([box for _, box in detections], dtype=np.float64)
    one, many = np.zeros(len(truths), dtype=np.int64), np.zeros(len(detections), dtype=np.int64)
    scores = np.array([value for value, _ in detections])
    return DetectionTable(many, many, boxes, scores), BoxTable(one, one, np.array(truths, dtype=np.float64))


def match(detections, truths, threshold):
    """Which detections are true positives, taking their truths by falling score."""
    turns = np.argsort(-detections.score, kind="stable")
    return true_positives(*nearest_truths(detections, truths), turns, threshold)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ([0, 0, 9, 9], 1.0),
        ([0, 0, 9, 4], 0.5),  # 10 x 5 of 10 x 10 pixels; 4 / 9 without the last pixel
        ([9, 0, 18, 9], 10 / 190),  # one shared column
        ([10, 0, 19, 9], 0.0),  # neighbours
        ([9.5, 0, 18.5, 9], 0.0),  # half a pixel apart: not the half column that the +1 alone would give
        ([-5, 0, 4, 9], 50 / 150),
    ],
)
def test_iou_counts_the_last_pixel(other, expected):
    iou = box_iou(np.array([[0.0, 0, 9, 9]]), np.array([other], dtype=np.float64), border=1)
    assert iou == pytest.approx([expected], abs=1e-12)


def test_iou_of_every_box_with_every_other():
    a, b = np.array([[0, 0, 10, 10], [0, 0, 0, 0]]), np.array([[0, 0, 10, 4], [5, 0, 15, 10], [0, 0, 0, 0]])
    assert box_iou(a[:, None], b) == pytest.approx(np.array([[0.4, 1 / 3, 0], [0, 0, 0]]))


def test_average_precision_by_hand():
    # precision 1, 1/2, 2/3, 3/4, 3/5 and its envelope 1, 3/4, 3/4, 3/4, 3/5; the steps are at ranks 1, 3 and 4
    hits = np.array([True, False, True, True, False])
    assert average_precision(hits, 4) == pytest.approx((1 + 0.75 + 0.75) / 4)


def test_average_precision_without_detections_is_zero_and_without_truths_undefined():
    assert average_precision(np.zeros(0, dtype=bool), 3) == 0
    assert np.isnan(average_precision(np.zeros(2, dtype=bool), 0))


def test_duplicate_is_false_positive_and_the_higher_score_wins():
    detections, truths = tables([LEFT], [(0.6, LEFT), (0.9, [11, 10, 51, 90]), (0.7, LEFT)])
    assert match(detections, truths, 0.5).tolist() == [False, True, False]


def test_detection_does_not_fall_back_on_a_free_truth():
    first, second = [0, 0, 99, 99], [20, 0, 119, 99]
    nearer_to_first = [4, 0, 103, 99]  # IoU 96 / 104 with the first, 84 / 116 with the second
    detections, truths = tables([first, second], [(0.9, first), (0.8, nearer_to_first)])
    assert match(detections, truths, 0.5).tolist() == [True, False]


def test_first_of_equal_overlaps_is_matched():
    # The middle box overlaps both truths alike. It takes the first, so the later detection of the first comes too late.
    detections, truths = tables([[0, 0, 9, 9], [4, 0, 13, 9]], [(0.9, [2, 0, 11, 9]), (0.8, [0, 0, 9, 9])])
    assert match(detections, truths, 0.5).tolist() == [True, False]
    detections, truths = tables([[4, 0, 13, 9], [0, 0, 9, 9]], [(0.9, [2, 0, 11, 9]), (0.8, [0, 0, 9, 9])])
    assert match(detections, truths, 0.5).tolist() == [True, True]


def test_match_agrees_with_a_plain_loop():
    rng = np.random.default_rng(7)
    found, truths = (random_boxes(rng, count) for count in (400, 150))
    detections = DetectionTable(found.image, found.label, found.boxes, rng.integers(0, 20, 400) / 20)
    hits = match(detections, truths, 0.3)
    assert 20 < hits.sum() < 150
    assert hits.tolist() == loop_match(detections, truths, 0.3)


def random_boxes(rng, count):
    corner = rng.integers(0, 12, (count, 2)).astype(np.float64)
    boxes = np.concatenate([corner, corner + rng.integers(5, 15, (count, 2))], axis=1)
    return BoxTable(rng.integers(0, 20, count), rng.integers(0, 3, count), boxes)


def loop_match(detections, truths, threshold):
    hits, taken = [False] * len(detections.image), set()
    for d in sorted(range(len(hits)), key=lambda i: -detections.score[i]):
        same = (truths.image == detections.image[d]) & (truths.label == detections.label[d])
        rows = np.flatnonzero(same)
        if len(rows) == 0:
            continue
        overlap = box_iou(detections.boxes[d], truths.boxes[rows], border=1)
        best = int(rows[overlap.argmax()])
        if overlap.max() >= threshold and best not in taken:
            taken.add(best)
            hits[d] = True
    return hits


def test_counts_of_classes_without_truths_or_detections():
    zeros = np.zeros(1, dtype=np.int64)
    detections = DetectionTable(zeros, zeros, np.array([LEFT], dtype=np.float64), np.array([0.5]))
    truths = BoxTable(zeros, zeros + 2, np.array([LEFT], dtype=np.float64))
    (results,) = evaluate(detections, truths, [0.5])
    assert sorted(results) == [0, 2]
    assert (results[0].num_truths, results[0].true_positives, results[0].false_positives) == (0, 0, 1)
    assert (results[2].num_truths, results[2].true_positives, results[2].false_positives) == (1, 0, 0)


def test_mean_is_over_classes_with_truths():
    frames = {
        "a/1": (prediction((0, 0.9, LEFT), (2, 0.9, LEFT)), target((0, LEFT), (1, RIGHT))),  # Diving missed
        "a/2": (prediction((0, 0.95, RIGHT)), target()),  # no truth: a false positive, before the true one
    }
    assert score(frames) == pytest.approx({"frame_map@0.5": 0.25, "AP/Biking": 0.5, "AP/Diving": 0.0})


def test_higher_scores_come_first():
    right_first = {"a": (prediction((0, 0.2, RIGHT), (0, 0.9, LEFT)), target((0, LEFT)))}
    wrong_first = {"a": (prediction((0, 0.9, RIGHT), (0, 0.2, LEFT)), target((0, LEFT)))}
    assert score(right_first)["AP/Biking"] == 1
    assert score(wrong_first)["AP/Biking"] == 0.5


def test_order_of_frames_does_not_matter():
    rng = np.random.default_rng(3)
    frames = {}
    for k in range(20):
        found = [(int(rng.integers(3)), rng.random(), LEFT if rng.random() < 0.6 else RIGHT) for _ in range(4)]
        frames[f"v/{k:05d}"] = (prediction(*found), target((k % 3, LEFT)))
    backwards = dict(reversed(frames.items()))
    assert 0.1 < score(frames)["frame_map@0.5"] < 0.9
    assert score(backwards) == score(frames)


def test_equal_scores_count_in_the_order_of_the_official_file_names():
    # Run_v_00001.txt sorts after RunFast_v_00001.txt, although Run/v/00001 sorts before RunFast/v/00001.
    wrong, right = prediction((0, 0.5, RIGHT)), prediction((0, 0.5, LEFT))
    frames = {"Run/v/00001": (wrong, target()), "RunFast/v/00001": (right, target((0, LEFT)))}
    assert score(frames)["AP/Biking"] == 1
    frames = {"Run/v/00001": (right, target((0, LEFT))), "RunFast/v/00001": (wrong, target())}
    assert score(frames)["AP/Biking"] == 0.5


def test_padding_rows_are_no_truths():
    padded = target((0, LEFT), (-1, [0, 0, 0, 0]), (-1, [0, 0, 0, 0]))
    assert score({"a": (prediction((0, 0.5, LEFT)), padded)}) == {"frame_map@0.5": 1.0, "AP/Biking": 1.0}


def test_no_prediction_at_all_scores_zero():
    assert score({"a": (prediction(), target((1, LEFT)))}) == {"frame_map@0.5": 0.0, "AP/Diving": 0.0}


def test_detections_are_rounded_to_whole_pixels_and_truths_are_not():
    rounded_to_half = [0, 0, 9, 4.4]  # IoU 0.54 as it is, exactly 0.5 when rounded
    frames = {"a": (prediction((0, 0.5, rounded_to_half)), target((0, [0, 0, 9, 9])))}
    assert score(frames, iou_thresholds=[0.52])["AP/Biking"] == 0
    assert score(frames, iou_thresholds=[0.52], round_boxes=False)["AP/Biking"] == 1
    frames = {"a": (prediction((0, 0.5, [0, 0, 9, 9])), target((0, rounded_to_half)))}
    assert score(frames, iou_thresholds=[0.52])["AP/Biking"] == 1


def test_rounding_is_half_to_even():
    boxes = np.array([[0.5, 1.5, 2.5, 3.5]], dtype=np.float32) / 8
    found = {"boxes": boxes, "labels": np.zeros(1, np.int64), "scores": np.ones(1, np.float32)}
    metric = FrameMAP(CLASSES)
    detections, _ = metric.tables({"a": metric.record(found, target(), {"id": "a", "size": [8, 8]})})
    assert detections.boxes.tolist() == [[0, 2, 2, 4]]


def test_float32_fractions_of_whole_pixels_become_those_pixels_again():
    boxes = [[x, y, x + 61, y + 53] for x in range(-3, WIDTH) for y in range(0, HEIGHT, 7)]
    truths = target(*((0, box) for box in boxes))
    found = prediction(*((0, 0.5, box) for box in boxes))
    metric = FrameMAP(CLASSES)
    detections, rows = metric.tables({"a": metric.record(found, truths, meta("a"))})
    assert (truths["boxes"].astype(np.float64) * [WIDTH, HEIGHT, WIDTH, HEIGHT] != boxes).any()
    np.testing.assert_array_equal(rows.boxes, boxes)
    np.testing.assert_array_equal(detections.boxes, boxes)


def test_overlap_of_exactly_the_threshold_is_a_match():
    for x in range(100):
        frames = {"a": (prediction((0, 0.5, [x, 0, x + 9, 4])), target((0, [x, 0, x + 9, 9])))}
        assert score(frames)["AP/Biking"] == 1


def test_thresholds_and_their_mean():
    metric = METRICS.build({"name": "FrameMAP", "iou_thresholds": [0.75]}, classes=CLASSES)
    assert metric.primary == "frame_map@0.75"
    assert FrameMAP(CLASSES, STRICT[::-1]).primary == "frame_map@0.5"
    frames = {"a": (prediction((0, 0.5, [0, 0, 9, 6])), target((0, [0, 0, 9, 9]), (1, LEFT)))}  # IoU 0.7
    numbers = score(frames, iou_thresholds=STRICT)
    passed = {f"frame_map@{threshold:g}": 0.5 for threshold in (0.5, 0.55, 0.6, 0.65, 0.7)}
    assert {name: value for name, value in numbers.items() if value} == {
        **passed,
        "frame_map@0.5:0.95": pytest.approx(0.25),
        "AP/Biking": 1,
    }
    assert "frame_map@0.5:0.95" not in score(frames, iou_thresholds=STRICT[:-1])


def test_frames_without_truths_count_unless_they_are_left_out():
    frames = {
        "a/1": (prediction((0, 0.5, LEFT)), target((0, LEFT))),
        "a/2": (prediction((0, 0.9, RIGHT)), target()),
    }
    assert score(frames)["AP/Biking"] == 0.5
    assert score(frames, background=False)["AP/Biking"] == 1


def test_chunks_change_nothing(monkeypatch):
    rng = np.random.default_rng(1)
    found, truths = (random_boxes(rng, count) for count in (300, 100))
    whole = nearest_truths(found, truths)
    monkeypatch.setattr("paddlevideo.metrics.frame_map.CHUNK", 7)
    np.testing.assert_array_equal(nearest_truths(found, truths), whole)
    assert (whole[0] < 0).any()


def test_errors_say_what_to_do():
    with pytest.raises(UnmeasurableError, match="test set has no boxes"):
        score({"a": (prediction((0, 0.5, LEFT)), target((-1, LEFT)))})
    with pytest.raises(ValueError, match=r"v/7: prediction has label 3, expected 0\.\.2 .* 3 classes"):
        score({"v/7": (prediction((3, 0.5, LEFT)), target((0, LEFT)))})
    with pytest.raises(ValueError, match=r"v/7: prediction has label -1"):
        score({"v/7": (prediction((-1, 0.5, LEFT)), target((0, LEFT)))})
    with pytest.raises(ValueError, match=r"v/7: annotation has label 24, expected 0\.\.2 .* 3 classes"):
        score({"v/7": (prediction((0, 0.5, LEFT)), target((24, LEFT)))})
    with pytest.raises(ValueError, match="v/7: prediction should be finite"):
        score({"v/7": (prediction((0, np.nan, LEFT)), target((0, LEFT)))})
    with pytest.raises(ValueError, match=r"METRIC FrameMAP: iou_thresholds should be numbers above 0 .* got \[0\]"):
        FrameMAP(CLASSES, iou_thresholds=[0])
