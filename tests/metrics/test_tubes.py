"""Linking, suppressing, overlapping and matching tubes, by hand; parity with public code is in the golden tests."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from paddlevideo.metrics import tubes as tubes_module
from paddlevideo.metrics.tubes import LinkedTube, Tube, link_tubes, match_tubes, suppress_tubes, tube_iou

LEFT, RIGHT = [0, 0, 10, 10], [100, 0, 110, 10]


def link(rows, num_frames, max_tubes=3, trim=False):
    """Tubes of rows (frame, label, score, box)."""
    frame, label = (np.array([row[k] for row in rows], dtype=np.int64) for k in (0, 1))
    scores = np.array([row[2] for row in rows], dtype=np.float64)
    boxes = np.array([row[3] for row in rows], dtype=np.float64).reshape(-1, 4)
    return link_tubes(frame, label, boxes, scores, num_frames, max_tubes, trim)


def tube(first, boxes, scores=None):
    frames = np.arange(first, first + len(boxes))
    array = np.array(boxes, dtype=np.float64)
    return Tube(frames, array) if scores is None else LinkedTube(frames, array, np.array(scores, dtype=np.float64))


def test_a_tube_stays_with_its_actor():
    """The better box of frame 2 is elsewhere: staying earns 1 + 0.8 + 0.08, leaving only 0 + 1.2 + 0.16."""
    (one, two) = link([(1, 0, 0.4, LEFT), (2, 0, 0.8, RIGHT), (2, 0, 0.4, LEFT), (1, 0, 0.01, RIGHT)], 2)[0]
    assert one.boxes.tolist() == [LEFT, LEFT]
    assert one.frames.tolist() == [1, 2]
    assert one.scores.tolist() == [0.4, 0.4]
    assert one.score == pytest.approx(0.4)
    assert two.boxes.tolist() == [RIGHT, RIGHT]
    assert two.score == pytest.approx(0.405)


def test_the_product_of_scores_decides():
    """An IoU of 1/3 outweighs a score higher by 0.3, but not if 0.8 * 0.3 / 2 comes on top."""
    rows = [(2, 0, 0.1, [5, 0, 15, 10]), (2, 0, 0.4, RIGHT)]
    for score, second in ((0.1, [5, 0, 15, 10]), (0.8, RIGHT)):
        assert link([(1, 0, score, LEFT), *rows], 2, max_tubes=1)[0][0].boxes[1].tolist() == second


def test_iou_of_links_has_no_border_pixel():
    """Half a box of overlap is 1/3 without it; with it 6 * 11 / (2 * 121 - 66) = 0.375 would beat the score's 0.35."""
    half = [5, 0, 15, 10]
    rows = [(1, 0, 0.0, LEFT), (2, 0, 0.0, half), (2, 0, 0.35, RIGHT)]
    assert link(rows, 2, max_tubes=1)[0][0].boxes[1].tolist() == RIGHT


def test_ties_go_to_the_earlier_row():
    apart = [(1, 0, 0.5, RIGHT), (1, 0, 0.5, LEFT), (2, 0, 0.5, [50, 0, 60, 10])]
    assert link(apart, 2)[0][0].boxes[0].tolist() == RIGHT
    last = [(1, 0, 0.5, [50, 0, 60, 10]), (2, 0, 0.5, RIGHT), (2, 0, 0.5, LEFT)]
    assert link(last, 2)[0][0].boxes[1].tolist() == RIGHT


def test_rows_come_in_any_order():
    rows = [(2, 1, 0.3, LEFT), (1, 0, 0.9, LEFT), (1, 1, 0.2, LEFT), (2, 0, 0.8, RIGHT)]
    tubes = link(rows, 2)
    assert tubes.keys() == {0, 1}
    assert tubes[0][0].scores.tolist() == [0.9, 0.8]
    assert tubes[1][0].scores.tolist() == [0.2, 0.3]


def test_an_empty_frame_borrows_from_the_nearest():
    """Boxes on frames 2 and 6 of 7: frame 4 is as near to both and takes the earlier."""
    (only,) = link([(6, 3, 0.6, RIGHT), (2, 3, 0.2, LEFT)], 7)[3]
    assert only.scores.tolist() == [0.2, 0.2, 0.2, 0.2, 0.6, 0.6, 0.6]
    assert only.boxes[[0, 3, 4, 6]].tolist() == [LEFT, LEFT, RIGHT, RIGHT]


