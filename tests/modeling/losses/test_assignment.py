from __future__ import annotations

import numpy as np
import paddle
import pytest

from paddlevideo.modeling.heads import YOWOHead
from paddlevideo.modeling.losses.assignment import assign

ANCHORS = np.array([[1.0, 1.0], [2.0, 3.0]], np.float32)
HEIGHT, WIDTH = 3, 4


def raw(batch: int = 1) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(batch, 2, 8, HEIGHT, WIDTH)).astype(np.float32)


def centred(*boxes: tuple[float, float, float, float]) -> np.ndarray:
    """Boxes of one sample from grid cells."""
    return np.array([boxes], np.float32) / [WIDTH, HEIGHT, WIDTH, HEIGHT]


def test_cell_anchor_and_offsets_by_hand() -> None:
    boxes = centred((2.25, 1.5, 2.0, 1.0), (0.5, 0.125, 2.0, 2.0))  # the first shares 1/2 and 1/3 with the anchors
    found = assign(raw(), boxes, np.array([[True, True]]), ANCHORS, 0.6)
    assert found.index.tolist() == [(0 * HEIGHT + 1) * WIDTH + 2, (1 * HEIGHT + 0) * WIDTH + 0]
    expected = [[0.25, 0.5, np.log(2), 0], [0.5, 0.125, 0, np.log(2 / 3)]]
    np.testing.assert_allclose(found.xywh, expected, atol=1e-6)


@pytest.mark.parametrize(("x", "y", "place"), [(4.0, 3.0, 11), (4.0, 0.5, 3), (-0.5, 2.5, 8)])
def test_centres_at_or_beyond_the_edge_belong_to_the_nearest_cell(x: float, y: float, place: int) -> None:
    found = assign(raw(), centred((x, y, 1.0, 1.0)), np.array([[True]]), ANCHORS, 0.6)
    assert found.index.tolist() == [place]


def test_overlaps_are_those_of_the_boxes_that_the_head_decodes() -> None:
    predictions = raw(batch=2)
    decoded = YOWOHead(8, 3, ANCHORS.tolist()).decode(paddle.to_tensor(predictions))["boxes"].numpy()
    at = (2 * WIDTH + 1) * 2 + 1  # sample 1, row 2, column 1, anchor 1, in the order of the head
    left, top, right, bottom = decoded[1, at] * [WIDTH, HEIGHT, WIDTH, HEIGHT]
    boxes = np.zeros((2, 1, 4))
    boxes[1] = centred((1.5, 2.5, 2.0, 3.0))[0]
    shared = max(min(right, 2.5) - max(left, 0.5), 0) * max(min(bottom, 4.0) - max(top, 1.0), 0)
    expected = shared / ((right - left) * (bottom - top) + 6.0 - shared)
    found = assign(predictions, boxes, np.array([[False], [True]]), ANCHORS, 0.6)
    assert expected > 0 and found.confidence[1, 1, 2, 1] == pytest.approx(expected, rel=1e-5)
    assert np.count_nonzero(found.confidence) == 1
    assert found.recall == float(expected > 0.5)


def test_of_equal_places_the_last_box_stays_and_all_count_for_the_recall() -> None:
    predictions = np.zeros((1, 2, 8, HEIGHT, WIDTH), np.float32)  # every box is the anchor in the middle of its cell
    boxes = centred((1.5, 1.5, 1.0, 1.0), (1.9, 1.9, 1.0, 1.0), (1.5, 1.6, 1.0, 1.0))
    found = assign(predictions, boxes, np.array([[True, True, True]]), ANCHORS, 0.6)
    assert found.box.tolist() == [2]
    assert found.confidence[0, 0, 1, 1] == pytest.approx(0.9 / 1.1)
    assert found.recall == pytest.approx(2 / 3)  # the second one shares 0.6 * 0.6 of 1.64


def test_who_overlaps_is_ignored_unless_it_answers() -> None:
    predictions = np.zeros((1, 2, 8, HEIGHT, WIDTH), np.float32)
    predictions[0, 0, 2:4, 1, 1] = np.log([2, 3])  # anchor 0 says what anchor 1 does
    found = assign(predictions, centred((1.5, 1.5, 2.0, 3.0)), np.array([[True]]), ANCHORS, 0.6)
    assert np.argwhere(found.is_ignored).tolist() == [[0, 0, 1, 1]]
    assert not assign(predictions, centred((1.5, 1.5, 2.0, 3.0)), np.array([[True]]), ANCHORS, 1.0).is_ignored.any()
