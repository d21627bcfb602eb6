"""LabelMe: a JSON file for every frame."""

from __future__ import annotations

from pathlib import Path

from paddlevideo.formats.base import Annotation, Format, Row
from paddlevideo.formats.pictures import Picture, read_pictures
from paddlevideo.formats.structured import Json, read_json
from paddlevideo.registry import FORMATS


@FORMATS.register
class LabelmeFormat(Format):
    """Files `VIDEO/00012.json`, one a frame, below a folder; rectangles only, and their `group_id` is the actor.

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
    corners = shape["points"].items()
    if len(corners) != 2:
        raise shape["points"].error("two corners")
    (xa, ya), (xb, yb) = (corner.numbers(2) for corner in corners)  # any two that lie opposite
    group = shape.get("group_id")
    box = (min(xa, xb), min(ya, yb), max(xa, xb), max(ya, yb))
    return Row(frame, box, shape["label"].text(), shape.place, None if group is None else group.integer())
