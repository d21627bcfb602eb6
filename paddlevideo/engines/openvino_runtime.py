"""OpenVINO on a CPU, in float32, bfloat16 and int8."""

from __future__ import annotations

import importlib
import sys
from typing import Any, ClassVar

from paddlevideo.engines.base import Engine, Graph, Network, contiguous
from paddlevideo.types import Arrays

HINTS = {"float32": "f32", "bf16": "bf16", "int8": "f32"}  # what is not quantised stays in float32


class OpenVINO(Engine):
    """Runs `model.xml`, in bfloat16 as well, and `model_int8.xml`."""

    name, package, extra = "openvino", "openvino", "openvino"
    formats: ClassVar = {"float32": "openvino", "bf16": "openvino", "int8": "openvino_int8"}

    def load(self, graph: Graph, precision: str, threads: int | None = None) -> Network:
        """See `Engine`."""
        openvino = import_quietly("openvino")
        options = {"INFERENCE_PRECISION_HINT": HINTS[precision], "PERFORMANCE_HINT": "LATENCY"}
        if threads is not None:
            options["INFERENCE_NUM_THREADS"] = str(threads)
        compiled = openvino.Core().compile_model(str(graph.files["model"]), "CPU", options)
        graph.check_outputs(len(compiled.outputs))
        request = compiled.create_infer_request()
        names = {name for item in compiled.inputs for name in item.get_names()}  # some inputs have several

        def run(inputs: Arrays) -> Arrays:
            arrays = {name: contiguous(value) for name, value in inputs.items() if name in names}
            results = request.infer(arrays, share_inputs=True)  # without a copy
            return graph.named([results[k] for k in range(len(graph.outputs))])

        return run

    def lacks(self, precision: str) -> str | None:
        """Bfloat16 on a CPU without instructions for it, where it would be slower than float32."""
        if precision != "bf16":
            return None
        if "BF16" not in import_quietly("openvino").Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            return "this CPU has no bfloat16 arithmetic (avx512_bf16 or amx_bf16); use float32 or int8"
        return None


def import_quietly(name: str) -> Any:
    """OpenVINO, or a package that is built on it, without the one by which they report their use to their makers.

    They do so whenever they are imported, from a fork of this process, but go without if that package is missing.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # to Python this means missing
    return importlib.import_module(name)
