"""A trained model to a folder that Paddle Inference runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import paddle
import yaml
from paddle import Tensor, nn

from paddlevideo.config import Config
from paddlevideo.modeling.models import VideoModel
from paddlevideo.tasks.checkpoint import load_weights
from paddlevideo.tasks.folding import fold_norms
from paddlevideo.tasks.parts import build_model
from paddlevideo.tasks.predictor import Network, eager_network, exported_network
from paddlevideo.types import Arrays, Tensors
from paddlevideo.utils.files import output_folder, write_atomically
from paddlevideo.utils.logging import logger

TOLERANCE = 1e-3  # relative to the largest absolute value of an output


class ExportGraph(nn.Layer):
    """The network with decoding, as it is traced."""

    def __init__(self, model: VideoModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: Tensors) -> list[Tensor]:
        """Named inputs to decoded outputs in the order of their sorted names, which the file format forgets."""
        decoded = self.model.decode(self.model(inputs))
        return [decoded[key] for key in sorted(decoded)]


def export_weights(config: Config, weights: str | Path, folder: str | Path) -> Path:
    """Export the model of a config with trained weights; see `export`."""
    model = build_model(config)
    load_weights(model, weights)
    return export(model, config, folder)


def export(model: VideoModel, config: Config, folder: str | Path) -> Path:
    """Write `model.json`, `model.pdiparams` and `inference.yaml`, and compare the result with the eager network.

    Args:
        model: with trained weights.
        config: the run's.
        folder: where to write.

    Raises:
        PermissionError: the folder cannot be written.
        RuntimeError: the exported network answers otherwise than the eager one.
    """
    folder = output_folder(folder)
    model.eval()
    inputs = probe(model)
    eager = eager_network(model)(inputs)
    spec: Any = {
        name: paddle.static.InputSpec([None, *item.shape], item.dtype, name)
        for name, item in model.input.spec().items()
    }
    static = paddle.jit.to_static(ExportGraph(fold_norms(model, inputs)), input_spec=[spec], full_graph=True)
    (folder / "inference.yaml").unlink(missing_ok=True)  # so that a failed export is not taken for a good one
    paddle.jit.save(static, str(folder / "model"))
    facts = {
        "model": "model.json",
        "weights": "model.pdiparams",
        "outputs": sorted(eager),
        "causal": model.input.causal,
        "inputs": {name: list(value.shape[1:]) for name, value in inputs.items()},
        "input": dict(config.MODEL["input"]),
        "postprocess": dict(config.MODEL["postprocess"]),
        "pipeline": dict(config.PIPELINE["test"]),
        "source": dict(config.INFERENCE),
        "classes": list(config.classes),
    }
    switches = (True, False) if paddle.device.get_device() == "cpu" else (False,)
    for onednn in switches:
        compare(exported_network(folder, facts, onednn), inputs, eager, f"oneDNN {'on' if onednn else 'off'}")
    text = yaml.safe_dump(facts, sort_keys=False, allow_unicode=True)
    write_atomically(folder / "inference.yaml", lambda file: file.write_text(text, encoding="utf-8"))
    logger.info("exported to %s", folder)
    return folder


def probe(model: VideoModel) -> Arrays:
    """A made-up batch of one that fits the model's input spec."""
    rng = np.random.default_rng(0)
    return {
        name: rng.random((1, *(axis or 1 for axis in item.shape))).astype(item.dtype)
        for name, item in model.input.spec().items()
    }


def compare(network: Network, inputs: Arrays, eager: Arrays, setting: str) -> None:
    """Check that an exported network gives the eager outputs.

    Raises:
        RuntimeError: it does not; names the output and the difference.
    """
    exported = network(inputs)
    for name, expected in eager.items():
        if exported[name].shape != expected.shape:
            raise RuntimeError(f"exported {name} ({setting}) is {exported[name].shape}, eager {expected.shape}")
        difference = float(np.abs(exported[name] - expected).max() / max(np.abs(expected).max(), 1e-12))
        logger.info("export: %s, %s: relative difference to eager %.1e", name, setting, difference)
        if not difference <= TOLERANCE:
            raise RuntimeError(f"exported {name} differs from eager by {difference:.1e} relative ({setting})")
