"""Samples to predictions, with a network that Paddle runs eagerly or one that was exported."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import paddle

from paddlevideo.config import Config
from paddlevideo.engines import Network, choose
from paddlevideo.loader.media.live import Connection, Source
from paddlevideo.modeling.models import InputTransform, Postprocess, VideoModel
from paddlevideo.registry import DATASETS, INPUTS, POSTPROCESS
from paddlevideo.tasks.answers import Answers, answers_of
from paddlevideo.tasks.checkpoint import load_weights
from paddlevideo.tasks.manifest import FILE, check_fit, part_of, read_facts, read_graphs, read_sliding
from paddlevideo.tasks.parts import build_model, build_pipeline, check_source
from paddlevideo.tasks.sliding import SlidingNetwork
from paddlevideo.types import Arrays, Meta, Node, Prediction, Sample, Tensors
from paddlevideo.utils.cpu import use_onednn
from paddlevideo.utils.locks import check_free
from paddlevideo.utils.logging import logger
from paddlevideo.utils.plugins import require_plugins

LARGEST_OUTPUT = 1e15  # of which the square is still finite in float32


def eager_network(model: VideoModel) -> Network:
    """The decoded outputs of a model in eval mode; its mode is put back afterwards."""

    @paddle.no_grad()
    def run(inputs: Arrays | Tensors) -> Arrays:
        was_training = model.training
        model.eval()
        tensors = {k: v if isinstance(v, paddle.Tensor) else paddle.to_tensor(v) for k, v in inputs.items()}
        decoded = model.decode(model(tensors))
        if was_training:
            model.train()
        return {key: value.numpy() for key, value in decoded.items()}

    return run


class Predictor:
    """A network with what stands before and after it.

    Args:
        network: inputs with a batch axis to decoded arrays.
        input: samples to network inputs.
        postprocess: decoded arrays to predictions.
        pipeline: the config's `PIPELINE.test`.
        source: the config's `INFERENCE`, the dataset that reads a user's file.
        classes: names.
        where: the file that says so, for messages.
    """

    def __init__(
        self,
        network: Network,
        input: InputTransform,
        postprocess: Postprocess,
        pipeline: Node,
        source: Node,
        classes: list[str],
        where: Path | str = "the config",
    ) -> None:
        self.network, self.input, self.postprocess = network, input, postprocess
        self.pipeline, self.source, self.classes = pipeline, source, classes
        self.where = where
        self.answers: Answers = answers_of(postprocess, classes)

    @classmethod
    def from_checkpoint(cls, config: Config, weights: str | Path) -> Predictor:
        """The model of a config with trained weights."""
        model = build_model(config)
        load_weights(model, weights)
        use_onednn(model)
        return cls(
            eager_network(model),
            model.input,
            model.postprocess,
            config.PIPELINE["test"],
            config.INFERENCE,
            list(config.classes),
        )

    @classmethod
    def from_export(
        cls,
        folder: str | Path,
        engine: str = "auto",
        precision: str = "float32",
        threads: int | None = None,
        reuse: int = 0,
    ) -> Predictor:
        """The network of an export folder.

        Args:
            folder: written by the exporter.
            engine: one of `engines.ENGINES`, or `auto`.
            precision: one of `engines.PRECISIONS`.
            threads: on a CPU; None leaves the choice to the engine.
            reuse: for how many streams, which may take turns, work on frames is kept for their next clips, if the
                folder has a graph for it; 0 where clips have nothing in common.

        Raises:
            FileNotFoundError: the folder or one of its files is missing.
            ValueError: `inference.yaml` was not written by the exporter or changed so that it does not fit the network,
                or needs plugins that are not imported, or no such engine can run this here.
        """
        folder = Path(folder)
        check_free(folder)
        before = _stamp(folder)
        facts = read_facts(folder)
        require_plugins(facts.plugins, folder / FILE)
        _check_causal(facts.causal)
        with part_of(folder, "input"):
            input = INPUTS.build(facts.input)
        with part_of(folder, "postprocess"):
            postprocess = POSTPROCESS.build(facts.postprocess)
        with part_of(folder, "pipeline or source"):
            build_pipeline(facts.pipeline, input)
            if facts.source:
                check_source(facts.source, facts.pipeline, input)
        check_fit(folder, facts, input)
        inputs = {name: item.shape for name, item in input.spec().items()}
        runner, graph = choose(engine, precision, read_graphs(folder, facts, inputs), folder)
        sliding = read_sliding(folder, facts, inputs).get(runner.formats[precision]) if reuse else None
        network = runner.load(sliding or graph, precision, threads)
        if sliding is not None and facts.reuse is not None:
            network = SlidingNetwork(network, facts.reuse.maps, reuse * frame_step(facts.pipeline, input))
        check_free(folder)
        if _stamp(folder) != before:
            raise ValueError(f"{folder}: was exported anew while it was loaded; run the command again")
        kept = "" if sliding is None else ", which keeps work on frames for their next clips"
        logger.info("%s: run by %s in %s%s", folder, runner.name, precision, kept)
        return cls(network, input, postprocess, facts.pipeline, facts.source, facts.classes, folder / FILE)

    def sources(self, text: str, connection: Connection, realtime: bool = False) -> list[Source]:
        """What a user means by `text`, as the dataset that reads it understands it.

        Args:
            text: path, pattern, address, ...
            connection: how long cameras and URLs are waited for.
            realtime: whether stored videos are played at their speed.

        Raises:
            FileNotFoundError: nothing is there.
            ValueError: not what this network predicts.
            TypeError: the config has no `INFERENCE` that reads a user's files.
            ConnectionError: a camera or URL cannot be opened.
        """
        if not self.source:
            raise TypeError(f"{self.where}: nothing says how a user's files are read; add INFERENCE to the config")
        check_source(self.source, self.pipeline, self.input)
        sources: list[Source] = DATASETS.get(self.source["name"]).sources(text, connection, realtime)
        return sources

    def open(self, source: Source, stride: int = 1) -> Iterable[Sample]:
        """The samples of a source; of a stream one for every frame, of which the network looks at those with `inputs`.

        Args:
            source: one of `sources`.
            stride: of a stream, every so many frames the network looks at one.

        Raises:
            ValueError: the network is not causal.
        """
        _check_causal(self.input.causal)
        parts = build_pipeline(self.pipeline, self.input)
        samples: Iterable[Sample] = DATASETS.build(self.source, source=source, stride=stride, **parts)
        return samples

    @property
    def reads_frames(self) -> bool:
        """Whether it reads videos, and not files of features."""
        return getattr(self.input, "sampling", None) is not None

    def batch(self, inputs: Arrays | Tensors, meta: list[Meta]) -> list[Prediction]:
        """Predictions for inputs that have a batch axis.

        Raises:
            ValueError: an output of the network is not finite, or it tells more classes apart than there are names.
            KeyError: the network does not have an output that is needed.
        """
        decoded = finite_outputs(self.network(inputs), meta)
        try:
            predictions = self.postprocess(decoded, meta)
        except KeyError as error:
            raise KeyError(
                f"postprocess {type(self.postprocess).__name__} needs the output {error}, the network has "
                f"{', '.join(decoded)}; export the model again"
            ) from error
        count = max(map(self.answers.count_classes, predictions), default=0)
        if count > len(self.classes):
            raise ValueError(
                f"{self.where}: classes should be the {count} names or more that the network was trained for, got "
                f"{len(self.classes)}; put them back, or export the model again"
            )
        return predictions


def finite_outputs(decoded: Arrays, meta: list[Meta]) -> Arrays:
    """The outputs of a network, if they can be compared, drawn and written.

    Finite boxes stay as they are, even far outside of the frame, so that files say what metrics count. Beyond
    `LARGEST_OUTPUT`, areas of boxes would not be finite.

    Raises:
        ValueError: one is NaN, infinite or too large; names the output and the sample or frame.
    """
    for name, values in decoded.items():
        if values.dtype.kind == "f" and not (inside := np.abs(values) <= LARGEST_OUTPUT).all():  # nor NaN
            sample, *place = np.argwhere(~inside)[0].tolist()
            about = meta[sample] if sample < len(meta) else {}
            frame = f", frame {about['frame']}" if "frame" in about else ""
            raise ValueError(
                f"{about.get('id')}{frame}: output {name} of the network should be finite, got "
                f"{values[(sample, *place)]} at {place}; the weights have diverged or are damaged: take those of "
                "another checkpoint"
            )
    return decoded


def _stamp(folder: Path) -> tuple[int, int] | None:
    """What tells one export into a folder from the next."""
    path = folder / "inference.yaml"
    if not path.is_file():
        return None
    facts = path.stat()
    return facts.st_ino, facts.st_mtime_ns


def frame_step(pipeline: Node, input: InputTransform) -> int:
    """From each frame of a clip that a config's `PIPELINE.test` makes to the next one."""
    sampler = build_pipeline(pipeline, input)["sampler"]
    return int(np.diff(sampler(sampler.history, sampler.history - 1, None)).max(initial=1))


def _check_causal(causal: bool) -> None:
    """Refuse to predict a video frame by frame with a network that also needs what comes later."""
    if not causal:
        raise ValueError(
            "this model is not causal: it answers with features of the whole video, extracted beforehand, so it cannot "
            "run on a file or stream; measure it with main.py --test -w, or predict with a model without context"
        )
