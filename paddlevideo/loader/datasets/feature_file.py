"""A user's file of features, one sample."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from paddlevideo.loader.datasets.base import prepare
from paddlevideo.loader.features import read_duration, read_features
from paddlevideo.loader.media.find import find_features
from paddlevideo.loader.media.live import Connection
from paddlevideo.loader.transforms import Transform
from paddlevideo.registry import DATASETS
from paddlevideo.types import InputTransform, Sample
from paddlevideo.utils.names import output_name


class FeatureSource:
    """A file of features; nothing is read before it is asked for."""

    length: int | None = 1

    def __init__(self, path: Path) -> None:
        self.name, self.path = output_name(path.stem), path

    def close(self) -> None:
        """Nothing is open."""


@DATASETS.register
class FeatureFile:
    """The sample of one file, `NAME.npy` with `NAME.json` beside it, see `loader/features.py`.

    Args:
        source: the file.
        transforms: as in testing.
        input: the model's input transform.
        stride: 1, as there is but one sample.
    """

    def __init__(
        self, source: FeatureSource, transforms: Sequence[Transform], input: InputTransform, stride: int = 1
    ) -> None:
        if stride != 1:
            raise ValueError(f"stride should be 1 for a file of features, which is one sample, got {stride}")
        self.source, self.transforms, self.input = source, transforms, input

    @classmethod
    def sources(cls, text: str, connection: Connection, realtime: bool = False) -> list[FeatureSource]:
        """The files that a user named: a file, all of a folder, or a pattern; neither setting is needed.

        Raises:
            FileNotFoundError: there is none.
        """
        return [FeatureSource(path) for path in find_features(text)]

    def __iter__(self) -> Iterator[Sample]:
        """`meta` with the `duration` in seconds, and packed `inputs`.

        Raises:
            FileNotFoundError, ValueError: a file that is missing or malformed.
        """
        path = self.source.path
        meta = {"id": self.source.name, "duration": read_duration(path)}
        sample = prepare({"features": read_features(path), "meta": meta}, self.transforms, self.input)
        yield {"meta": meta, "inputs": self.input.pack(sample)}
