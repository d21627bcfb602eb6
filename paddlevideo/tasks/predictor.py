"""Samples to predictions, with a network that Paddle runs eagerly or one that was exported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import paddle

from paddlevideo.config import Config, read_yaml
from paddlevideo.engines import Graph, Network, choose
from paddlevideo.loader.media.live import Connection, Source
from paddlevideo.modeling.models import InputTransform, Postprocess, VideoModel
from paddlevideo.registry import DATASETS, INPUTS, POSTPROCESS
from paddlevideo.tasks.answers import Answers, answers_of
from paddlevideo.tasks.checkpoint import load_weights
from paddlevideo.tasks.parts import build_model, build_pipeline
from paddlevideo.tasks.sliding import SlidingNetwork
from paddlevideo.types import Arrays, Meta, Node, Prediction, Sample, Tensors
from paddlevideo.utils.cpu import use_onednn
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
    """

    def __init__(
        self,
        network: Network,
        input: InputTransform,
        postprocess: Postprocess,
        pipeline: Node,
        source: Node,
        classes: list[str],
    ) -> None:
        self.network, self.input, self.postprocess = network, input, postprocess
        self.pipeline, self.source, self.classes = pipeline, source, classes
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
        facts = read_facts(folder)
        require_plugins(facts["plugins"], folder / "inference.yaml")
        _check_causal(facts["causal"])
        runner, graph = choose(engine, precision, read_graphs(folder, facts), folder)
        input = INPUTS.build(facts["input"])
        _check_fit(folder / "inference.yaml", facts, input)
        sliding = read_sliding(folder, facts).get(runner.formats[precision]) if reuse else None
        network = runner.load(sliding or graph, precision, threads)
        if sliding is not None:
            network = SlidingNetwork(network, facts["reuse"]["maps"], reuse * frame_step(facts["pipeline"], input))
        kept = "" if sliding is None else ", which keeps work on frames for their next clips"
        logger.info("%s: run by %s in %s%s", folder, runner.name, precision, kept)
        return cls(
            network,
            input,
            POSTPROCESS.build(facts["postprocess"]),
            facts["pipeline"],
            facts["source"],
            facts["classes"],
        )

    def sources(self, text: str, connection: Connection, realtime: bool = False) -> list[Source]:
        """What a user means by `text`, as the dataset that reads it understands it.

        Args:
            text: path, pattern, address, ...
            connection: how long cameras and URLs are waited for.
            realtime: whether stored videos are played at their speed.

        Raises:
            FileNotFoundError: nothing is there.
            ValueError: not what this network predicts.
            ConnectionError: a camera or URL cannot be opened.
        """
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
            ValueError: an output of the network is not finite.
            KeyError: the network does not have an output that is needed.
        """
        decoded = finite_outputs(self.network(inputs), meta)
        try:
            return self.postprocess(decoded, meta)
        except KeyError as error:
            raise KeyError(
                f"postprocess {type(self.postprocess).__name__} needs the output {error}, the network has "
                f"{', '.join(decoded)}; export the model again"
            ) from error


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


def frame_step(pipeline: Node, input: InputTransform) -> int:
    """From each frame of a clip that a config's `PIPELINE.test` makes to the next one."""
    sampler = build_pipeline(pipeline, input)["sampler"]
    return int(np.diff(sampler(sampler.history, sampler.history - 1, None)).max(initial=1))


def sizes_of(input: InputTransform) -> dict[str, list[int]]:
    """What `inference.yaml` says of a network's inputs: their shapes without the batch axis, 1 for any length."""
    return {name: [axis or 1 for axis in item.shape] for name, item in input.spec().items()}


def _check_fit(path: Path, facts: dict[str, Any], input: InputTransform) -> None:
    """Refuse settings with which the network would be given, or understood as, something else than it was trained for.

    Raises:
        ValueError: says which.
    """
    for what, known, found in (
        ("inputs", facts.get("inputs"), sizes_of(input)),
        ("num_classes", facts.get("num_classes"), len(facts["classes"])),
    ):
        if known is not None and known != found:  # older folders do not tell
            raise ValueError(
                f"{path}: the network was exported for {what} {known}, what else stands there makes it {found}; put it "
                "back, or export the model again"
            )


