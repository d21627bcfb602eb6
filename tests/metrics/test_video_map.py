"""Video-mAP on tubes worked out by hand; parity with public code is in the golden tests."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from paddlevideo.metrics import VideoMAP
from paddlevideo.metrics.base import STRICT, UnmeasurableError
from paddlevideo.registry import METRICS

HEIGHT, WIDTH = 240, 320
CLASSES = ("Biking", "Diving")
LEFT, RIGHT = [10, 10, 50, 90], [200, 10, 240, 90]  # pixels, far apart
SHARE = 1 / (1 + 1e-5)  # the most that one truth is worth


def fractions(boxes):
    pixels = np.array(boxes, dtype=np.float64).reshape(-1, 4)
    return (pixels / [WIDTH, HEIGHT, WIDTH, HEIGHT]).astype(np.float32)


def frame(found=(), true=()):
    """Prediction of rows (label, score, box) and target of rows (label, actor, box), with a padding row."""
    prediction = {
        "boxes": fractions([row[2] for row in found]),
        "labels": np.array([row[0] for row in found], dtype=np.int64),
        "scores": np.array([row[1] for row in found], dtype=np.float32),
    }
    target = {
        "boxes": fractions([*(row[2] for row in true), [0] * 4]),
        "labels": np.array([*(row[0] for row in true), -1], dtype=np.int64),
        "actors": np.array([*(row[1] for row in true), -1], dtype=np.int64),
    }
    return prediction, target


def score(videos, candidates="own_class", **choices):
    """Numbers of `videos`, a mapping from a name to the (prediction, target) of all frames."""
    metric = VideoMAP(CLASSES, candidates=candidates, **choices)
    for name, frames in videos.items():
        for number, (prediction, target) in enumerate(frames, start=1):
            meta = {"id": f"{name}/{number:05d}", "size": [HEIGHT, WIDTH], "num_frames": len(frames)}
            metric.update([prediction], [target], [meta])
    return metric.accumulate()


def test_perfect_tubes():
    video = [frame([(0, 0.9, LEFT), (1, 0.8, RIGHT)], [(0, 0, LEFT), (1, 1, RIGHT)])] * 3
    numbers = score({"Biking/a": video, "Diving/b": video}, iou_thresholds=(0.5, 1.0))
    share = 2 / (2 + 1e-5)
    assert numbers == pytest.approx(
        {"video_map@0.5": share, "video_map@1": share, "video_AP/Biking": share, "video_AP/Diving": share}, abs=1e-9
    )


def test_the_mean_is_over_all_classes():
    """Diving has no truth: it counts with 0, whether or not it is found."""
    video = [frame([(0, 0.9, LEFT)], [(0, 0, LEFT)])] * 3
    numbers = score({"a": video})
    assert numbers["video_AP/Diving"] == 0
    assert numbers["video_map@0.5"] == pytest.approx(SHARE / 2, abs=1e-9)
    assert score({"a": [*video[:2], frame([(0, 0.9, LEFT), (1, 0.5, RIGHT)], [(0, 0, LEFT)])]}) == numbers


def test_a_tube_covers_its_whole_video():
    """An action on 2 of 5 frames, found on just these: the tube borrows the rest, and its IoU is 2/5."""
    video = [frame([(0, 0.9, LEFT)], [(0, 0, LEFT)])] * 2 + [frame()] * 3
    numbers = score({"a": video}, iou_thresholds=(0.3, 0.4, 0.41))
    assert numbers["video_map@0.3"] == numbers["video_map@0.4"] == pytest.approx(SHARE / 2, abs=1e-9)
    assert numbers["video_map@0.41"] == 0


def test_the_annotated_frames_of_a_video_count_as_all_of_it():
    """Frames 11 to 13 of a long video are annotated, with an action on all of them that is found."""
    metric = VideoMAP(CLASSES, candidates="own_class", iou_thresholds=(0.99,))
    for number in (11, 12, 13):
        meta = {"id": f"a/{number:05d}", "size": [HEIGHT, WIDTH], "num_frames": 3}
        metric.update(*([part] for part in frame([(0, 0.9, LEFT)], [(0, 0, LEFT)])), [meta])
    assert metric.accumulate()["video_map@0.99"] == pytest.approx(SHARE / 2, abs=1e-9)
    meta = {"id": "b/00012", "size": [HEIGHT, WIDTH], "num_frames": 3}
    metric.update(*([part] for part in frame([], [])), [meta])
    with pytest.raises(UnmeasurableError, match=r"b: video-mAP expects all 3 frames .*annotated, but 2 were not"):
        metric.accumulate()


def test_a_false_tube_of_a_higher_score_halves_precision():
    true = [frame([(0, 0.4, LEFT), (0, 0.9, RIGHT)], [(0, 0, LEFT)])] * 2
    assert score({"a": true})["video_AP/Biking"] == pytest.approx(SHARE / 2, abs=1e-9)
    elsewhere = {"a": [frame([(0, 0.4, LEFT)], [(0, 0, LEFT)])] * 2, "b": [frame([(0, 0.9, LEFT)])] * 2}
    assert score(elsewhere)["video_AP/Biking"] == pytest.approx(SHARE / 2, abs=1e-9)


def test_two_actors_of_a_class_are_two_tubes():
    """One is found, so half of the recall is reached; were they one tube, two boxes a frame would not fit."""
    video = [frame([(0, 0.9, LEFT)], [(0, 4, LEFT), (0, 7, RIGHT)])] * 3
    assert score({"a": video})["video_AP/Biking"] == pytest.approx(1 / (2 + 1e-5), abs=1e-9)


def test_actor_numbers_count_within_a_video():
    video = [frame([(0, 0.9, LEFT)], [(0, 0, LEFT)])] * 3
    assert score({"a": video, "b": video})["video_AP/Biking"] == pytest.approx(2 / (2 + 1e-5), abs=1e-9)


def test_a_video_without_detections_is_missed():
    found, missed = [frame([(0, 0.9, LEFT)], [(0, 0, LEFT)])] * 3, [frame([], [(0, 0, LEFT)])] * 3
    numbers = score({"a": found, "b": missed})
    assert numbers["video_AP/Biking"] == pytest.approx(1 / (2 + 1e-5), abs=1e-9)
    assert score({"b": missed})["video_map@0.5"] == 0


def test_a_video_of_one_frame_is_never_found():
    assert score({"a": [frame([(0, 0.9, LEFT)], [(0, 0, LEFT)])]})["video_map@0.05"] == 0


def test_nms_and_number_of_tubes():
    """The second tube, of the higher score, hides the first one, which is of the right place."""
    twin = [14, 10, 54, 90]  # IoU with LEFT 37 / 45
    video = [frame([(0, 0.4, LEFT), (0, 0.9, twin)], [(0, 0, LEFT)])] * 2
    strict = {"iou_thresholds": (0.9,)}
    assert score({"a": video}, **strict)["video_AP/Biking"] == 0
    assert score({"a": video}, nms=0.9, **strict)["video_AP/Biking"] == pytest.approx(SHARE / 2, abs=1e-9)
    assert score({"a": video}, nms=0.9, max_tubes=1, **strict)["video_AP/Biking"] == 0


def test_the_mean_over_strict_thresholds():
    """The upper 61 of 81 rows: an IoU of 0.753, which passes six of the ten thresholds."""
    video = [frame([(0, 0.9, [10, 10, 50, 70])], [(0, 0, LEFT)])] * 2
    numbers = score({"a": video}, iou_thresholds=STRICT)
    assert numbers["video_map@0.75"] == pytest.approx(SHARE / 2, abs=1e-9)
    assert numbers["video_map@0.8"] == 0
    assert numbers["video_map@0.5:0.95"] == pytest.approx(0.6 * SHARE / 2, abs=1e-9)


def test_every_box_may_stand_for_every_class():
    """The best class is wrong on both frames, and the score is the probability alone, whatever the objectness."""
    prediction, target = frame([(1, 0.9, LEFT)], [(0, 0, LEFT)])
    prediction["probabilities"] = np.array([[0.3, 0.7]], np.float32)
    video = [(prediction, target)] * 2
    assert score({"a": video})["video_AP/Biking"] == 0
    assert score({"a": video}, "every_class")["video_AP/Biking"] == pytest.approx(SHARE, abs=1e-9)
    kept = VideoMAP(CLASSES).record(prediction, target, {"id": "a/1", "size": [HEIGHT, WIDTH], "num_frames": 1})
    np.testing.assert_array_equal(kept.scores, prediction["probabilities"])


def test_a_box_with_a_row_for_each_class_is_one_candidate():
    prediction, target = frame([(0, 0.6, LEFT), (1, 0.2, LEFT), (0, 0.1, RIGHT)], [(0, 0, LEFT)])
    prediction["probabilities"] = np.array([[0.7, 0.3], [0.7, 0.3], [0.6, 0.4]], np.float32)
    kept = VideoMAP(CLASSES).record(prediction, target, {"id": "a/1", "size": [HEIGHT, WIDTH], "num_frames": 1})
    np.testing.assert_array_equal(kept.boxes, np.array([LEFT, RIGHT], np.float32))
    np.testing.assert_array_equal(kept.scores, prediction["probabilities"][[0, 2]])


def test_every_class_is_a_row_for_each_box_and_class():
    rng = np.random.default_rng(0)
    by_box, by_row = {}, {}
    for name in "ab":
        for videos in (by_box, by_row):
            videos[name] = []
        for _ in range(6):
            corners = rng.integers(0, 100, (4, 2))
            boxes = [[*corner, *(corner + rng.integers(30, 90, 2))] for corner in corners]
            worth = rng.random((4, 2), np.float32)
            prediction, target = frame([(0, 0.5, box) for box in boxes], [(0, 0, [30, 30, 110, 110]), (1, 1, boxes[0])])
            by_box[name].append(({**prediction, "probabilities": worth}, target))
            rows = [(k, worth[i, k], box) for i, box in enumerate(boxes) for k in (0, 1)]
            by_row[name].append((frame(rows)[0], target))
    numbers = score(by_box, "every_class")
    assert 0.1 < numbers["video_map@0.2"] < 0.9
    assert numbers == score(by_row)


def test_border_shift_and_threshold():
    """An IoU of exactly 1/2 without the border, and more with it; detections may count their pixels from 0."""
    half = [frame([(0, 0.9, [10, 10, 50, 50])], [(0, 0, LEFT)])] * 2
    found = {"a": half}
    assert score(found, border=False)["video_AP/Biking"] == pytest.approx(SHARE, abs=1e-9)
    assert score(found, border=False, strict=True)["video_AP/Biking"] == 0
    assert score(found, strict=True)["video_AP/Biking"] == pytest.approx(SHARE, abs=1e-9)
    moved = {"a": [frame([(0, 0.9, [9, 9, 49, 89])], [(0, 0, LEFT)])] * 2}
    assert score(moved, iou_thresholds=[1.0])["video_AP/Biking"] == 0
    assert score(moved, iou_thresholds=[1.0], shift=1.0)["video_AP/Biking"] == pytest.approx(SHARE, abs=1e-9)


def test_trimmed_tubes_of_a_short_action():
    video = [frame([(0, 0.9, LEFT)], [(0, 0, LEFT)])] * 2 + [frame()] * 3
    assert score({"a": video}, iou_thresholds=[0.5])["video_AP/Biking"] == 0  # 2 of 5 frames
    assert score({"a": video}, iou_thresholds=[0.5], trim=True)["video_AP/Biking"] == pytest.approx(SHARE, abs=1e-9)


def test_rounding_comes_before_the_mean():
    """One of three tubes is found: AP is 0.333333 of a share, 33.33 percent, and 0 for the other class."""
    video = [frame([(0, 0.9, LEFT)], [(0, k, box) for k, box in enumerate((LEFT, RIGHT, [100, 100, 140, 190]))])] * 2
    assert score({"a": video}, decimals=2)["video_map@0.5"] == pytest.approx(0.3333 / 2, abs=1e-12)


def test_tubes_of_equal_scores_count_by_video():
    wrong, right = frame([(0, 0.9, RIGHT)]), frame([(0, 0.9, LEFT)], [(0, 0, LEFT)])
    assert score({"a": [wrong] * 2, "b": [right] * 2})["video_AP/Biking"] == pytest.approx(SHARE / 2, abs=1e-9)
    assert score({"a": [right] * 2, "b": [wrong] * 2})["video_AP/Biking"] == pytest.approx(SHARE, abs=1e-9)


def test_detections_are_clipped_and_truths_are_not():
    metric = VideoMAP(CLASSES, candidates="own_class")
    prediction, target = frame([(1, 0.25, [-8, -4, 330, 250])], [(1, 2, [-0.5, 63, 321, 125])])  # 63 / 240 is inexact
    target = {key: value[::-1] for key, value in target.items()}  # padding may stand anywhere
    kept = metric.record(prediction, target, {"id": "a/1", "size": [HEIGHT, WIDTH], "num_frames": 1})
    np.testing.assert_array_equal(kept.boxes, np.array([[0, 0, 320, 240]], np.float32))
    np.testing.assert_array_equal(kept.scores, np.array([[np.nan, 0.25]], np.float32))
    np.testing.assert_array_equal(kept.truths, np.array([[1, -0.5, 63, 321, 125, 2]], np.float32))
    assert kept.boxes.dtype == kept.scores.dtype == kept.truths.dtype == np.float32
    assert pickle.loads(pickle.dumps(kept)).num_frames == 1


@pytest.mark.parametrize("missing", [0, 1, 2])  # the last one too
def test_a_missing_frame(missing):
    metric = VideoMAP(CLASSES, candidates="own_class")
    for number in {1, 2, 3} - {missing + 1}:
        meta = {"id": f"Biking/a/{number:05d}", "size": [HEIGHT, WIDTH], "num_frames": 3}
        metric.update(*([part] for part in frame([], [(0, 0, LEFT)])), [meta])
    message = rf"Biking/a, frame {missing + 1}: .*all 3 frames .*1 were not .*DATASET\.test\.every_frame=true"
    with pytest.raises(UnmeasurableError, match=message):
        metric.accumulate()


def test_what_cannot_be_counted():
    meta = {"id": "a/00001", "size": [HEIGHT, WIDTH], "num_frames": 1}
    prediction, target = frame([(0, 0.9, LEFT)], [(0, 0, LEFT)])
    metric = VideoMAP(CLASSES, candidates="own_class")
    without = {key: value for key, value in target.items() if key != "actors"}
    with pytest.raises(UnmeasurableError, match=r"a/00001: .*targets with actors, got boxes, labels; build the index"):
        metric.record(prediction, without, meta)
    with pytest.raises(UnmeasurableError, match=r"a/00001: .*expects probabilities .*has boxes, labels, scores; use a"):
        VideoMAP(CLASSES).record(prediction, target, meta)
    with pytest.raises(ValueError, match="a/00001: prediction should be finite"):
        metric.record({**prediction, "scores": np.array([np.nan])}, target, meta)
    with pytest.raises(ValueError, match=r"a/00001: prediction has label 2, expected 0\.\.1"):
        metric.record({**prediction, "labels": np.array([2])}, target, meta)
    with pytest.raises(ValueError, match=r"a/00001: annotation has label 5, expected 0\.\.1"):
        metric.record(prediction, {**target, "labels": np.array([5, -1])}, meta)
    with pytest.raises(ValueError, match=r"ids like Biking/v_1/00012, .*got 'clip'"):
        metric.compute({"clip": metric.record(prediction, target, meta)})
    with pytest.raises(UnmeasurableError, match="there is none in the 2 frames"):
        score({"a": [frame([(0, 0.9, LEFT)])] * 2})


@pytest.mark.parametrize(
    "choices",
    [
        {"iou_thresholds": ()},
        {"iou_thresholds": (0.5, 0.0)},
        {"iou_thresholds": (50,)},
        {"max_tubes": 0},
        {"nms": 1.5},
    ],
)
def test_wrong_choices(choices):
    with pytest.raises(ValueError, match=r"METRIC VideoMAP: .*, got .*; usual are"):
        VideoMAP(CLASSES, **choices)


def test_it_is_built_from_a_config():
    metric = METRICS.build({"name": "VideoMAP"}, classes=CLASSES)
    assert metric.primary == "video_map@0.5"
    other = METRICS.build({"name": "VideoMAP", "iou_thresholds": [0.2, 0.75]}, classes=CLASSES)
    assert other.primary == "video_map@0.2"
