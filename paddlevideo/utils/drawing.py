"""Detections as boxes with names on a picture."""

from __future__ import annotations

import colorsys

import cv2
import numpy as np

from paddlevideo.types import Prediction

FONT = cv2.FONT_HERSHEY_SIMPLEX


def color_of(label: int, count: int) -> tuple[int, int, int]:
    """A bright colour, red, green, blue in 0..255, evenly spread over the labels."""
    red, green, blue = colorsys.hsv_to_rgb(label / max(count, 1), 0.85, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def draw_detections(frame: np.ndarray, prediction: Prediction, classes: list[str]) -> np.ndarray:
    """A copy of `frame [H, W, 3]` with the boxes, names and scores of a prediction; line widths follow its size.

    Rows with the same box are the labels of one actor: it is drawn once, in the colour of its surest label.
    """
    picture = np.ascontiguousarray(frame).copy()
    height, width = picture.shape[:2]
    scale = max(0.35, min(height, width) / 700)
    corners = (prediction["boxes"].clip(-1, 2) * [width, height, width, height]).round().astype(int)
    actors: dict[tuple[int, ...], list[int]] = {}
    for row in np.argsort(-prediction["scores"], kind="stable").tolist():
        actors.setdefault(tuple(corners[row].tolist()), []).append(row)
    for (x1, y1, x2, y2), rows in reversed(actors.items()):  # the surest on top
        labels = prediction["labels"][rows].tolist()
        color = color_of(labels[0], len(classes))
        cv2.rectangle(picture, (x1, y1), (x2, y2), color, max(1, round(2 * scale)))
        scores = prediction["scores"][rows].tolist()
        texts = [f"{classes[label]} {score:.2f}" for label, score in zip(labels, scores, strict=True)]
        _write_lines(picture, texts, (x1, y1), color, scale)
    return picture


def _write_lines(
    picture: np.ndarray, texts: list[str], corner: tuple[int, int], color: tuple[int, int, int], scale: float
) -> None:
    """Lines of text on a coloured ground, the first above `corner` and the others below it, all within the picture."""
    height, width = picture.shape[:2]
    thickness = max(1, round(2 * scale))
    sizes = [cv2.getTextSize(text, FONT, scale, thickness) for text in texts]
    line = max(text_height + below + 1 for (_, text_height), below in sizes)
    below = sizes[0][1]
    base = min(max(corner[1] - below, line - below), height - below - line * (len(texts) - 1))
    for number, (text, ((text_width, _), _)) in enumerate(zip(texts, sizes, strict=True)):
        left, bottom = min(max(corner[0], 0), max(width - text_width, 0)), base + number * line
        cv2.rectangle(picture, (left, bottom + below - line), (left + text_width, bottom + below), color, cv2.FILLED)
        cv2.putText(picture, text, (left, bottom), FONT, scale, (0, 0, 0), thickness, cv2.LINE_AA)
