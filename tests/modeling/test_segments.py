from __future__ import annotations

import numpy as np
import paddle
import pytest

from paddlevideo.modeling.segments import segment_iou, shared_length, soft_nms

PAIRS = [  # a, b, what they share, IoU
    ([0.0, 2.0], [1.0, 3.0], 1.0, 1 / 3),
    ([0.0, 4.0], [1.0, 2.0], 1.0, 1 / 4),
    ([0.0, 1.0], [1.0, 2.0], 0.0, 0.0),
    ([0.0, 1.0], [5.0, 6.0], 0.0, 0.0),
    ([3.0, 1.0], [1.0, 3.0], 0.0, 0.0),  # ends before it starts
    ([2.0, 2.0], [2.0, 2.0], 0.0, 0.0),
]


@pytest.mark.parametrize("kind", [np.array, paddle.to_tensor])
def test_overlap_of_arrays_and_tensors(kind: type) -> None:
    first, second = (kind([pair[side] for pair in PAIRS]) for side in (0, 1))
    np.testing.assert_allclose(np.asarray(shared_length(first, second)), [pair[2] for pair in PAIRS], atol=1e-7)
    np.testing.assert_allclose(np.asarray(segment_iou(first, second)), [pair[3] for pair in PAIRS], atol=1e-7)


def test_every_segment_with_every_other() -> None:
    segments = np.array([[0.0, 2.0], [1.0, 3.0], [2.0, 4.0]])
    third = 1 / 3
    expected = [[1, third, 0], [third, 1, third], [0, third, 1]]
    np.testing.assert_allclose(segment_iou(segments[:, None], segments), expected)


def test_close_segments_lose_score_and_the_last_one_is_lost() -> None:
    segments = np.array([[0.0, 0.4], [0.05, 0.4], [0.5, 0.9], [0.0, 0.2]])
    scores = np.array([0.9, 0.8, 0.6, 0.1])
    rows, left = soft_nms(segments, scores, decay=0.5, thresholds=(0.5, 0.9), count=100)
    # 0.35 / 0.4 = 0.875 exceeds 0.5 + 0.4 * 0.4 = 0.66; the third overlaps nothing
    assert rows.tolist() == [0, 2, 1]
    np.testing.assert_allclose(left, [0.9, 0.6, 0.8 * np.exp(-(0.875**2) / 0.5)])


def test_wide_segments_let_others_come_closer() -> None:
    segments, scores = np.array([[0.0, 1.0], [0.0, 0.8], [0.0, 0.1]]), np.array([0.9, 0.8, 0.1])
    _, kept = soft_nms(segments, scores, decay=0.5, thresholds=(0.5, 0.9), count=100)
    _, lowered = soft_nms(segments, scores, decay=0.5, thresholds=(0.5, 0.7), count=100)
    assert kept[1] == 0.8
    assert lowered[1] == pytest.approx(0.8 * np.exp(-(0.8**2) / 0.5))


def test_few_segments() -> None:
    one = np.array([[0.0, 1.0]])
    assert soft_nms(one, np.array([0.3]), 0.5, (0.5, 0.9), 100)[0].tolist() == [0]
    assert soft_nms(one[:0], np.zeros(0), 0.5, (0.5, 0.9), 100)[0].tolist() == []
    rows, _ = soft_nms(np.array([[0, 0.1], [0.2, 0.3], [0.4, 0.5]]), np.array([0.1, 0.3, 0.2]), 0.5, (0.5, 0.9), 1)
    assert rows.tolist() == [1]
