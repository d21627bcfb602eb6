from __future__ import annotations

import numpy as np

from paddlevideo.utils.drawing import CAPTION, CELL, color_of, contact_sheet, draw_detections, fit_picture

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


def test_a_track_has_its_number_behind_the_name() -> None:
    found = prediction([[0.2, 0.4, 0.8, 0.9]], [1], [0.9])
    with_tracks, renamed = ({**found, "tracks": np.array([12])}, [*CLASSES[:1], "Wave #12", *CLASSES[2:]])
    np.testing.assert_array_equal(draw_detections(BLACK, with_tracks, CLASSES), draw_detections(BLACK, found, renamed))


def test_text_at_the_border_stays_in_the_picture_and_nothing_is_drawn_without_detections() -> None:
    corner = draw_detections(BLACK, prediction([[0.95, -0.1, 1.2, 1.3]] * 3, [0, 1, 2], [0.9, 0.8, 0.7]), CLASSES)
    assert corner.shape == BLACK.shape and corner.any()
    np.testing.assert_array_equal(draw_detections(BLACK, prediction([], [], []), CLASSES), BLACK)


def test_a_truth_is_drawn_without_a_score_and_in_the_color_that_is_asked_for() -> None:
    truth = {"boxes": np.array([[0.2, 0.4, 0.8, 0.9]]), "labels": np.array([1])}
    plain, chosen = draw_detections(BLACK, truth, CLASSES), draw_detections(BLACK, truth, CLASSES, (200, 30, 40))
    scored = draw_detections(BLACK, {**truth, "scores": np.array([0.9])}, CLASSES)
    color = color_of(1, 3)
    assert 0 < (plain == color).all(-1).sum() < (scored == color).all(-1).sum()  # the ground of a shorter text
    assert (chosen == (200, 30, 40)).all(-1).sum() == (plain == color).all(-1).sum()


def test_a_picture_fits_into_its_limits_with_its_aspect() -> None:
    assert fit_picture(BLACK, (180, 240)).shape == (160, 240, 3)  # of 200 x 300
    assert fit_picture(BLACK, (400, 2000)).shape == (400, 600, 3)


def test_pictures_stand_in_rows_with_captions_below() -> None:
    pictures = [np.full((CELL[0], CELL[1], 3), value, np.uint8) for value in (10, 20, 30)]
    sheet = contact_sheet(pictures, ["a", "b", "c"], columns=2)
    assert sheet.shape == (2 * (CELL[0] + CAPTION), 2 * CELL[1], 3)
    assert sheet[5, CELL[1] + 5].tolist() == [20] * 3
    assert sheet[CELL[0] + CAPTION + 5, 5].tolist() == [30] * 3
    assert (sheet[CELL[0] : CELL[0] + CAPTION, : CELL[1]] < 100).any()  # letters
    assert (sheet[CELL[0] + CAPTION :, CELL[1] :] == 255).all()
