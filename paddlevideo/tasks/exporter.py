"""A trained model to a folder that engines run."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from paddle import Tensor, nn

from paddlevideo.config import Config
from paddlevideo.engines import ENGINES, Graph, choose
from paddlevideo.modeling.models import VideoModel
from paddlevideo.modeling.sliding import Sliding
from paddlevideo.tasks.checkpoint import load_weights
from paddlevideo.tasks.folding import fold_norms
from paddlevideo.tasks.graphs import CHAIN, check, differences, runnable, write_graphs
from paddlevideo.tasks.manifest import FILE, Manifest, ReuseFacts, graph_facts, sizes_of, write_facts
from paddlevideo.tasks.parts import build_dataset, build_model
from paddlevideo.tasks.predictor import Predictor, eager_network
from paddlevideo.tasks.sliding import SlidingNetwork
from paddlevideo.types import Arrays, InputSpec, Tensors
from paddlevideo.utils.files import output_folder, write_json
from paddlevideo.utils.locks import claim
from paddlevideo.utils.logging import logger
from paddlevideo.utils.names import openable

FORMATS = CHAIN[:3]  # what may be asked for by name; int8 is a precision
REUSING = CHAIN[1:3]  # what reuse is offered in; Paddle Inference with oneDNN crashes on parts of networks


class ExportGraph(nn.Layer):
    """The network with decoding, as it is traced."""

    def __init__(self, model: VideoModel | Sliding) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: Tensors) -> list[Tensor]:
        """Named inputs to decoded outputs in the order of their sorted names, which the file format forgets."""
        decoded = self.model.decode(self.model(inputs))
        return [decoded[key] for key in sorted(decoded)]


def export_weights(
    config: Config,
    weights: str | Path,
    folder: str | Path,
    formats: Sequence[str] = ("paddle",),
    calibration: int | None = None,
) -> Path:
    """Export the model of a config with trained weights; see `export`."""
    with claim(folder):
        model = build_model(config)
        load_weights(model, weights)
        return export(model, config, folder, formats, calibration)


def export(
    model: VideoModel,
    config: Config,
    folder: str | Path,
    formats: Sequence[str] = ("paddle",),
    calibration: int | None = None,
) -> Path:
    """Write a model for engines, and compare what they answer with the eager network.

    The folder gets the graphs; `inference.yaml`, which names them and says what stands before and after the network;
    `reference.npz`, the eager outputs for made-up inputs (`probe`); and `export_report.json`, how far each engine is
    from them.

    Args:
        model: with trained weights.
        config: the run's.
        folder: where to write.
        formats: some of `FORMATS`.
        calibration: samples of the dataset to quantise an int8 graph on; None writes none.

    Raises:
        PermissionError: the folder cannot be written.
        ValueError: no such format, a package is missing, or no sample to quantise on.
        RuntimeError: an exported network answers otherwise than the eager one.
    """
    if not formats or not set(formats) <= set(FORMATS):
        raise ValueError(f"--format: expected some of {', '.join(FORMATS)}, got {', '.join(formats)!r}")
    wanted = [*formats] if calibration is None else [*formats, "openvino_int8"]
    clips = () if calibration is None else CalibrationClips(config, model, calibration)
    folder = output_folder(folder)
    (folder / FILE).unlink(missing_ok=True)  # so that a failed export is not taken for a good one
    model.eval()
    inputs = probe(model)
    eager = eager_network(model)(inputs)
    folded = fold_norms(model, inputs)
    with openable(folder) as place, tempfile.TemporaryDirectory(prefix=".export", dir=place) as work:
        made = write_graphs(wanted, Path(work), partial(trace, folded, model.input.spec(), sorted(eager)), clips)
        graphs = {name: made[name] for name in wanted}
        if "paddle" in graphs:
            graphs["paddle"] = runnable(graphs["paddle"], inputs, eager)
        report = compare(graphs, inputs, eager, folder)
        keep_files(graphs, folder)
    reuse = export_sliding(folded, inputs, [name for name in formats if name in REUSING], folder)
    reference: dict[str, Any] = eager
    np.savez(folder / "reference.npz", **reference)
    write_json(folder / "export_report.json", report)
    write_facts(folder, facts_of_export(model, config, graphs, reuse))
    logger.info("%s\nexported to %s", report_table(report), folder)
    return folder


def input_specs(inputs: Mapping[str, InputSpec]) -> Any:
    """Inputs by name, in batches of any size, as Paddle traces them."""
    return {name: paddle.static.InputSpec([None, *item.shape], item.dtype, name) for name, item in inputs.items()}


def trace(model: VideoModel | Sliding, inputs: Mapping[str, InputSpec], outputs: list[str], folder: Path) -> Graph:
    """Write `model.json` and `model.pdiparams`."""
    static = paddle.jit.to_static(ExportGraph(model), input_spec=[input_specs(inputs)], full_graph=True)
    paddle.jit.save(static, str(folder / "model"))
    return Graph({"model": folder / "model.json", "weights": folder / "model.pdiparams"}, outputs)


def keep_files(graphs: dict[str, Graph], folder: Path) -> None:
    """Move the files of graphs to a folder."""
    for path in (path for graph in graphs.values() for path in graph.files.values()):
        path.replace(folder / path.name)


def export_sliding(model: VideoModel, inputs: Arrays, formats: list[str], folder: Path) -> ReuseFacts | None:
    """Write a model for clips that move on, if it offers that, and compare its answers with the eager ones.

    Args:
        model: with its normalisations folded.
        inputs: any batch of one.
        formats: some of `REUSING`.
        folder: of the export; the graphs go to `reuse` in it.

    Returns:
        What `inference.yaml` says of it, None if there is nothing.

    Raises:
        RuntimeError: an engine answers otherwise.
    """
    sliding = model.sliding
    if sliding is None or not formats:
        return None
    (clip,) = model.input.spec().values()
    shape = sliding.maps_shape(clip)
    following = {name: np.roll(value, -1, axis=2) for name, value in inputs.items()}
    eager = [eager_network(model)(clips) for clips in (inputs, following)]
    traced = partial(trace, sliding, sliding.spec(clip), sorted([*eager[0], "maps"]))
    with openable(folder) as place, tempfile.TemporaryDirectory(prefix=".export", dir=place) as work:
        made = write_graphs(formats, Path(work), traced, ())
        graphs = {name: made[name] for name in formats}
        for engine in (engine for engine in ENGINES.values() if engine.formats["float32"] in graphs):
            network = SlidingNetwork(engine.load(graphs[engine.formats["float32"]], "float32"), shape)
            for clips, expected in zip((inputs, following), eager, strict=True):
                check(differences(network(clips), expected), f"{engine.name}, reuse")
        keep_files(graphs, output_folder(folder / "reuse"))
    return ReuseFacts(graph_facts(graphs), sorted([*eager[0], "maps"]), list(shape))


def facts_of_export(model: VideoModel, config: Config, graphs: dict[str, Graph], reuse: ReuseFacts | None) -> Manifest:
    """What `inference.yaml` says of a model."""
    return Manifest(
        graphs=graph_facts(graphs),
        outputs=list(next(iter(graphs.values())).outputs),
        reuse=reuse,
        causal=model.input.causal,
        inputs=sizes_of(model.input),
        num_classes=len(config.classes),
        input=dict(config.MODEL["input"]),
        postprocess=dict(config.MODEL["postprocess"]),
        pipeline=dict(config.PIPELINE["test"]),
        source=dict(config.INFERENCE),
        classes=list(config.classes),
        plugins=list(config.plugins),
    )


def probe(owner: VideoModel | Predictor) -> Arrays:
    """A made-up batch of one, always the same, that fits the input of a model or predictor."""
    rng = np.random.default_rng(0)
    sizes = sizes_of(owner.input)
    return {name: rng.random((1, *sizes[name])).astype(item.dtype) for name, item in owner.input.spec().items()}


def compare(graphs: dict[str, Graph], inputs: Arrays, eager: Arrays, folder: Path) -> list[dict[str, Any]]:
    """How far every engine is from the eager network, in all precisions that this machine has.

    Returns:
        A row for each engine, precision and output.

    Raises:
        ValueError: an engine is not installed.
        RuntimeError: one of them answers otherwise in float32.
    """
    rows = []
    for engine in ENGINES.values():
        for precision, name in engine.formats.items():
            if name not in graphs:
                continue
            lack = engine.lacks(precision)
            if lack is not None:
                logger.warning("%s in %s was not compared: %s", engine.name, precision, lack)
                continue
            _, graph = choose(engine.name, precision, graphs, folder)
            found = differences(engine.load(graph, precision)(inputs), eager)
            if precision == "float32":
                check(found, engine.name)
            rows += [{"format": name, "engine": engine.name, "precision": precision, **asdict(one)} for one in found]
    return rows


def report_table(rows: list[dict[str, Any]]) -> str:
    """The rows of `compare` as text."""
    lines = [f"{'engine':<12} {'precision':<10} {'output':<14} {'largest difference to eager':>28} {'relative':>10}"]
    for row in rows:
        place = f"{row['engine']:<12} {row['precision']:<10} {row['output']:<14}"
        lines.append(f"{place} {row['absolute']:>28.1e} {row['relative']:>10.1e}")
    return "\n".join(lines)


class CalibrationClips:
    """Network inputs of samples spread evenly over a dataset, read when they are needed.

    Args:
        config: with `DATASET.train`, or else `DATASET.test`.
        model: whose input they are for.
        count: how many, all of them if there are fewer.
    """

    def __init__(self, config: Config, model: VideoModel, count: int) -> None:
        if count < 1:
            raise ValueError(f"--calibration: expected at least 1 sample to quantise on, got {count}")
        self.dataset = build_dataset(config, "train" if "train" in config.DATASET else "test", model.input)
        self.count = min(count, len(self.dataset))

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Arrays]:
        for index in np.linspace(0, len(self.dataset) - 1, self.count).astype(int).tolist():
            yield {name: value[None] for name, value in self.dataset[index]["inputs"].items()}
