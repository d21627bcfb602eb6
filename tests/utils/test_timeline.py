from __future__ import annotations

import numpy as np
import pytest

from paddlevideo.utils.timeline import MARGIN, NAMES, ROW, WIDTH, Bar, draw_timeline, ticks

RED, BLUE = (255, 0, 0), (0, 0, 255)


def columns(picture: np.ndarray, row: int, color: tuple[int, int, int]) -> tuple[int, int]:
    """First and last column of a colour in the middle of a row of bars."""
    found = np.flatnonzero((picture[MARGIN + ROW * row + ROW // 2] == color).all(-1))
    return int(found[0]), int(found[-1])


def test_bars_are_where_their_segments_are() -> None:
    picture = draw_timeline("v", 100.0, [Bar(0, 50, "first", RED), Bar(75, 300, "second", BLUE)])
    left, width = MARGIN + NAMES, WIDTH - NAMES - 2 * MARGIN
    assert columns(picture, 1, RED) == (left, left + round(width / 2))
    assert columns(picture, 2, BLUE) == (left + round(width * 0.75), left + width)


def test_the_shortest_bar_can_be_seen_and_no_bar_is_needed() -> None:
    picture = draw_timeline("v", 1000.0, [Bar(500, 500, "", RED)])
    assert columns(picture, 1, RED)[1] > columns(picture, 1, RED)[0]
    assert draw_timeline("v", 0.01, []).shape[1] == WIDTH


@pytest.mark.parametrize(
    ("duration", "expected"),
    [(10.0, list(range(11))), (95.0, list(range(0, 91, 10))), (3.0, [0, 0.5, 1, 1.5, 2, 2.5, 3])],
)
def test_an_axis_has_a_few_round_numbers(duration: float, expected: list[float]) -> None:
    assert ticks(duration) == pytest.approx(expected)
