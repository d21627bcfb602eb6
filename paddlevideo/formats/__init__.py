"""Dataset formats: one file each, read and some of them written."""

from paddlevideo.formats.ava import AvaFormat
from paddlevideo.formats.base import AnnotatedVideo, Annotation, Format, Row, WritableFormat
from paddlevideo.formats.coco import CocoFormat
from paddlevideo.formats.convert import Choices, convert
from paddlevideo.formats.cvat import CvatFormat
from paddlevideo.formats.gttubes import GttubesFormat
from paddlevideo.formats.labelme import LabelmeFormat
from paddlevideo.formats.neutral import NeutralFormat
from paddlevideo.formats.ucf24 import Ucf24Format
from paddlevideo.formats.voc import VocFormat

__all__ = [
    "AnnotatedVideo",
    "Annotation",
    "AvaFormat",
    "Choices",
    "CocoFormat",
    "CvatFormat",
    "Format",
    "GttubesFormat",
    "LabelmeFormat",
    "NeutralFormat",
    "Row",
    "Ucf24Format",
    "VocFormat",
    "WritableFormat",
    "convert",
]
