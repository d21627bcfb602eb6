"""The parts that a config names, built and handed to each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from paddle.io import BatchSampler, DataLoader, Sampler, SequenceSampler

from paddlevideo import loader as _loader
from paddlevideo import metrics as _metrics
from paddlevideo import modeling as _modeling
from paddlevideo.config import Config
from paddlevideo.loader.collate import collate
from paddlevideo.loader.datasets import VideoDataset
from paddlevideo.metrics.base import Metric
from paddlevideo.modeling.models import InputTransform, VideoModel
from paddlevideo.registry import DATASETS, METRICS, MODELS, SAMPLERS, TRANSFORMS
from paddlevideo.types import Node

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


def build_loader(config: Config, dataset: VideoDataset, phase: Phase) -> DataLoader:
    """Batches of a dataset.

    Training shuffles, from seed and epoch alone, and leaves out an incomplete last batch; test keeps order and samples.
    """
    is_training = phase == "train"
    batches = BatchSampler(
        sampler=EpochShuffle(dataset, config.seed) if is_training else SequenceSampler(dataset),
        batch_size=config.batch_size,
        drop_last=is_training and len(dataset) >= config.batch_size,
    )
    collate_fn: Any = collate  # Paddle's type for it does not know our samples
    return DataLoader(dataset, batch_sampler=batches, num_workers=config.num_workers, collate_fn=collate_fn)


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
