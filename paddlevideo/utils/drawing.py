"""Boxes with names on a picture, and many pictures on one."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from paddlevideo.types import Frames, Prediction
from paddlevideo.utils.files import write_atomically
from paddlevideo.utils.names import printable

FONT = cv2.FONT_HERSHEY_SIMPLEX
CELL = (180, 240)  # height and width of a picture on a sheet
CAPTION = 14  # pixels below it


def color_of(label: int, count: int) -> tuple[int, int, int]:
    """A bright colour, red, green, blue in 0..255, evenly spread over the labels."""
    red, green, blue = colorsys.hsv_to_rgb(label / max(count, 1), 0.85, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def draw_detections(
    frame: np.ndarray,
    prediction: Prediction,
    classes: Sequence[str],
    color: tuple[int, int, int] | None = None,
) -> np.ndarray:
    """A copy of `frame [H, W, 3]` with the boxes, names and scores of a prediction; line widths follow its size.

    Rows with the same box are the labels of one actor: it is drawn once, in the colour of its surest label or in
    `color`. A prediction without scores, such as a truth, is drawn with names alone; one with `tracks [K]` has
    their numbers too.
    """
    picture = np.ascontiguousarray(frame).copy()
    height, width = picture.shape[:2]
    scale = max(0.35, min(height, width) / 700)
    corners = (prediction["boxes"].clip(-1, 2) * [width, height, width, height]).round().astype(int)
    actors: dict[tuple[int, ...], list[int]] = {}
    scores, tracks = prediction.get("scores", np.zeros(len(corners))), prediction.get("tracks")
    for row in np.argsort(-scores, kind="stable").tolist():
        actors.setdefault(tuple(corners[row].tolist()), []).append(row)
    for (x1, y1, x2, y2), rows in reversed(actors.items()):  # the surest on top
        labels = prediction["labels"][rows].tolist()
        chosen = color or color_of(labels[0], len(classes))
        cv2.rectangle(picture, (x1, y1), (x2, y2), chosen, max(1, round(2 * scale)))
        ends = [f" {score:.2f}" for score in scores[rows].tolist()] if "scores" in prediction else [""] * len(rows)
        marks = [f" #{track}" for track in tracks[rows].tolist()] if tracks is not None else [""] * len(rows)
        texts = [f"{classes[label]}{mark}{end}" for label, mark, end in zip(labels, marks, ends, strict=True)]
        _write_lines(picture, texts, (x1, y1), chosen, scale)
    return picture


def draw_classes(frame: np.ndarray, told: Sequence[tuple[int, float]], classes: Sequence[str]) -> np.ndarray:
    """A copy of `frame [H, W, 3]` with labels and their scores in its upper left corner, a line each."""
    picture = np.ascontiguousarray(frame).copy()
    if told:
        scale = max(0.35, min(picture.shape[:2]) / 700)
        texts = [f"{classes[label]} {score:.2f}" for label, score in told]
        _write_lines(picture, texts, (0, 0), color_of(told[0][0], len(classes)), scale)
    return picture


def contact_sheet(pictures: Sequence[Frames], captions: Sequence[str], columns: int = 6) -> Frames:
    """Pictures `[H, W, 3]` that fit into a `CELL` on one, by row, with a caption below each."""
    height, width = CELL
    rows = -(-len(pictures) // columns)
    sheet = np.full((rows * (height + CAPTION), columns * width, 3), 255, np.uint8)
    for number, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        top, left = number // columns * (height + CAPTION), number % columns * width
        sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
        corner = (left + 2, top + picture.shape[0] + CAPTION - 4)
        cv2.putText(sheet, printable(caption)[-width // 6 :], corner, FONT, 0.32, (0, 0, 0), 1, cv2.LINE_AA)
    return sheet


def fit_picture(picture: Frames, limits: tuple[int, int]) -> Frames:
    """A picture `[H, W, 3]` made as large as fits into a height and width, keeping its aspect ratio."""
    height, width = picture.shape[:2]
    scale = min(limits[0] / height, limits[1] / width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def encode_picture(picture: Frames, kind: Literal["png", "jpg"]) -> bytes:
    """The file content of a picture `[H, W, 3]`, RGB."""
    options = [cv2.IMWRITE_JPEG_QUALITY, 80] if kind == "jpg" else []
    done, data = cv2.imencode(f".{kind}", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)
    if not done:
        raise ValueError(f"a picture of {picture.shape[1]}x{picture.shape[0]} cannot be written as {kind}")
    return data.tobytes()


def write_picture(path: Path, picture: Frames) -> None:
    """Write a picture `[H, W, 3]`, RGB, as png."""
    write_atomically(path, lambda file: file.write_bytes(encode_picture(picture, "png")))


def _write_lines(
    picture: np.ndarray, texts: list[str], corner: tuple[int, int], color: tuple[int, int, int], scale: float
) -> None:
    """Lines of text on a coloured ground, the first above `corner` and the others below it, all within the picture."""
    height, width = picture.shape[:2]
    thickness = max(1, round(2 * scale))
    texts = [printable(text) for text in texts]  # OpenCV crashes on others
    sizes = [cv2.getTextSize(text, FONT, scale, thickness) for text in texts]
    line = max(text_height + below + 1 for (_, text_height), below in sizes)
    below = sizes[0][1]
    base = min(max(corner[1] - below, line - below), height - below - line * (len(texts) - 1))
    for number, (text, ((text_width, _), _)) in enumerate(zip(texts, sizes, strict=True)):
        left, bottom = min(max(corner[0], 0), max(width - text_width, 0)), base + number * line
        cv2.rectangle(picture, (left, bottom + below - line), (left + text_width, bottom + below), color, cv2.FILLED)
        cv2.putText(picture, text, (left, bottom), FONT, scale, (0, 0, 0), thickness, cv2.LINE_AA)
