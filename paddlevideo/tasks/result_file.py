"""What files of answers have in common, whatever their kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from paddlevideo.types import Meta, Prediction

Labelled: TypeAlias = tuple[Meta, Prediction]
Sink: TypeAlias = Callable[[Meta, Prediction], None]


class ResultFile(NamedTuple):
    """Class names, and the meta and prediction of every sample in the order of the file."""

    classes: tuple[str, ...]
    samples: list[Labelled]
