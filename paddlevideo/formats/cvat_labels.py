"""Labels of CVAT and their attributes: which of them are classes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from paddlevideo.formats.attributes import NO_VALUE, note_of_varying, unknown_attribute
from paddlevideo.formats.base import class_list
from paddlevideo.formats.cvat_tracks import Track, TrackBoxes
from paddlevideo.formats.structured import Element


def class_labels(labels: Element) -> list[Element]:
    """The labels that a box can have: neither skeletons nor their points, which CVAT lists beside the others."""
    return [label for label in labels.all("label") if not _is_skeleton(label)]


def skeleton_names(labels: Element) -> set[str]:
    """Names of the labels of skeletons."""
    return {label["name"].content() for label in labels.all("label") if _is_skeleton(label)}


def _is_skeleton(label: Element) -> bool:
    kind = label.find("type")
    return label.find("parent") is not None or (kind is not None and kind.content() == "skeleton")


def label_names(labels: Sequence[Element]) -> tuple[str, ...]:
    """Class names in CVAT's order."""
    return class_list((label["name"].content(), label.place) for label in labels)


def attribute_values(labels: Sequence[Element]) -> dict[str, tuple[str, ...]]:
    """The values that the attributes of labels can have, empty for those that are typed in."""
    found: dict[str, dict[str, None]] = {}
    for label in labels:
        for name, values in _attributes(label):
            found.setdefault(name, {}).update(dict.fromkeys(value for value in values if value not in NO_VALUE))
    return {name: tuple(values) for name, values in found.items()}


def _attributes(label: Element) -> Iterator[tuple[str, list[str]]]:
    """Name and values of each attribute, in elements or, as old versions write it, as `~select=name:one,two`."""
    node = label.find("attributes")
    for attribute in node.all("attribute") if node else ():
        text = "".join(attribute.pieces).strip()
        if old := re.fullmatch(r"[@~](\w+)=([^:]*):(.*)", text):
            yield old[2], old[3].split(",") if old[1] in ("select", "radio") else []
        elif attribute.children:
            values = attribute.find("values")
            chosen = values is not None and attribute["input_type"].content() in ("select", "radio")
            yield attribute["name"].content(), "".join(values.pieces).splitlines() if values and chosen else []


def _values(shape: Element) -> dict[str, str]:
    """The attributes of a box."""
    return {node.attribute("name"): "".join(node.pieces).strip() for node in shape.all("attribute")}


def varying_attributes(source: Path, labels: Sequence[Element], tracks: Sequence[Track]) -> list[str]:
    """See `note_of_varying`; only attributes that are chosen from a list count."""
    chosen = {name for name, values in attribute_values(labels).items() if values}
    shapes = ((track.label, _values(shape)) for track in tracks for shape in track.shapes)
    rows = ((label, {name: v for name, v in values.items() if name in chosen}) for label, values in shapes)
    return note_of_varying(rows, source)


def split_by_attribute(
    name: str, labels: Sequence[Element], parts: Sequence[TrackBoxes], place: str
) -> tuple[list[TrackBoxes], list[TrackBoxes]]:
    """Every stretch of a track with one value of an attribute as a track with that label, and those without a value.

    Raises:
        ValueError: neither a label nor a box has the attribute.
    """
    found: list[TrackBoxes] = []
    without: list[TrackBoxes] = []
    for part in parts:
        values = [_values(shape).get(name, "") for shape in part.keyframes]
        changes = [k for k in range(1, len(values)) if values[k] != values[k - 1]]
        for start, stop in pairwise([0, *changes, len(values)] if values else []):
            run, value = slice(start, stop), values[start]
            known = value not in NO_VALUE
            stretch = TrackBoxes(len(found), value if known else part.label, part.boxes[run], part.keyframes[run])
            (found if known else without).append(stretch)
    names = attribute_values(labels)
    if name not in names and not found:
        raise unknown_attribute(name, place, names)
    return found, without
