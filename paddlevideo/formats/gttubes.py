"""The pickles of tubes that action detectors share: JHMDB-GT.pkl, UCF101v2-GT.pkl, those of MultiSports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from paddlevideo.formats.base import MAX_BOXES, AnnotatedVideo, Annotation, Format, class_list
from paddlevideo.formats.text import check_file
from paddlevideo.registry import FORMATS
from paddlevideo.utils.safe_pickle import load_pickle


@FORMATS.register
class GttubesFormat(Format):
    """A dictionary with `labels`, `gttubes`, `nframes`, `resolution`, `train_videos` and `test_videos`.

    `gttubes[video][label]` is a list of tubes `[N, 5]`: frame from 1, x1, y1, x2, y2; each is an actor. The file
    tells its splits, so the result is `train` and `test`.

    Args:
        split: which of its splits, from 1.

    Source: Kalogeiton et al., "Action tubelet detector for spatio-temporal action localization", 2017.
    """

    def __init__(self, split: int = 1) -> None:
        self.split = split

    def read(self, source: Path) -> Annotation:
        """Read one pickle."""
        check_file(source)
        content, place, videos, total = load_pickle(source), str(source), [], 0
        try:
            classes = class_list((_text(name, f"{place}: labels"), f"{place}: labels") for name in content["labels"])
            splits = {name: self._names(content[f"{name}_videos"], place) for name in ("train", "test")}
            for name in content["gttubes"]:
                place = f"{source}: {name}"
                total += sum(len(tube) for tubes in content["gttubes"][name].values() for tube in tubes)
                if total > MAX_BOXES:
                    raise ValueError(f"{place}: expected at most {MAX_BOXES} boxes up to here; get the file again")
                videos.append(_video(content, _text(name, place), classes, place))
        except (TypeError, KeyError, IndexError, AttributeError) as error:
            raise ValueError(
                f"{place}: expected a dictionary with labels, gttubes, nframes, resolution, train_videos and "
                f"test_videos ({type(error).__name__}: {error}); get the file again"
            ) from error
        return Annotation(videos, source.resolve().parent, classes, splits)

    def _names(self, splits: Sequence[Sequence[str]], place: str) -> list[str]:
        if not 1 <= self.split <= len(splits):
            raise ValueError(f"{place}: expected split {self.split}, got {len(splits)}; pass --from-option split=N")
        return [_text(name, place) for name in splits[self.split - 1]]


def _video(content: Mapping[str, Any], name: str, classes: tuple[str, ...], place: str) -> AnnotatedVideo:
    labelled = [(label, tube) for label, tubes in content["gttubes"][name].items() for tube in tubes]
    labels = [label for label, _ in labelled]
    places = [f"{place}, tube {number}" for number in range(1, len(labels) + 1)]
    for label, at in zip(labels, places, strict=True):
        if _integer(label, at) not in range(len(classes)):
            raise ValueError(f"{at}: expected one of {len(classes)} labels, from 0, got {label}; get the file again")
    boxes = [_boxes(tube, at) for (_, tube), at in zip(labelled, places, strict=True)]
    size = tuple(_integer(side, place) for side in content["resolution"][name])
    if len(size) != 2:
        raise ValueError(f"{place}: expected a resolution of height and width, got {size}; get the file again")
    tube = np.repeat(np.arange(len(boxes)), [len(rows) for rows in boxes])
    return AnnotatedVideo(
        name,
        place,
        np.concatenate([np.zeros((0, 5)), *boxes]),
        [classes[labels[number]] for number in tube.tolist()],
        [places[number] for number in tube.tolist()],
        tube,
        _integer(content["nframes"][name], place),
        (size[0], size[1]),
    )


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{place}: expected a name as text, got {type(value).__name__}; get the file again")
    return str(value)


def _integer(value: Any, place: str) -> int:
    if not isinstance(value, (int, np.integer)):
        raise ValueError(f"{place}: expected an integer, got {type(value).__name__}; get the file again")
    return int(value)


def _boxes(tube: Any, place: str) -> npt.NDArray[np.float64]:
    # Lists in each other may stand for endless arrays.
    rows: npt.NDArray[Any] = tube if isinstance(tube, np.ndarray) else np.empty(0)
    if rows.dtype.kind not in "iuf" or rows.ndim != 2 or rows.shape[1] != 5 or not np.isfinite(rows).all():
        raise ValueError(
            f"{place}: expected rows of frame, x1, y1, x2, y2, got {rows.dtype} {rows.shape}; get it again"
        )
    return rows.astype(np.float64)