def test_every_frame_without_a_box_borrows_from_the_nearest():
    rng = np.random.default_rng(0)
    for num_frames in (1, 2, 9, 30):
        seen = np.sort(rng.permutation(num_frames)[: rng.integers(1, num_frames + 1)]) + 1
        (only,) = link([(frame, 0, frame / 64, LEFT) for frame in seen], num_frames)[0]
        nearest = [min(seen, key=lambda other: (abs(other - frame), other)) for frame in range(1, num_frames + 1)]
        assert (only.scores * 64).tolist() == nearest


@pytest.mark.parametrize("chunk", [1, 40])
def test_links_do_not_depend_on_how_many_frames_are_compared_together(monkeypatch, chunk):
    rng = np.random.default_rng(1)
    corner = rng.integers(0, 30, (60, 2))
    boxes = np.concatenate([corner, corner + rng.integers(5, 30, (60, 2))], axis=1).tolist()
    rows = [(number // 4 + 1, number % 2, rng.random(), box) for number, box in enumerate(boxes)]
    whole = link(rows, 15)
    monkeypatch.setattr(tubes_module, "CHUNK", chunk)
    for label, tubes in link(rows, 15).items():
        for one, other in zip(tubes, whole[label], strict=True):
            np.testing.assert_array_equal(one.boxes, other.boxes)
            np.testing.assert_array_equal(one.scores, other.scores)


def test_a_trimmed_tube_ends_with_its_detections():
    """Class 3 is seen on frames 2 and 6 of 7, class 5 everywhere; holes between detections are still filled."""
    rows = [(6, 3, 0.6, RIGHT), (2, 3, 0.2, LEFT), *((frame, 5, 0.5, LEFT) for frame in range(1, 8))]
    tubes = link(rows, 7, trim=True)
    (only,) = tubes[3]
    assert only.frames.tolist() == [2, 3, 4, 5, 6]
    assert only.scores.tolist() == [0.2, 0.2, 0.2, 0.6, 0.6]
    assert only.boxes[[0, 2, 3]].tolist() == [LEFT, LEFT, RIGHT]
    assert tubes[5][0].frames.tolist() == [1, 2, 3, 4, 5, 6, 7]


def test_a_borrowed_box_is_used_up_on_its_frame_only():
    """Two boxes on frame 1, none on frame 2: two tubes, each with one of them twice."""
    one, two = link([(1, 0, 0.9, LEFT), (1, 0, 0.5, RIGHT)], 2)[0]
    assert one.boxes.tolist() == [LEFT, LEFT]
    assert two.boxes.tolist() == [RIGHT, RIGHT]


def test_number_of_tubes():
    boxes = [[200 * k, 0, 200 * k + 10, 10] for k in range(5)]
    rows = [(frame, 0, 0.5, box) for frame in (1, 2, 3) for box in boxes]
    assert len(link(rows, 3)[0]) == 3
    assert len(link(rows, 3, max_tubes=4)[0]) == 4
    scarce = [row for row in rows if row[0] != 2 or row[3][0] <= 200]  # two boxes on frame 2
    assert len(link([*scarce, (1, 1, 0.1, LEFT)], 3)[0]) == 2


def test_a_video_of_one_frame_takes_the_first_row():
    one, two = link([(1, 0, 0.1, LEFT), (1, 0, 0.9, RIGHT)], 1)[0]
    assert (one.boxes.tolist(), two.boxes.tolist()) == ([LEFT], [RIGHT])


def test_no_detection_no_tube():
    assert link([], 5) == {}


def test_the_path_is_the_best_of_all():
    """Against trying every path, on random boxes of two classes with a different number on every frame."""
    rng = np.random.default_rng(0)
    rows = [
        (frame, label, rng.random(), [*corner, *(corner + rng.uniform(5, 20, 2))])
        for frame in range(1, 6)
        for label in (0, 1)
        for corner in rng.uniform(0, 15, (rng.integers(1, 5), 2))
    ]
    for label, tubes in link(rows, 5, max_tubes=1).items():
        per_frame = [[row for row in rows if row[:2] == (frame, label)] for frame in range(1, 6)]
        best = max(itertools.product(*per_frame), key=path_worth)
        assert tubes[0].scores.tolist() == [row[2] for row in best]


def path_worth(path):
    return sum(corner_iou(a[3], b[3]) + a[2] + b[2] + a[2] * b[2] / 2 for a, b in itertools.pairwise(path))


def corner_iou(a, b):
    width, height = (min(a[k + 2], b[k + 2]) - max(a[k], b[k]) for k in (0, 1))
    shared = max(width, 0) * max(height, 0)
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def test_boxes_without_area():
    """Two points that a clip to the frame left over: no overlap, and no division by zero."""
    (only,) = link([(1, 0, 0.5, [5, 5, 5, 5]), (2, 0, 0.5, [5, 5, 5, 5])], 2)[0]
    assert only.score == 0.5


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (tube(1, [LEFT] * 4), 1.0),
        (tube(3, [LEFT] * 4), 2 / 6),  # frames 3 and 4 of 1..6
        (tube(4, [LEFT] * 4), 0.0),  # one common frame
        (tube(5, [LEFT] * 4), 0.0),
        (tube(1, [LEFT, RIGHT, LEFT, RIGHT]), 0.5),
        (tube(1, [[0, 0, 10, 4]] * 4), 55 / 121),  # the last pixel belongs to the box
        (tube(2, [LEFT] * 2), 0.5),
    ],
)
def test_overlap_of_tubes(other, expected):
    assert tube_iou(tube(1, [LEFT] * 4), other) == pytest.approx(expected)
    assert tube_iou(other, tube(1, [LEFT] * 4)) == pytest.approx(expected)


