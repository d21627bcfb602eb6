"""A network in the formats of all engines, each made from the one before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import paddle

from paddlevideo.engines import ENGINES, Graph, require
from paddlevideo.engines.openvino_runtime import core, import_quietly, in_own_thread
from paddlevideo.types import Arrays
from paddlevideo.utils.device import use_device
from paddlevideo.utils.files import to_json
from paddlevideo.utils.logging import logger
from paddlevideo.utils.process import in_own_process
from paddlevideo.utils.text_files import load_json

OPSET = 17
TOLERANCE = 1e-3  # relative to the largest absolute value of an output

# What is tried until Paddle Inference runs a graph right: its optimisations for oneDNN that are known to crash or to
# give wrong results in Paddle 3.3, left out; then no oneDNN.
FAULTY_PASSES = [
    "conv_activation_onednn_fuse_pass",  # leaky_relu after a 2-D convolution
    "shuffle_channel_detect_pass",  # takes space-to-depth for a channel shuffle
    "operator_reshape_onednn_fuse_pass",  # transpose and reshape before concat
]
SETTINGS: tuple[dict[str, Any], ...] = ({}, {"without_passes": FAULTY_PASSES}, {"onednn": False})


@dataclass(frozen=True)
class Difference:
    """How far an output is from the eager one: the largest, and that as a share of the largest absolute value."""

    output: str
    absolute: float
    relative: float


def differences(answer: Arrays, eager: Arrays) -> list[Difference]:
    """For every output of the eager network how far another's is from it; infinite where the shapes differ."""
    found = []
    for name, expected in eager.items():
        same = name in answer and answer[name].shape == expected.shape
        absolute = float(np.abs(answer[name] - expected).max()) if same else float("inf")
        found.append(Difference(name, absolute, absolute / max(float(np.abs(expected).max()), 1e-12)))
    return found


def check(found: list[Difference], setting: str) -> None:
    """Refuse a network that is not the eager one.

    Raises:
        RuntimeError: it differs by more than rounding; names the output and the difference.
    """
    for one in found:
        if not one.relative <= TOLERANCE:
            raise RuntimeError(f"exported {one.output} differs from eager by {one.relative:.1e} relative ({setting})")


def runnable(graph: Graph, inputs: Arrays, eager: Arrays) -> Graph:
    """Paddle's graph with the first of `SETTINGS` with which Paddle Inference gives the eager outputs.

    Raises:
        RuntimeError: it does with none; says what happened with the last one.
    """
    device = paddle.device.get_device()
    for settings in SETTINGS if device == "cpu" else SETTINGS[:1]:
        attempt = replace(graph, settings=settings)
        try:
            answer = in_own_process(run_once, "paddle", attempt, inputs, device)
            check(differences(answer, eager), f"Paddle Inference, settings {settings}")
            return attempt
        except RuntimeError as error:
            logger.warning("Paddle Inference cannot run this graph with settings %s: %s", settings, error)
            problem = error
    raise RuntimeError(f"Paddle Inference does not run this network; with the last settings tried, {problem}")


def run_once(engine: str, graph: Graph, inputs: Arrays, device: str) -> Arrays:
    """The outputs of a graph in float32."""
    use_device(device)
    return ENGINES[engine].load(graph, "float32")(inputs)


def to_onnx(graph: Graph, folder: Path) -> Graph:
    """`model.onnx` from Paddle's graph.

    Raises:
        ValueError: a package is missing.
        RuntimeError: the converter cannot; it may also end its process, so it has one of its own.
    """
    require("paddle2onnx", "onnx")
    target = folder / "model.onnx"
    try:
        in_own_process(_convert, graph.files["model"], graph.files["weights"], target)
    except RuntimeError as error:
        raise RuntimeError(f"paddle2onnx cannot convert this network: {error}") from error
    return Graph({"model": target}, graph.outputs)


def _convert(model: Path, weights: Path, target: Path) -> None:
    import paddle2onnx

    readable = target.with_name("readable.json")
    program = _single_precision_slopes(load_json(model))
    readable.write_text(to_json(program, str(model), only_ascii=True), encoding="utf-8")
    # "None" is the name of no optimizer; the default one installs packages without asking.
    paddle2onnx.export(str(readable), str(weights), str(target), opset_version=OPSET, optimize_tool="None")
    readable.unlink()


def _single_precision_slopes(program: Any) -> Any:
    """Paddle's program with the slopes of leaky_relu as float32; they are float64, which the converter takes wrong."""
    for region in program["program"]["regions"]:
        for operator in (operator for block in region["blocks"] for operator in block["ops"]):
            if operator["#"] == "1.leaky_relu":
                for attribute in operator["A"]:
                    if attribute["N"] == "negative_slope":
                        attribute["AT"]["#"] = "0.a_f32"
    return program


def to_openvino(graph: Graph, folder: Path) -> Graph:
    """`model.xml` and `model.bin` in float32 from the ONNX graph.

    Raises:
        ValueError: a package is missing.
    """
    require("openvino", "openvino")
    return save_openvino(core().read_model(str(graph.files["model"])), folder / "model.xml", graph.outputs)


def save_openvino(model: Any, path: Path, outputs: Any) -> Graph:
    """Write an OpenVINO model without rounding its weights."""
    import_quietly("openvino").save_model(model, str(path), compress_to_fp16=False)
    return Graph({"model": path, "weights": path.with_suffix(".bin")}, outputs)


class Clips(Protocol):
    """Network inputs with a batch axis that can be gone through several times."""

    def __len__(self) -> int:
        """How many there are."""

    def __iter__(self) -> Iterator[Arrays]:
        """Each of them."""


def to_int8(clips: Clips, graph: Graph, folder: Path) -> Graph:
    """`model_int8.xml` and `model_int8.bin` from the OpenVINO graph, by quantisation after training.

    Args:
        clips: what the ranges of activations are measured on.
        graph: in float32.
        folder: where to write.

    Raises:
        ValueError: a package is missing.
    """
    require("nncf", "int8")
    nncf, model = import_quietly("nncf"), core().read_model(str(graph.files["model"]))
    options = {"preset": nncf.QuantizationPreset.MIXED, "subset_size": len(clips)}
    quantized = in_own_thread(lambda: nncf.quantize(model, nncf.Dataset(clips), **options))  # has Cores of its own
    return save_openvino(quantized, folder / "model_int8.xml", graph.outputs)


CHAIN = ("paddle", "onnx", "openvino", "openvino_int8")


def write_graphs(wanted: list[str], folder: Path, trace: Callable[[Path], Graph], clips: Clips) -> dict[str, Graph]:
    """The wanted formats, and those that they are made from.

    Args:
        wanted: some of `CHAIN`.
        folder: where to write.
        trace: writes Paddle's graph into a folder.
        clips: for int8.
    """
    steps: dict[str, Callable[[Graph, Path], Graph]] = {
        "onnx": to_onnx,
        "openvino": to_openvino,
        "openvino_int8": partial(to_int8, clips),
    }
    graph = trace(folder)
    made = {CHAIN[0]: graph}
    for name in CHAIN[1 : max(map(CHAIN.index, wanted)) + 1]:
        logger.info("writing the %s graph", name)
        made[name] = graph = steps[name](graph, folder)
    return made
