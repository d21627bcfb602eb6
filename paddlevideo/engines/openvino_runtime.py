"""OpenVINO on a CPU, in float32, bfloat16 and int8."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar, TypeVar

from paddlevideo.engines.base import Engine, Graph, Loaded, NetworkInput, contiguous
from paddlevideo.types import Arrays

T = TypeVar("T")
CAPABILITIES = "OPTIMIZATION_CAPABILITIES"  # of a device
HINTS = {"float32": "f32", "bf16": "bf16", "int8": "f32"}  # what is not quantised stays in float32


class OpenVINO(Engine):
    """Runs `model.xml`, in bfloat16 as well, and `model_int8.xml`."""

    name, package, extra = "openvino", "openvino", "openvino"
    formats: ClassVar = {"float32": "openvino", "bf16": "openvino", "int8": "openvino_int8"}

    def start(self, graph: Graph, precision: str, threads: int | None) -> Loaded:
        """See `Engine`."""
        options = {"INFERENCE_PRECISION_HINT": HINTS[precision], "PERFORMANCE_HINT": "LATENCY"}
        if threads is not None:
            options["INFERENCE_NUM_THREADS"] = str(threads)
        compiled = core().compile_model(str(graph.files["model"]), "CPU", options)
        request = compiled.create_infer_request()
        names = {name for item in compiled.inputs for name in item.get_names()}  # some inputs have several

        def run(inputs: Arrays) -> Arrays:
            arrays = {name: contiguous(value) for name, value in inputs.items() if name in names}
            results = request.infer(arrays, share_inputs=True)  # without a copy
            return graph.named([results[k] for k in range(len(graph.outputs))])

        inputs = [
            NetworkInput(
                sorted(item.get_names()),
                [axis.get_length() if axis.is_static else None for axis in list(item.partial_shape)[1:]],
            )
            for item in compiled.inputs
        ]
        return Loaded(run, inputs, len(compiled.outputs))

    def lacks(self, precision: str) -> str | None:
        """Bfloat16 on a CPU without instructions for it, where it would be slower than float32."""
        if precision != "bf16":
            return None
        if "BF16" not in core().get_property("CPU", CAPABILITIES):
            return "this CPU has no bfloat16 arithmetic (avx512_bf16 or amx_bf16); use float32 or int8"
        return None


@functools.cache
def core() -> Any:
    """The process's one `openvino.Core`; with a second one, this process could die of its next signal."""
    return in_own_thread(_make_core)


def _make_core() -> Any:
    made = import_quietly("openvino").Core()
    made.get_property("CPU", CAPABILITIES)  # brings the plugin for the CPU into this thread
    return made


def in_own_thread(function: Callable[[], T]) -> T:
    """Call a function that makes an `openvino.Core`.

    Its plugin for the CPU gives the thread that it begins in another stack for signal handlers, and at its end puts
    back the one before. If that belonged to another Core, which is gone, the memory is too, and a thread that goes on
    crashes at the next signal that Python handles: Ctrl-C, or the end of a child process.
    """
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(function).result()


def import_quietly(name: str) -> Any:
    """OpenVINO, or a package that is built on it, without the one by which they report their use to their makers.

    They do so whenever they are imported, from a fork of this process, but go without if that package is missing.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # to Python this means missing
    return importlib.import_module(name)
