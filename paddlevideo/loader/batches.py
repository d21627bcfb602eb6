"""Samples to batches, with or without worker processes; neither order nor values depend on their number.

Samples travel packed (see `InputTransform`), and become float tensors in the process that needs them. Neighbouring test
samples share most of their frames, so it is frames that travel there, each of them once.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby, islice
from typing import Any, NamedTuple

import cv2
import numpy as np
import paddle
from paddle.io import BatchSampler, Sampler
from paddle.utils.dlpack import from_dlpack

from paddlevideo.loader.collate import collate
from paddlevideo.loader.datasets import SampleDataset, VideoDataset
from paddlevideo.types import Arrays, Batch, Frames, Sample, Tensors
from paddlevideo.utils.arrays import RecycledMemory
from paddlevideo.utils.threads import map_ahead
from paddlevideo.utils.workers import map_in_processes

THREADS = 2  # that unpack, each a batch
RUN_FRAMES = 256  # at 224x224 they are 39 MB, as much as 4 clips of 16 frames in floats


class EpochShuffle(Sampler):
    """Sample numbers in an order that follows from seed and epoch, those from place `first` to before `limit`."""

    def __init__(self, dataset: SampleDataset, seed: int) -> None:
        super().__init__(dataset)
        self.dataset, self.seed = dataset, seed
        self.first, self.limit = 0, len(dataset)

    def __iter__(self) -> Iterator[int]:
        order = np.random.default_rng((self.seed, self.dataset.epoch)).permutation(len(self.dataset))
        return iter(order[self.first : self.limit].tolist())

    def __len__(self) -> int:
        return min(len(self.dataset), self.limit) - self.first


class Share(NamedTuple):
    """Which of the processes that divide samples among them this is, from 0, and how many there are."""

    rank: int
    processes: int


ALL = Share(0, 1)


class Batches(ABC):
    """The batches of a dataset, as tensors on the device in use; an error while a sample was made is raised here.

    Args:
        dataset: where samples come from.
        batch_size: samples of a batch.
        num_workers: processes that read, each with one thread; 0 reads in a thread of this process.
        share: which part of the samples this process takes.

    Raises:
        ValueError, FileNotFoundError, ...: as the dataset raised it, or a RuntimeError that names its kind.
    """

    def __init__(self, dataset: SampleDataset, batch_size: int, num_workers: int, share: Share = ALL) -> None:
        self.dataset, self.batch_size, self.num_workers, self.share = dataset, batch_size, num_workers, share

    @abstractmethod
    def __len__(self) -> int:
        """How many batches there are."""

    @abstractmethod
    def packed(self) -> Iterator[tuple[list[Arrays], Batch]]:
        """The packed inputs of each sample of a batch, and what else the batch has, as arrays or tensors."""

    def __iter__(self) -> Iterator[Batch]:
        memory = RecycledMemory()

        def unpacked(item: tuple[list[Arrays], Batch]) -> Batch:
            packed, batch = item
            return {**batch, "inputs": self.dataset.input.unpack(packed, memory.empty)}

        for batch in map_ahead(unpacked, self.packed(), THREADS):
            yield {"inputs": _tensors(batch["inputs"]), "targets": _tensors(batch["targets"]), "meta": batch["meta"]}

    def load_packed(self, numbers: BatchSampler) -> Iterator[tuple[list[Arrays], Batch]]:
        """Batches of samples with these numbers, made by the workers."""

        def read(numbers: list[int]) -> Batch:
            return collate([self.dataset.packed(number) for number in numbers])

        for batch in self.load(read, numbers):
            inputs = batch["inputs"]
            yield [dict(zip(inputs, row, strict=True)) for row in zip(*inputs.values(), strict=True)], batch

    def load(self, read: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        """What `read` makes of each item, in order, made by the workers; see the class for errors."""
        cv2.setNumThreads(1)  # and not in the workers: OpenCV's threads do not survive the fork, and are waited for
        seed = int(np.random.randint(2**31))  # noqa: NPY002 - Paddle's samplers draw from this state too
        yield from map_in_processes(read, items, self.num_workers, partial(_begin_worker, seed))


class ShuffledBatches(Batches):
    """Batches of single samples in an order of its own, for training; an incomplete last batch is left out.

    With several processes, their n-th batches are together the n-th one of a single process with a batch as large as
    all of theirs.

    Args:
        dataset: see `Batches`.
        batch_size: see `Batches`.
        num_workers: see `Batches`.
        order: of the samples.
        share: see `Batches`.

    Raises:
        ValueError: the samples are not enough for one batch of every process.
    """

    def __init__(
        self, dataset: SampleDataset, batch_size: int, num_workers: int, order: Iterable[int], share: Share = ALL
    ) -> None:
        super().__init__(dataset, batch_size, num_workers, share)
        together = share.processes * batch_size
        if len(dataset) < together and share.processes > 1:
            raise ValueError(
                f"DATASET.train: expected {together} samples or more for {share.processes} processes with a batch_size "
                f"of {batch_size}, got {len(dataset)}; start fewer processes or choose a smaller batch_size"
            )
        self.order = _SharedBatches(order, batch_size, share, drop_last=len(dataset) >= together)

    def __len__(self) -> int:
        """How many batches there are."""
        return len(self.order)

    def packed(self) -> Iterator[tuple[list[Arrays], Batch]]:
        """See `Batches`."""
        return self.load_packed(self.order)


class _SharedBatches(BatchSampler):
    """The part of every batch of all processes that one of them takes."""

    def __init__(self, order: Iterable[int], batch_size: int, share: Share, drop_last: bool) -> None:
        super().__init__(sampler=order, batch_size=share.processes * batch_size, drop_last=drop_last)
        self.own = slice(share.rank * batch_size, (share.rank + 1) * batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        for batch in super().__iter__():
            yield batch[self.own]


@dataclass(frozen=True)
class Run:
    """Neighbouring samples of one video, `first` to `stop - 1`, and its frames that they need."""

    first: int
    stop: int
    frames: frozenset[int]
    new: list[int]  # those of `frames` that the run before did not need, rising


class SequentialBatches(Batches):
    """All samples in order, for testing.

    Of several processes each takes as many neighbouring samples; so that the numbers of batches are equal too, a few
    samples may be in two shares.
    """

    def __len__(self) -> int:
        """How many batches there are."""
        return -(-len(self.own) // self.batch_size)

    @property
    def own(self) -> range:
        """The numbers of the samples that this process takes."""
        length = -(-len(self.dataset) // self.share.processes)
        first = min(self.share.rank * length, len(self.dataset) - length)
        return range(first, first + length)

    def packed(self) -> Iterator[tuple[list[Arrays], Batch]]:
        """See `Batches`."""
        return self.load_packed(BatchSampler(sampler=self.own, batch_size=self.batch_size))


class OverlappingBatches(SequentialBatches):
    """`SequentialBatches` of clips that share frames with their neighbours: every frame is read and resized once.

    Workers read runs of neighbouring samples, of at most `RUN_FRAMES` frames. This process holds two runs, and up to
    two more for each worker are on their way.
    """

    dataset: VideoDataset

    def packed(self) -> Iterator[tuple[list[Arrays], Batch]]:
        """See `Batches`."""
        samples = self._samples()
        while group := list(islice(samples, self.batch_size)):
            yield [sample.pop("inputs") for sample in group], collate(group)

    def _samples(self) -> Iterator[Sample]:
        runs = list(plan_runs(self.dataset, self.own))
        held: dict[int, Frames] = {}  # of the run, by number
        for run, read in zip(runs, self.load(self._read, runs), strict=True):
            new = zip(run.new, read, strict=True)
            held = {number: frame for number, frame in held.items() if number in run.frames} | dict(new)
            for index in range(run.first, run.stop):
                frames = np.stack([held[number] for number in self.dataset.clip(index).tolist()])
                yield self.dataset.packed_with(index, frames)

    def _read(self, run: Run) -> Frames:
        return self.dataset.frames(run.first, np.array(run.new))


def plan_runs(dataset: VideoDataset, samples: range, most: int = RUN_FRAMES) -> Iterator[Run]:
    """Neighbouring samples of a dataset in runs of one video.

    Args:
        dataset: for evaluation.
        samples: their numbers.
        most: frames that a run may need besides those of the run before, if it has more than one sample.
    """
    for _, group in groupby(samples, lambda index: dataset.place(index).path):
        indices = list(group)
        first, frames, before = indices[0], frozenset[int](), frozenset[int]()
        for index in indices:
            clip = frozenset(dataset.clip(index).tolist())
            if index > first and len((frames | clip) - before) > most:
                yield Run(first, index, frames, sorted(frames - before))
                first, frames, before = index, frozenset(), frames
            frames |= clip
        yield Run(first, indices[-1] + 1, frames, sorted(frames - before))


def _begin_worker(seed: int, number: int) -> None:
    random.seed(seed + number)  # for parts of users that draw from states that all workers would have alike
    np.random.seed(seed + number)  # noqa: NPY002
    cv2.resize(np.zeros((2, 2, 3), np.uint8), (1, 1))  # takes a lock of OpenCV


def _tensors(arrays: Arrays | Tensors) -> Tensors:
    """The arrays on the device in use; on a CPU they are not copied, unless numpy has made them read-only."""
    device = paddle.device.get_device()
    return {key: from_dlpack(np.require(value, requirements="W")).to(device) for key, value in arrays.items()}
