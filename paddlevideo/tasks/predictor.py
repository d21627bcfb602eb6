"""Samples to predictions, with a network that Paddle runs eagerly or one that was exported."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import paddle

from paddlevideo.config import Config, read_yaml
from paddlevideo.loader.live import FrameStream
from paddlevideo.modeling.models import InputTransform, Postprocess, VideoModel
from paddlevideo.registry import DATASETS, INPUTS, POSTPROCESS
from paddlevideo.tasks.checkpoint import load_weights
from paddlevideo.tasks.parts import build_model, build_pipeline
from paddlevideo.types import Arrays, Meta, Node, Prediction, Sample, Tensors
from paddlevideo.utils.cpu import use_onednn

Network = Callable[[Arrays], Arrays]  # inputs with a batch axis to decoded arrays


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


def exported_network(folder: Path, facts: dict[str, Any], onednn: bool = True, threads: int | None = None) -> Network:
    """The network of an export folder, run by Paddle Inference on the selected device.

    Args:
        folder: written by the exporter.
        facts: content of its `inference.yaml`.
        onednn: whether oneDNN may be used, on a CPU.
        threads: on a CPU; None leaves the choice to Paddle.
    """
    config = paddle.inference.Config(str(folder / facts["model"]), str(folder / facts["weights"]))
    config.disable_glog_info()
    device = paddle.device.get_device()
    if device.startswith("gpu"):
        config.enable_use_gpu(256, int(device.partition(":")[2] or 0))
    elif not onednn:
        config.disable_mkldnn()
    if threads is not None:
        config.set_cpu_math_library_num_threads(threads)
    engine = paddle.inference.create_predictor(config)
    if len(facts["outputs"]) != len(engine.get_output_names()):
        raise ValueError(
            f"{folder}: inference.yaml names {len(facts['outputs'])} outputs, the network has "
            f"{len(engine.get_output_names())}; export the model again"
        )
    handles = {name: engine.get_input_handle(name) for name in engine.get_input_names()}

    def run(inputs: Arrays) -> Arrays:
        for name, handle in handles.items():
            handle.copy_from_cpu(np.ascontiguousarray(np.asarray(inputs[name])))
        engine.run()
        outputs = [engine.get_output_handle(name).copy_to_cpu() for name in engine.get_output_names()]
        return dict(zip(facts["outputs"], outputs, strict=True))

    return run


class Predictor:
    """A network with what stands before and after it.

    Args:
        network: inputs with a batch axis to decoded arrays.
        input: frames to network inputs.
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
    def from_export(cls, folder: str | Path, onednn: bool = True, threads: int | None = None) -> Predictor:
        """The network of an export folder.

        Raises:
            FileNotFoundError: the folder or one of its files is missing.
            ValueError: `inference.yaml` was not written by the exporter.
        """
        folder = Path(folder)
        facts = read_facts(folder)
        _check_causal(facts["causal"])
        return cls(
            exported_network(folder, facts, onednn, threads),
            INPUTS.build(facts["input"]),
            POSTPROCESS.build(facts["postprocess"]),
            facts["pipeline"],
            facts["source"],
            facts["classes"],
        )

    def open(self, stream: FrameStream, stride: int = 1) -> Iterable[Sample]:
        """A sample for every frame of a stream; every `stride`-th has packed `inputs` for this network.

        Raises:
            ValueError: the network is not causal.
        """
        _check_causal(self.input.causal)
        parts = build_pipeline(self.pipeline, self.input)
        samples: Iterable[Sample] = DATASETS.build(self.source, stream=stream, stride=stride, **parts)
        return samples

    def batch(self, inputs: Arrays | Tensors, meta: list[Meta]) -> list[Prediction]:
        """Predictions for inputs that have a batch axis."""
        decoded = self.network(inputs)
        try:
            return self.postprocess(decoded, meta)
        except KeyError as error:
            raise KeyError(
                f"postprocess {type(self.postprocess).__name__} needs the output {error}, the network has "
                f"{', '.join(decoded)}; export the model again"
            ) from error


def _check_causal(causal: bool) -> None:
    """Refuse to predict a video frame by frame with a network that also needs what comes later."""
    if not causal:
        raise ValueError(
            "this model is not causal: it answers with features of the whole video, extracted beforehand, so it cannot "
            "run on a file or stream; measure it with main.py --test, or predict with a model without context"
        )


FACTS = {
    "causal": bool,
    "model": str,
    "weights": str,
    "outputs": list,
    "input": dict,
    "postprocess": dict,
    "pipeline": dict,
    "source": dict,
    "classes": list,
}


def read_facts(folder: Path) -> dict[str, Any]:
    """The checked content of an export folder's `inference.yaml`.

    Raises:
        FileNotFoundError: the file, or one that it names, is missing.
        ValueError: a fact is missing or of the wrong type, or names a file outside the folder.
    """
    path = folder / "inference.yaml"
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; write it with tools/export_model.py")
    facts = read_yaml(path)
    for key, kind in FACTS.items():
        if not isinstance(facts, dict) or not isinstance(facts.get(key), kind):
            raise ValueError(f"{path}: {key} should be a {kind.__name__}; export the model again")
    for key in ("outputs", "classes"):
        if not all(isinstance(name, str) for name in facts[key]):
            raise ValueError(f"{path}: {key} should be a list of names, got {facts[key]}; export the model again")
    for key, suffix in (("model", ".json"), ("weights", ".pdiparams")):  # Paddle crashes on other kinds of files
        if Path(facts[key]).name != facts[key] or Path(facts[key]).suffix != suffix:
            raise ValueError(f"{path}: {key} should be the name of a {suffix} file in this folder, got {facts[key]!r}")
        if not (folder / facts[key]).is_file():
            raise FileNotFoundError(f"{folder / facts[key]}: no such file; export the model again")
    checked: dict[str, Any] = facts
    return checked
