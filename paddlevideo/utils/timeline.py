"""Segments of a video as bars over its time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from paddlevideo.types import Frames
from paddlevideo.utils.drawing import FONT
from paddlevideo.utils.names import printable

WIDTH, MARGIN = 960, 16  # pixels of the picture, and beside and below what is drawn
NAMES = 230  # pixels left of the bars
ROW = 20  # pixels of a bar and what is between it and the next
STEPS = (1, 2, 5)  # of an axis, times a power of ten
TICKS = 10  # at most
INK, GRID = (40, 40, 40), (215, 215, 215)


class Bar(NamedTuple):
    """A segment from `start` to `end` in seconds, what stands beside it, and red, green, blue in 0..255."""

    start: float
    end: float
    text: str
    color: tuple[int, int, int]


def draw_timeline(title: str, duration: float, bars: Sequence[Bar]) -> Frames:
    """A picture `[H, W, 3]`, RGB, with a row for each bar, over an axis in seconds.

    Args:
        title: above the bars.
        duration: of the video in seconds; what leaves 0..duration is cut off.
        bars: from above.
    """
    bottom = MARGIN + ROW * (len(bars) + 1)
    picture = np.full((bottom + ROW + MARGIN, WIDTH, 3), 255, np.uint8)
    scale = (WIDTH - NAMES - 2 * MARGIN) / duration
    left = MARGIN + NAMES
    _write(picture, title, (MARGIN, MARGIN + ROW // 2))
    for second in ticks(duration):
        x = left + round(second * scale)
        cv2.line(picture, (x, MARGIN + ROW), (x, bottom), GRID, 1)
        _write(picture, f"{second:g} s", (x, bottom + ROW - 4))
    for number, bar in enumerate(bars, start=1):
        top = MARGIN + ROW * number
        start, end = (left + round(min(max(edge, 0.0), duration) * scale) for edge in (bar.start, bar.end))
        cv2.rectangle(picture, (start, top + 3), (max(end, start + 1), top + ROW - 3), bar.color, cv2.FILLED)
        _write(picture, bar.text, (MARGIN, top + ROW - 6))
    return picture


def ticks(duration: float) -> list[float]:
    """Round numbers of seconds from 0 to a duration, `TICKS` at most after 0."""
    power = 10.0 ** np.floor(np.log10(duration / TICKS))
    step = next(step * power for step in (*STEPS, 10, 20) if step * power * TICKS >= duration)
    return [number * step for number in range(int(duration / step) + 1)]


def _write(picture: Frames, text: str, corner: tuple[int, int]) -> None:
    cv2.putText(picture, printable(text), corner, FONT, 0.42, INK, 1, cv2.LINE_AA)
