"""The one path of a sample: annotation, frames, augmentation, network input."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence

import numpy as np
import paddle

from paddlevideo.loader.index import IndexScan
from paddlevideo.loader.samplers import Sampler
from paddlevideo.loader.transforms import Transform
from paddlevideo.types import Arrays, Node, Sample


class VideoDataset(paddle.io.Dataset):
    """Samples by number; a subclass says what sample `index` is, this class reads and transforms it.

    Args:
        sampler: chooses the frames.
        transforms: change frames and targets.
        input: the model's input transform.
        seed: makes training samples random, the same for any number of workers; None for evaluation.
    """

    classes: Sequence[str]

    def __init__(
        self,
        sampler: Sampler,
        transforms: Sequence[Transform],
        input: Callable[[Sample], Arrays],
        seed: int | None = None,
    ) -> None:
        super().__init__()
        self.sampler, self.transforms, self.input, self.seed = sampler, transforms, input, seed
        self.epoch = 0

    @classmethod
    def scan(cls, node: Node) -> IndexScan:
        """The annotation that a config's `node` of this class names, read to its end whatever is wrong in it.

        Raises:
            FileNotFoundError: there is none.
            NotImplementedError: the annotation of this class is no boxes in videos.
        """
        raise NotImplementedError(f"{cls.__name__} has no index of boxes that could be looked at")

    @abstractmethod
    def __len__(self) -> int:
        """How many samples there are."""

    @abstractmethod
    def annotation(self, index: int) -> Sample:
        """`targets` and `meta` of one sample; no file is touched."""

    @abstractmethod
    def entry(self, index: int) -> Sample:
        """The annotation with `source` and `key` (frame number from 0); no frame is read yet."""

    def __getitem__(self, index: int) -> Sample:
        """`inputs`, `targets` and `meta` of one sample, as numpy arrays."""
        rng = None if self.seed is None else np.random.default_rng((self.seed, self.epoch, index))
        sample = self.entry(index)
        source = sample.pop("source")
        sample["frames"] = source.read(self.sampler(len(source), sample.pop("key"), rng))
        return prepare(sample, self.transforms, self.input, rng)


def prepare(
    sample: Sample,
    transforms: Sequence[Transform],
    input: Callable[[Sample], Arrays],
    rng: np.random.Generator | None = None,
) -> Sample:
    """The way from frames to network inputs, in training, test and prediction alike."""
    for transform in transforms:
        sample = transform(sample, rng)
    return {"inputs": input(sample), **{key: sample[key] for key in ("targets", "meta") if key in sample}}
