"""The one path of a sample: annotation, frames, augmentation, network input."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import paddle

from paddlevideo.loader.index import IndexScan
from paddlevideo.loader.media.frame_source import as_decoded
from paddlevideo.loader.media.open_source import open_source
from paddlevideo.loader.samplers import Sampler
from paddlevideo.loader.transforms import Transform
from paddlevideo.types import Arrays, FrameChange, FrameInput, Frames, InputTransform, IntArray, Node, Sample


class Place(NamedTuple):
    """Where the frames of a sample are."""

    path: Path  # of the video
    num_frames: int  # that the video should have
    key: int  # frame number from 0


class SampleDataset(paddle.io.Dataset):
    """Samples by number; a subclass says what sample `index` is and reads it, this class transforms it.

    Args:
        transforms: change samples.
        input: the model's input transform.
        seed: makes training samples random, the same for any number of workers; None for evaluation.
    """

    classes: Sequence[str]
    overlapping = False  # whether neighbouring samples share what is read, as clips of one video do

    def __init__(self, transforms: Sequence[Transform], input: InputTransform, seed: int | None = None) -> None:
        super().__init__()
        self.transforms, self.input, self.seed = transforms, input, seed
        self.epoch = 0

    @classmethod
    def scan(cls, node: Node) -> IndexScan:
        """The annotation that a config's `node` of this class names, read to its end whatever is wrong in it.

        Raises:
            FileNotFoundError: there is none.
            NotImplementedError: the annotation of this class is no boxes in videos.
        """
        raise NotImplementedError(f"{cls.__name__} has no index of boxes that could be looked at")

    @classmethod
    def made_up(cls, node: Node, classes: Sequence[str], input: InputTransform, truths: bool) -> list[Sample]:
        """Two samples such as a dataset has that a config's `node` describes, but for their frames.

        They tell what targets look like without any file; the contract tests train on them.

        Args:
            node: of this class.
            classes: class names.
            input: the model's input transform.
            truths: whether there is anything to find in them.
        """
        raise NotImplementedError(f"{cls.__name__} should make up two samples, so that its models can be tried")

    @abstractmethod
    def __len__(self) -> int:
        """How many samples there are."""

    @abstractmethod
    def annotation(self, index: int) -> Sample:
        """`targets` and `meta` of one sample; no file is touched."""

    @abstractmethod
    def read(self, index: int, rng: np.random.Generator | None) -> Sample:
        """The annotation with all that transforms and input take, such as `frames` or `features`.

        Raises:
            FileNotFoundError, ValueError: a file that is missing or damaged; names it.
        """

    def __getitem__(self, index: int) -> Sample:
        """`inputs`, `targets` and `meta` of one sample, as numpy arrays."""
        return with_inputs(self._prepared(index), self.input)

    def packed(self, index: int) -> Sample:
        """A sample with packed inputs (see `InputTransform`)."""
        return with_inputs(self._prepared(index), self.input.pack)

    def _prepared(self, index: int) -> Sample:
        rng = None if self.seed is None else np.random.default_rng((self.seed, self.epoch, index))
        return prepare(self.read(index, rng), self.transforms, self.input, rng)


class VideoDataset(SampleDataset):
    """Samples that are clips of videos; a subclass says where sample `index` is, this class reads it.

    Args:
        sampler: chooses the frames.
        transforms: change frames and targets.
        input: the model's input transform.
        seed: see `SampleDataset`.
    """

    overlapping = True
    input: FrameInput

    def __init__(
        self, sampler: Sampler, transforms: Sequence[Transform], input: FrameInput, seed: int | None = None
    ) -> None:
        super().__init__(transforms, input, seed)
        self.sampler = sampler

    @abstractmethod
    def place(self, index: int) -> Place:
        """Where the frames of a sample are; no file is opened."""

    def entry(self, index: int) -> Sample:
        """The annotation with what else the input needs beside frames; no frame is read."""
        return self.annotation(index)

    def read(self, index: int, rng: np.random.Generator | None) -> Sample:
        """The entry with its `frames`."""
        return {**self.entry(index), "frames": self.frames(index, self.clip(index, rng))}

    def packed_with(self, index: int, frames: Frames) -> Sample:
        """A test sample with packed inputs (see `InputTransform`) made of frames that were read before."""
        sample = prepare({**self.entry(index), "frames": frames}, self.transforms, self.input)
        return with_inputs(sample, self.input.pack)

    def clip(self, index: int, rng: np.random.Generator | None = None) -> IntArray:
        """Numbers of the frames of a sample, from 0."""
        place = self.place(index)
        return self.sampler(place.num_frames, place.key, rng)

    def frames(self, index: int, numbers: IntArray) -> Frames:
        """Frames of the video of a sample, `[len(numbers), H, W, 3]`, of the network's size if that is allowed."""
        place = self.place(index)
        return open_source(place.path, place.num_frames).read(numbers, on_arrival(self.transforms, self.input))


def on_arrival(transforms: Sequence[Transform], input: FrameInput) -> FrameChange:
    """What is done to a frame as soon as it is decoded: it is resized, unless a transform wants it as it is."""
    return input.resize if all(transform.resized for transform in transforms) else as_decoded


def prepare(
    sample: Sample, transforms: Sequence[Transform], input: InputTransform, rng: np.random.Generator | None = None
) -> Sample:
    """A sample as the network's input takes it, in training, test and prediction alike."""
    for transform in transforms:
        if transform.resized and "frames" in sample:
            sample = {**sample, "frames": cast(FrameInput, input).resize(sample["frames"])}
        sample = transform(sample, rng)
    return sample


def with_inputs(sample: Sample, input: Callable[[Sample], Arrays]) -> Sample:
    """`inputs` of a prepared sample in the place of what was read."""
    return {"inputs": input(sample), **{key: sample[key] for key in ("targets", "meta") if key in sample}}