def test_overlap_without_border():
    assert tube_iou(tube(1, [LEFT] * 4), tube(1, [[0, 0, 10, 4]] * 4), border=0) == pytest.approx(0.4)


def test_tubes_with_holes_share_what_both_have():
    """Frames 1, 3 and 5 against 1..5: three common frames of five."""
    holes = Tube(np.array([1, 3, 5]), np.array([LEFT] * 3, dtype=np.float64))
    assert tube_iou(holes, tube(1, [LEFT] * 5)) == pytest.approx(3 / 5)


def test_suppression_keeps_the_better_and_orders_by_score():
    poor, good, far = (tube(1, [box] * 2, [s] * 2) for box, s in ((LEFT, 0.2), (LEFT, 0.9), (RIGHT, 0.5)))
    assert suppress_tubes([poor, good, far], 0.3) == [good, far]
    assert suppress_tubes([poor, good, far], 1.0) == [good, far, poor]  # an IoU of just the threshold passes
    flat = tube(1, [[0, 0, 10, 4]] * 2, [0.5] * 2)  # IoU with LEFT 5/11 with the last pixel and 2/5 without
    assert suppress_tubes([good, flat], 0.42) == [good]
    assert suppress_tubes([good, flat], 0.42, border=0) == [good, flat]
    equal = [tube(1, [box] * 2, [0.5] * 2) for box in (RIGHT, LEFT)]
    assert suppress_tubes(equal, 0.3) == equal


def test_tubes_of_one_frame_are_never_suppressed():
    twins = [tube(1, [LEFT], [0.5]), tube(1, [LEFT], [0.4])]
    assert suppress_tubes(twins, 0.3) == twins


@pytest.mark.parametrize(
    ("overlap", "expected"),
    [
        ([[0.6], [0.9]], [True, False]),  # the better score comes first
        ([[0.9, 0.6], [0.8, 0.7]], [True, True]),  # the second falls back on the truth that is left
        ([[0.9, 0.2], [0.8, 0.3]], [True, False]),
        ([[0.5]], [True]),  # just the threshold
        ([[0.49999]], [False]),
        ([[0.7, 0.7], [0.0, 0.7]], [True, True]),  # of equals the first
    ],
)
def test_matching(overlap, expected):
    given = np.array(overlap)
    assert match_tubes(given, 0.5).tolist() == expected
    np.testing.assert_array_equal(given, overlap)


def test_strict_matching_asks_for_more_than_the_threshold():
    assert match_tubes(np.array([[0.5]]), 0.5, strict=True).tolist() == [False]
    assert match_tubes(np.array([[0.50001]]), 0.5, strict=True).tolist() == [True]


@pytest.mark.parametrize("shape", [(0, 3), (2, 0)])
def test_matching_without_tubes_or_truths(shape):
    assert match_tubes(np.zeros(shape), 0.5).tolist() == [False] * shape[0]
