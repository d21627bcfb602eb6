"""The parts that a config names, built and handed to each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NoReturn

import numpy as np
from paddle.io import BatchSampler, DataLoader, Dataset, Sampler, SequenceSampler

from paddlevideo import loader as _loader
from paddlevideo import metrics as _metrics
from paddlevideo import modeling as _modeling
from paddlevideo.config import Config
from paddlevideo.loader.collate import collate
from paddlevideo.loader.datasets import VideoDataset
from paddlevideo.loader.index import IndexScan
from paddlevideo.metrics.base import Metric
from paddlevideo.modeling.models import InputTransform, VideoModel
from paddlevideo.registry import DATASETS, METRICS, MODELS, SAMPLERS, TRANSFORMS
from paddlevideo.types import Batch, Node

Phase = Literal["train", "test"]
REGISTERED = (_loader, _metrics, _modeling)  # importing them is what fills the registries


def build_model(config: Config) -> VideoModel:
    """The network with its input transform, loss and postprocess."""
    model: VideoModel = MODELS.build(config.MODEL, classes=config.classes)
    return model


def build_pipeline(pipeline: Node, input: InputTransform) -> dict[str, Any]:
    """Sampler, transforms and input as a dataset takes them."""
    transforms = [TRANSFORMS.build(node) for node in pipeline.get("transform", ())]
    return {"sampler": SAMPLERS.build(pipeline["sample"], **input.sampling), "transforms": transforms, "input": input}


def build_dataset(config: Config, phase: Phase, input: InputTransform) -> VideoDataset:
    """The dataset of a phase; samples are random in training only.

    Raises:
        KeyError: the config has no such dataset or pipeline.
    """
    for section in ("DATASET", "PIPELINE"):
        if phase not in getattr(config, section):
            raise KeyError(f"{section}.{phase} is missing in the config")
    seed = config.seed if phase == "train" else None
    parts = build_pipeline(config.PIPELINE[phase], input)
    dataset: VideoDataset = DATASETS.build(config.DATASET[phase], classes=config.classes, seed=seed, **parts)
    return dataset


def scan_dataset(config: Config, phase: str) -> IndexScan:
    """The annotation of a phase's dataset with all that is wrong in it; nothing is built.

    Raises:
        KeyError: the config has no such dataset, or it has no name.
        FileNotFoundError: there is no annotation.
        NotImplementedError: it is no boxes in videos.
    """
    if "name" not in config.DATASET.get(phase, ()):
        raise KeyError(f"DATASET.{phase} is missing in the config, or has no name")
    node = config.DATASET[phase]
    return DATASETS.get(node["name"]).scan(node)


def build_annotations(config: Config, phase: Phase) -> VideoDataset:
    """The dataset of a phase for its annotations alone: no network is needed, and its samples cannot be read.

    Raises:
        KeyError: the config has no such dataset.
    """
    if phase not in config.DATASET:
        raise KeyError(f"DATASET.{phase} is missing in the config")
    nothing: dict[str, Any] = {"sampler": _no_frames, "transforms": (), "input": _no_frames}
    dataset: VideoDataset = DATASETS.build(config.DATASET[phase], classes=config.classes, seed=None, **nothing)
    return dataset


def _no_frames(*_: Any) -> NoReturn:
    raise RuntimeError("this dataset was built for its annotations alone; build_dataset makes one with frames")


def build_loader(config: Config, dataset: VideoDataset, order: EpochShuffle | None = None) -> Batches:
    """Batches of a dataset.

    With an order, for training, an incomplete last batch is left out; without one, order and samples are kept.
    """
    batches = BatchSampler(
        sampler=SequenceSampler(dataset) if order is None else order,
        batch_size=config.batch_size,
        drop_last=order is not None and len(dataset) >= config.batch_size,
    )
    collate_fn: Any = collate_or_report  # Paddle's type for it does not know our samples
    reporting = Reporting(dataset)
    return Batches(DataLoader(reporting, batch_sampler=batches, num_workers=config.num_workers, collate_fn=collate_fn))


class Reporting(Dataset):
    """A dataset whose errors are returned instead of a sample.

    Paddle's loader loses the message of an error in a worker process, and hangs on one without workers.
    """

    def __init__(self, dataset: VideoDataset) -> None:
        super().__init__()
        self.dataset = dataset

    def __getitem__(self, index: int) -> Any:
        try:
            return self.dataset[index]
        except Exception as error:
            return error

    def __len__(self) -> int:
        return len(self.dataset)


def collate_or_report(samples: list[Any]) -> Batch:
    """The batch of these samples, or the kind and text of the first error among them."""
    for sample in samples:
        if isinstance(sample, Exception):
            # Paddle's loader takes a batch without any array for the end of the data.
            return {"error": [type(sample).__name__, str(sample)], "inputs": np.zeros(1)}
    return collate(samples)


class Batches:
    """The batches of a loader; an error while a sample was made is raised here.

    Raises:
        ValueError, FileNotFoundError, ...: as the dataset raised it, or a RuntimeError that names its kind.
    """

    def __init__(self, loader: DataLoader) -> None:
        self.loader = loader

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.loader:
            if "error" in batch:
                kind, text = batch["error"]
                known = {error.__name__: error for error in (ValueError, FileNotFoundError, PermissionError, OSError)}
                raise known[kind](text) if kind in known else RuntimeError(f"{kind} while reading data: {text}")
            yield batch


class EpochShuffle(Sampler):
    """Sample numbers in an order that follows from seed and epoch; `limit` cuts an epoch short."""

    def __init__(self, dataset: VideoDataset, seed: int) -> None:
        super().__init__(dataset)
        self.dataset, self.seed = dataset, seed
        self.limit: int | None = None

    def __iter__(self) -> Iterator[int]:
        order = np.random.default_rng((self.seed, self.dataset.epoch)).permutation(len(self.dataset))
        return iter(order[: self.limit].tolist())

    def __len__(self) -> int:
        return len(self.dataset) if self.limit is None else min(len(self.dataset), self.limit)


def build_metrics(config: Config) -> list[Metric]:
    """The metrics, the deciding one first.

    Raises:
        KeyError: there is none.
    """
    if not config.METRIC:
        raise KeyError("METRIC is missing in the config")
    return [METRICS.build(node, classes=config.classes) for node in config.METRIC]
