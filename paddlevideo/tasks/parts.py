"""The parts that a config names, built and handed to each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NoReturn

from paddlevideo import loader as _loader
from paddlevideo import metrics as _metrics
from paddlevideo import modeling as _modeling
from paddlevideo.config import Config
from paddlevideo.loader.batches import (
    Batches,
    EpochShuffle,
    OverlappingBatches,
    SequentialBatches,
    Share,
    ShuffledBatches,
)
from paddlevideo.loader.datasets import SampleDataset
from paddlevideo.loader.index import IndexScan
from paddlevideo.metrics.base import Metric
from paddlevideo.modeling.models import InputTransform, VideoModel
from paddlevideo.registry import DATASETS, METRICS, MODELS, SAMPLERS, TRANSFORMS
from paddlevideo.types import Node
from paddlevideo.utils import processes

Phase = Literal["train", "test"]
REGISTERED = (_loader, _metrics, _modeling)  # importing them is what fills the registries


def build_model(config: Config) -> VideoModel:
    """The network with its input transform, loss and postprocess."""
    model: VideoModel = MODELS.build(config.MODEL, classes=config.classes)
    return model


def build_pipeline(pipeline: Node, input: InputTransform) -> dict[str, Any]:
    """Transforms, input and, for samples that have frames, the sampler, as a dataset takes them.

    Raises:
        TypeError: a pipeline is something else than a sampler and a list of transforms.
    """
    nodes = pipeline.get("transform", []) if isinstance(pipeline, Mapping) else None
    sampling = getattr(input, "sampling", None)  # of a `FrameInput`
    if not isinstance(nodes, list) or ("sample" in pipeline) != (sampling is not None):
        expected = "a list `transform`" if sampling is None else "`sample` and a list `transform`"
        raise TypeError(f"PIPELINE: expected {expected}, got {str(pipeline)[:100]}; see the configs")
    parts: dict[str, Any] = {"transforms": [TRANSFORMS.build(node) for node in nodes], "input": input}
    return parts if sampling is None else {**parts, "sampler": SAMPLERS.build(pipeline["sample"], **sampling)}


def build_dataset(config: Config, phase: Phase, input: InputTransform) -> SampleDataset:
    """The dataset of a phase; samples are random in training only.

    Raises:
        KeyError: the config has no such dataset or pipeline.
    """
    node, pipeline = _part(config, "DATASET", phase), _part(config, "PIPELINE", phase)
    seed = config.seed if phase == "train" else None
    parts = build_pipeline(pipeline, input)
    dataset: SampleDataset = DATASETS.build(node, classes=config.classes, seed=seed, **parts)
    return dataset


def _part(config: Config, section: str, phase: str) -> Node:
    """What a section says of a phase; null leaves the phase out."""
    node: Node | None = getattr(config, section).get(phase)
    if node is None:
        raise KeyError(f"{section}.{phase} is missing in the config")
    return node


def check_inference(config: Config, input: InputTransform) -> None:
    """Look at what a trained model would be run on a user's files with, before it is trained.

    Raises:
        KeyError: no such dataset, transform or sampler.
        TypeError: one has no such argument, or the dataset reads no files of a user.
    """
    pipeline = config.PIPELINE.get("test")
    if config.INFERENCE and pipeline is not None:
        check_source(config.INFERENCE, pipeline, input)


def check_source(source: Node, pipeline: Node, input: InputTransform) -> None:
    """Look at what a model is run on a user's files with; see `check_inference`."""
    readers = [name for name in DATASETS if hasattr(DATASETS.get(name), "sources")]
    name = source.get("name")
    if name in list(DATASETS) and name not in readers:
        raise TypeError(f"INFERENCE: expected a dataset that reads a user's files ({', '.join(readers)}), got {name}")
    DATASETS.check(source, source=None, stride=1, **build_pipeline(pipeline, input))


def scan_dataset(config: Config, phase: str) -> IndexScan:
    """The annotation of a phase's dataset with all that is wrong in it; nothing is built.

    Raises:
        KeyError: the config has no such dataset, or it has no name.
        FileNotFoundError: there is no annotation.
        NotImplementedError: it is no boxes in videos.
    """
    node = _part(config, "DATASET", phase)
    if "name" not in node:
        raise KeyError(f"DATASET.{phase} has no name in the config; known are {', '.join(DATASETS)}")
    return DATASETS.get(node["name"]).scan(node)


def build_annotations(config: Config, phase: Phase) -> SampleDataset:
    """The dataset of a phase for its annotations alone: no network is needed, and its samples cannot be read.

    Raises:
        KeyError: the config has no such dataset.
    """
    nothing: dict[str, Any] = {"transforms": (), "input": _no_frames}
    if "sample" in config.PIPELINE.get(phase, {}):
        nothing["sampler"] = _no_frames
    dataset: SampleDataset = DATASETS.build(
        _part(config, "DATASET", phase), classes=config.classes, seed=None, **nothing
    )
    return dataset


def _no_frames(*_: Any) -> NoReturn:
    raise RuntimeError("this dataset was built for its annotations alone; build_dataset makes one with frames")


def build_loader(config: Config, dataset: SampleDataset, order: EpochShuffle | None = None) -> Batches:
    """This process's batches of a dataset: in an order, for training, or of all samples as they come."""
    share = Share(processes.rank(), processes.count())
    if order is None:
        kind = OverlappingBatches if dataset.overlapping else SequentialBatches
        return kind(dataset, config.batch_size, config.num_workers, share)
    return ShuffledBatches(dataset, config.batch_size, config.num_workers, order, share)


def build_metrics(config: Config) -> list[Metric]:
    """The metrics, the deciding one first.

    Raises:
        KeyError: there is none.
        ValueError: a metric twice, whose numbers would have the same names.
    """
    if not config.METRIC:
        raise KeyError("METRIC is missing in the config")
    names = [node.get("name") for node in config.METRIC]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"METRIC: {name} stands there twice, and both would give the same names; leave one out")
    return [METRICS.build(node, classes=config.classes) for node in config.METRIC]
