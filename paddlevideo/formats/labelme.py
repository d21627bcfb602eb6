"""LabelMe, and what writes its files as X-AnyLabeling does: a JSON file for every frame."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np

from paddlevideo.formats.base import Annotation, Format, Row
from paddlevideo.formats.pictures import Picture, read_pictures
from paddlevideo.formats.structured import Json, read_json
from paddlevideo.registry import FORMATS

UPRIGHT_PX = 0.01  # by which four corners may miss an upright rectangle, from rounding


@FORMATS.register
class LabelmeFormat(Format):
    """Files `VIDEO/00012.json`, one a frame, below a folder; rectangles only, and their `group_id` is the actor.

    A rectangle is two opposite corners or all four, in any order; one that is not upright is refused. A file without
    shapes is a frame without action, a frame without a file is not annotated.

    Args:
        first: number of a video's first frame in the names of the files.
    """

    def __init__(self, first: int = 1) -> None:
        self.first = first

    def read(self, source: Path) -> Annotation:
        """Read all files below a folder."""
        return read_pictures(source, ".json", self.first, _picture)


def _picture(path: Path, frame: int) -> Picture:
    content = read_json(path)
    rows = [_row(shape, frame) for shape in content["shapes"].items()]
    return Picture((content["imageHeight"].integer(1), content["imageWidth"].integer(1)), rows)


def _row(shape: Json, frame: int) -> Row:
    if (kind := shape["shape_type"]).text() != "rectangle":
        raise kind.error("'rectangle' (draw a box with 'Create Rectangle')")
    group = shape.get("group_id")
    return Row(frame, _box(shape), shape["label"].text(), shape.place, None if group is None else group.integer())


def _box(shape: Json) -> tuple[float, float, float, float]:
    """The box of two opposite corners, or of four of an upright rectangle."""
    direction, points = shape.get("direction"), shape["points"]
    if direction is not None and direction.value != 0:
        raise direction.error("an upright rectangle, direction 0")
    corners = [corner.numbers(2) for corner in points.items()]
    if len(corners) not in (2, 4):
        raise points.error("two corners or four")
    (x1, y1), (x2, y2) = np.min(corners, axis=0).tolist(), np.max(corners, axis=0).tolist()
    upright = itertools.product((x1, x2), (y1, y2))
    if len(corners) == 4 and not np.allclose(sorted(corners), list(upright), rtol=0, atol=UPRIGHT_PX):
        raise points.error("an upright rectangle")
    return x1, y1, x2, y2
