"""Attributes of boxes: which may be the action, where every box is labelled as a person."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from paddlevideo.formats.base import Row
from paddlevideo.formats.structured import Json
from paddlevideo.formats.text import some
from paddlevideo.registry import suggestion

NO_VALUE = ("", "__undefined__")  # CVAT's name for what is not known
MANY = 50  # values of an attribute that names things, not actions


def text_attributes(node: Json) -> dict[str, str]:
    """The attributes of a shape or annotation that are texts, as CVAT and X-AnyLabeling write them."""
    attributes = node.get("attributes")
    values = attributes.value if attributes is not None and isinstance(attributes.value, dict) else {}
    return {name: value for name, value in values.items() if isinstance(value, str)}


def label_rows(name: str, rows: Sequence[Row], frames: Collection[int]) -> tuple[list[Row], list[int], int]:
    """The rows of a video, labelled by an attribute.

    Returns:
        Rows with a value, the annotated frames without those that have other rows only, and how many rows are left out.
    """
    labelled = [row._replace(label=row.attributes.get(name, "")) for row in rows]
    kept = [row for row in labelled if row.label not in NO_VALUE]
    unknown = {row.frame for row in rows} - {row.frame for row in kept}
    return kept, sorted(set(frames) - unknown), len(rows) - len(kept)


def check_attribute(name: str | None, rows: Iterable[Row], source: Path) -> None:
    """Refuse the name of an attribute that no box has."""
    if name is None:
        return
    known = dict.fromkeys(key for row in rows for key in row.attributes)
    if name not in known:
        raise unknown_attribute(name, str(source), known)


def unknown_attribute(name: str, place: str, known: Collection[str]) -> ValueError:
    """What to raise for an attribute that is not there."""
    return ValueError(
        f"{place}: no box has the attribute {name!r}; there are {', '.join(known) or 'none'}"
        f"{suggestion(name, list(known))}; check --from-option class_attribute"
    )


def note_of_left(name: str, left: int, source: Path) -> list[str]:
    """What to say of boxes that were left out."""
    note = f"left out {left} boxes of {source} without a value of {name}; frames with no other box are not annotated"
    return [note] if left else []


def note_of_varying(boxes: Iterable[tuple[str, Mapping[str, str]]], source: Path) -> list[str]:
    """What to say if all boxes, given as label and attributes, have one label and attributes with several values."""
    labels: set[str] = set()
    seen: dict[str, set[str]] = {}
    for label, attributes in boxes:
        labels.add(label)
        for name, value in attributes.items():
            if value not in NO_VALUE:
                seen.setdefault(name, set()).add(value)
    varying = [f"{name} ({some(sorted(values))})" for name, values in seen.items() if 1 < len(values) <= MANY]
    if len(labels) != 1 or not varying:
        return []
    return [
        f"all boxes of {source} are labelled {labels.pop()}, and have attributes with several values: "
        f"{'; '.join(varying)}. If one of them is the action, pass --from-option class_attribute=NAME"
    ]
