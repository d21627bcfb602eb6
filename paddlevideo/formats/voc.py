"""Pascal VOC: an XML file for every frame."""

from __future__ import annotations

from pathlib import Path

from paddlevideo.formats.base import Annotation, Format, Row
from paddlevideo.formats.pictures import Picture, read_pictures
from paddlevideo.formats.structured import Element, read_xml
from paddlevideo.registry import FORMATS


@FORMATS.register
class VocFormat(Format):
    """Files `VIDEO/00012.xml`, one a frame, below a folder.

    A file without objects is a frame without action, a frame without a file is not annotated.

    Coordinates stay as they are. Objects may have a `trackid`, as those of ImageNet VID; it is the actor.

    Args:
        first: number of a video's first frame in the names of the files.
    """

    def __init__(self, first: int = 1) -> None:
        self.first = first

    def read(self, source: Path) -> Annotation:
        """Read all files below a folder."""
        return read_pictures(source, ".xml", self.first, _picture)


def _picture(path: Path, frame: int) -> Picture:
    root = read_xml(path)
    size = root["size"]
    rows = [_row(thing, frame) for thing in root.all("object")]
    return Picture((size["height"].integer(least=1), size["width"].integer(least=1)), rows)


def _row(thing: Element, frame: int) -> Row:
    track, box = thing.find("trackid"), thing["bndbox"]
    corners = [box[key].number() for key in ("xmin", "ymin", "xmax", "ymax")]
    return Row(frame, corners, thing["name"].content(), box.place, None if track is None else track.integer())
