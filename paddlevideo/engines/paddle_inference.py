"""Paddle Inference, which needs nothing but Paddle."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import paddle

from paddlevideo.engines.base import Engine, Graph, Loaded, NetworkInput, contiguous
from paddlevideo.types import Arrays
from paddlevideo.utils.text_files import load_json


class PaddleInference(Engine):
    """Runs on the selected device; on a CPU with oneDNN, as far as the graph's settings let it."""

    name, package = "paddle", "paddle"
    formats: ClassVar = {"float32": "paddle"}
    on_gpu = True

    def start(self, graph: Graph, precision: str, threads: int | None) -> Loaded:
        """See `Engine`; settings are `onednn`, whether to use it, and `without_passes`, names of its optimisations.

        Raises:
            ValueError: files of another kind.
        """
        for key, suffix in (("model", ".json"), ("weights", ".pdiparams")):  # Paddle crashes on others
            if key not in graph.files or graph.files[key].suffix != suffix:
                raise ValueError(f"expected the {key} in a {suffix} file, got {graph.files.get(key)}")
        config = paddle.inference.Config(str(graph.files["model"]), str(graph.files["weights"]))
        config.disable_glog_info()
        device = paddle.device.get_device()
        if device.startswith("gpu"):
            config.enable_use_gpu(256, int(device.partition(":")[2] or 0))
        elif not graph.settings.get("onednn", True):
            config.disable_mkldnn()
        for name in graph.settings.get("without_passes", ()):
            config.delete_pass(name)
        if threads is not None:
            config.set_cpu_math_library_num_threads(threads)
        predictor = paddle.inference.create_predictor(config)
        handles = {name: predictor.get_input_handle(name) for name in predictor.get_input_names()}

        def run(inputs: Arrays) -> Arrays:
            for name, handle in handles.items():
                handle.copy_from_cpu(contiguous(inputs[name]))
            predictor.run()
            return graph.named([predictor.get_output_handle(k).copy_to_cpu() for k in predictor.get_output_names()])

        return Loaded(run, _inputs(graph.files["model"]), len(predictor.get_output_names()))


def _inputs(model: Path) -> list[NetworkInput]:
    """The inputs in a program of Paddle, which does not tell them."""
    program = load_json(model)["program"]
    found = []
    for operator in program["regions"][0]["blocks"][0]["ops"]:
        if operator["#"] == "1.data":
            facts = {attribute["N"]: attribute["AT"]["D"] for attribute in operator["A"]}
            found.append(NetworkInput([facts["name"]], [axis if axis > 0 else None for axis in facts["shape"][1:]]))
    return found
