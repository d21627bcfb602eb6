"""Annotation of segments in videos, in the JSON of ActivityNet and in that of the published features.

    {"v_a": {"duration_second": 61.4, "subset": "training", "annotations": [...]}, ...}
    {"database": {"a": {"duration": 61.4, "subset": "training", "annotations": [...]}, ...}}

An annotation is `{"segment": [3.1, 9.8], "label": "Diving"}`.
Segments are seconds. A video is called by its name without a `v_` before it. What else a file says is not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from paddlevideo.loader.features import LONGEST, is_duration
from paddlevideo.registry import suggestion
from paddlevideo.types import IntArray
from paddlevideo.utils.files import check_size
from paddlevideo.utils.logging import logger
from paddlevideo.utils.names import check_text
from paddlevideo.utils.text_files import load_json

LARGEST = 1 << 28  # bytes of an annotation
PREFIX = "v_"  # of a video's name in some files


@dataclass(frozen=True)
class SegmentEntry:
    """One video: its name as the file has it, seconds, `segments [N, 2]` in seconds, `labels [N]`."""

    name: str
    duration: float
    segments: npt.NDArray[np.float64]
    labels: IntArray

    @property
    def id(self) -> str:
        """The name without a prefix."""
        return self.name.removeprefix(PREFIX)


def read_segments(
    path: Path, subset: str, classes: Sequence[str], any_class: bool = False, strict: bool = True
) -> list[SegmentEntry]:
    """The videos of a subset, by name.

    Args:
        path: of the file.
        subset: as the file calls it, such as `training`.
        classes: names; the label is the position.
        any_class: whether every name counts as the first class.
        strict: whether a segment must end after it starts, within the video. Otherwise those that do not are kept as
            they are, as published numbers are made, and counted in a warning.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not as described at the top, has no such subset, or a segment that is not right.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such annotation; data/activitynet/README.md says what it holds")
    check_size(path, LARGEST)
    try:
        content = load_json(path, _once)
    except ValueError as error:
        raise ValueError(f"{path}: not a file of JSON ({error}); mend it") from error
    videos = content.get("database", content) if isinstance(content, dict) else None
    if not isinstance(videos, dict) or not all(isinstance(node, dict) for node in videos.values()):
        raise ValueError(
            f"{path}: expected {{video: {{duration, subset, annotations}}}}; see data/activitynet/README.md"
        )
    reader = _Reader(path, {name: number for number, name in enumerate(classes)}, any_class, strict)
    entries = [reader.entry(name, videos[name]) for name in sorted(videos) if videos[name].get("subset") == subset]
    if not entries:
        known = sorted({str(node.get("subset")) for node in videos.values()})
        raise ValueError(f"{path}: no video of subset {subset!r}{suggestion(subset, known)}")
    _check_ids(path, entries)
    if reader.faults:
        logger.warning(
            "%s: %d segments leave their video or end before they start, such as %s; they are kept as they are",
            *(path, len(reader.faults), reader.faults[0]),
        )
    return entries


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of a JSON file, which must not say anything twice."""
    node = dict(pairs)
    if len(node) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} stands there twice")
    return node


def _check_ids(path: Path, entries: Sequence[SegmentEntry]) -> None:
    seen: dict[str, str] = {}
    for entry in entries:
        other = seen.setdefault(entry.id, entry.name)
        if other != entry.name:
            raise ValueError(f"{path}: {other} and {entry.name} are one video, {entry.id}; remove one of them")


class _Reader:
    """Makes entries of nodes; `faults` are the places of segments that are not right."""

    def __init__(self, path: Path, labels: dict[str, int], any_class: bool, strict: bool) -> None:
        self.path, self.labels, self.any_class, self.strict = path, labels, any_class, strict
        self.faults: list[str] = []

    def entry(self, name: str, node: dict[str, Any]) -> SegmentEntry:
        """What a node says of a video."""
        check_text(name, f"{self.path}: name of a video", "rename it")
        duration = node.get("duration_second", node.get("duration"))
        if not is_duration(duration):
            raise ValueError(f"{self.path}: {name}: duration should be a positive number of seconds, got {duration!r}")
        annotations = node.get("annotations", [])
        if not isinstance(annotations, list):
            raise ValueError(f"{self.path}: {name}: annotations should be a list, got {str(annotations)[:100]}")
        rows = list(self._rows(name, float(duration), annotations))
        segments = np.array([segment for segment, _ in rows], np.float64).reshape(-1, 2)
        return SegmentEntry(name, float(duration), segments, np.array([label for _, label in rows], np.int64))

    def _rows(self, name: str, duration: float, annotations: list[Any]) -> Iterator[tuple[list[float], int]]:
        for number, row in enumerate(annotations, start=1):
            where = f"{self.path}: {name}: annotation {number}"
            segment, label = (row.get(key) for key in ("segment", "label")) if isinstance(row, dict) else (None, None)
            if not isinstance(segment, list) or len(segment) != 2 or not all(map(_is_time, segment)):
                raise ValueError(f"{where}: segment should be its start and end in seconds, got {segment!r}")
            start, end = segment
            if not 0 <= start < end <= duration:
                if self.strict:
                    raise ValueError(
                        f"{where}: segment should end after it starts, within 0..{duration:g} s, got {start:g} to "
                        f"{end:g}; mend it, or set strict: false to keep such segments as they are"
                    )
                self.faults.append(f"{name}: annotation {number}")
            known = 0 if self.any_class else self.labels.get(str(label))
            if known is None:
                raise ValueError(
                    f"{where}: label {label!r} is no class of the config{suggestion(label, self.labels)}; set classes, "
                    "or any_class: true"
                )
            yield segment, known


def _is_time(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= LONGEST
