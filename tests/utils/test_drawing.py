from __future__ import annotations

import numpy as np

from paddlevideo.utils.drawing import color_of, draw_detections

CLASSES = ["Stand", "Wave", "Call"]
BLACK = np.zeros((200, 300, 3), np.uint8)


def prediction(boxes: list[list[float]], labels: list[int], scores: list[float]) -> dict[str, np.ndarray]:
    return {"boxes": np.array(boxes).reshape(-1, 4), "labels": np.array(labels, int), "scores": np.array(scores)}


def rows_of(picture: np.ndarray, color: tuple[int, int, int]) -> np.ndarray:
    return np.flatnonzero((picture == color).all(-1).sum(1) > 20)


def test_labels_of_one_box_stand_below_each_other_in_the_color_of_the_surest() -> None:
    box = [0.2, 0.4, 0.8, 0.9]
    one = draw_detections(BLACK, prediction([box], [1], [0.9]), CLASSES)
    two = draw_detections(BLACK, prediction([box, box], [2, 1], [0.5, 0.9]), CLASSES)
    color = color_of(1, 3)
    assert len(rows_of(two, color)) > len(rows_of(one, color)) + 2  # one more line of text
    assert not len(rows_of(two, color_of(2, 3)))


def test_different_boxes_have_the_colors_of_their_labels() -> None:
    picture = draw_detections(
        BLACK, prediction([[0.1, 0.3, 0.3, 0.6], [0.6, 0.3, 0.9, 0.6]], [0, 2], [0.4, 0.8]), CLASSES
    )
    for label in (0, 2):
        assert len(rows_of(picture, color_of(label, 3))) > 3


def test_text_at_the_border_stays_in_the_picture_and_nothing_is_drawn_without_detections() -> None:
    corner = draw_detections(BLACK, prediction([[0.95, -0.1, 1.2, 1.3]] * 3, [0, 1, 2], [0.9, 0.8, 0.7]), CLASSES)
    assert corner.shape == BLACK.shape and corner.any()
    np.testing.assert_array_equal(draw_detections(BLACK, prediction([], [], []), CLASSES), BLACK)
