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
    """A copy of `frame [H, W, 3]` with the boxes, names and scores of a prediction; line widths follow its size."""
    picture = np.ascontiguousarray(frame).copy()
    height, width = picture.shape[:2]
    scale = max(0.35, min(height, width) / 700)
    thickness = max(1, round(2 * scale))
    corners = (prediction["boxes"].clip(-1, 2) * [width, height, width, height]).round().astype(int)
    order = np.argsort(prediction["scores"])  # the surest on top
    for (x1, y1, x2, y2), label, score in zip(
        corners[order].tolist(), prediction["labels"][order].tolist(), prediction["scores"][order].tolist(), strict=True
    ):
        color = color_of(label, len(classes))
        cv2.rectangle(picture, (x1, y1), (x2, y2), color, thickness)
        text = f"{classes[label]} {score:.2f}"
        (text_width, text_height), below = cv2.getTextSize(text, FONT, scale, thickness)
        left = min(max(x1, 0), max(width - text_width, 0))
        base = min(max(y1 - below, text_height + 1), height - below)
        cv2.rectangle(picture, (left, base - text_height - 1), (left + text_width, base + below), color, cv2.FILLED)
        cv2.putText(picture, text, (left, base), FONT, scale, (0, 0, 0), thickness, cv2.LINE_AA)
    return picture
