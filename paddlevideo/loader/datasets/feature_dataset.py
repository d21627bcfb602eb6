"""Videos as features of their snippets, with the segments in which something happens."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from paddlevideo.loader.datasets.base import SampleDataset
from paddlevideo.loader.features import read_features
from paddlevideo.loader.segments import read_segments
from paddlevideo.loader.transforms import Transform
from paddlevideo.registry import DATASETS
from paddlevideo.types import InputTransform, IntArray, Node, Sample


@DATASETS.register
class FeatureDataset(SampleDataset):
    """Every video of a subset is a sample.

    Args:
        annotation: JSON file, see `loader/segments.py`.
        features: folder with a file `NAME.npy` for each video, see `loader/features.py`.
        subset: as the annotation calls it, such as `training` and `validation`.
        classes: the config's class names.
        transforms: augmentation.
        input: the model's input transform.
        seed: see `SampleDataset`.
        any_class: whether every label counts as the first class, for models that know none.
        strict: whether a segment that leaves its video, or ends before it starts, is an error, see `read_segments`.
        prefix: what the names of feature files have before the name of the video in the annotation, such as `v_`.

    Raises:
        FileNotFoundError: no annotation.
        ValueError: a malformed one.
    """

    def __init__(
        self,
        annotation: str,
        features: str,
        subset: str,
        classes: Sequence[str],
        transforms: Sequence[Transform],
        input: InputTransform,
        seed: int | None = None,
        any_class: bool = False,
        strict: bool = True,
        prefix: str = "",
    ) -> None:
        super().__init__(transforms, input, seed)
        self.classes = tuple(classes)
        self.folder, self.prefix = Path(features), prefix
        self.entries = read_segments(Path(annotation), subset, classes, any_class, strict)

    @classmethod
    def made_up(cls, node: Node, classes: Sequence[str], input: InputTransform, truths: bool) -> list[Sample]:
        """A video with two segments, one with one; see `SampleDataset`."""
        channels = input.spec()["features"].shape[0] or 1
        segments = np.array([[1.0, 9.0], [20.0, 31.5], [0.0, 40.0]])
        labels = np.array([0, len(classes) - 1, 0])
        rows = [slice(0, 2), slice(2, 3)] if truths else [slice(0), slice(0)]
        rng = np.random.default_rng(0)
        return [
            {
                "features": rng.random((37, channels)).astype(np.float32),
                **_annotated(f"video{number}", 40.0, segments[own], labels[own]),
            }
            for number, own in enumerate(rows)
        ]

    def __len__(self) -> int:
        """Videos of the subset."""
        return len(self.entries)

    def annotation(self, index: int) -> Sample:
        """`segments [N, 2]` and `duration` in seconds, float64, and `labels [N]`; N is 0 where nothing happens."""
        entry = self.entries[index]
        return _annotated(entry.id, entry.duration, entry.segments, entry.labels)

    def read(self, index: int, rng: np.random.Generator | None) -> Sample:
        """The annotation with `features [L, D]`.

        Raises:
            FileNotFoundError, ValueError: see `read_features`.
        """
        path = self.folder / f"{self.prefix}{self.entries[index].name}.npy"
        return {"features": read_features(path), **self.annotation(index)}


def _annotated(id: str, duration: float, segments: np.ndarray, labels: IntArray) -> Sample:
    targets = {"segments": segments, "duration": np.asarray(duration), "labels": labels}
    return {"targets": targets, "meta": {"id": id, "duration": duration}}