def _check_causal(causal: bool) -> None:
    """Refuse to predict a video frame by frame with a network that also needs what comes later."""
    if not causal:
        raise ValueError(
            "this model is not causal: it answers with features of the whole video, extracted beforehand, so it cannot "
            "run on a file or stream; measure it with main.py --test -w, or predict with a model without context"
        )


GRAPHS = {"graphs": dict, "outputs": list}
REUSE = {**GRAPHS, "maps": list}
FACTS = {
    **GRAPHS,
    "causal": bool,
    "input": dict,
    "postprocess": dict,
    "pipeline": dict,
    "source": dict,
    "classes": list,
    "plugins": list,  # since there are any
}


def read_facts(folder: Path) -> dict[str, Any]:
    """The checked content of an export folder's `inference.yaml`.

    Raises:
        FileNotFoundError: the file is missing.
        ValueError: a fact is missing or of the wrong type.
    """
    path = folder / "inference.yaml"
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; write it with tools/export_model.py")
    facts = read_yaml(path)
    if isinstance(facts, dict) and "graphs" not in facts:  # written when Paddle's was the only format
        facts["graphs"] = {"paddle": {"files": {key: facts.get(key) for key in ("model", "weights")}}}
    if isinstance(facts, dict):
        facts.setdefault("plugins", [])
    _check_types(path, facts, FACTS)
    if facts.setdefault("reuse", None) is not None:  # older folders do not tell
        _check_reuse(path, facts["reuse"])
    for key in ("outputs", "classes"):
        if not all(isinstance(name, str) for name in facts[key]):
            raise ValueError(f"{path}: {key} should be a list of names, got {facts[key]}; export the model again")
    checked: dict[str, Any] = facts
    return checked


def _check_reuse(path: Path, facts: Any) -> None:
    _check_types(path, facts, REUSE, "reuse.")
    if len(facts["maps"]) != 4 or not all(isinstance(size, int) and size > 0 for size in facts["maps"]):
        raise ValueError(f"{path}: reuse.maps should be four sizes, got {facts['maps']}; export the model again")
    if "maps" not in facts["outputs"] or not all(isinstance(name, str) for name in facts["outputs"]):
        raise ValueError(
            f"{path}: reuse.outputs should be a list of names with maps, got {facts['outputs']}; export the model again"
        )


def _check_types(path: Path, facts: Any, kinds: Mapping[str, type], prefix: str = "") -> None:
    for key, kind in kinds.items():
        if not isinstance(facts, dict) or not isinstance(facts.get(key), kind):
            raise ValueError(f"{path}: {prefix}{key} should be a {kind.__name__}; export the model again")


def read_sliding(folder: Path, facts: dict[str, Any]) -> dict[str, Graph]:
    """The graphs of an export folder for clips that move on, by format; see `read_graphs`."""
    return {} if facts["reuse"] is None else read_graphs(folder / "reuse", facts["reuse"])


def read_graphs(folder: Path, facts: dict[str, Any]) -> dict[str, Graph]:
    """The graphs of an export folder by format.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a graph is not described as the exporter does it, or names a file outside the folder.
    """
    where = folder / "inference.yaml"
    graphs = {}
    for name, node in facts["graphs"].items():
        files, settings = (node.get(key, {}) if isinstance(node, dict) else None for key in ("files", "settings"))
        if not isinstance(files, dict) or not isinstance(settings, dict) or "model" not in files:
            raise ValueError(f"{where}: graphs.{name} should have files, among them the model; export the model again")
        for key, file in files.items():
            if not isinstance(file, str) or Path(file).name != file:
                raise ValueError(f"{where}: {key} of {name} should be a file name in this folder, got {file!r}")
            if not (folder / file).is_file():
                raise FileNotFoundError(f"{folder / file}: no such file; export the model again")
        graphs[name] = Graph({key: folder / file for key, file in files.items()}, facts["outputs"], settings)
    return graphs
