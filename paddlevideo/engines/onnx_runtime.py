"""ONNX Runtime on a CPU."""

from __future__ import annotations

from typing import ClassVar

from paddlevideo.engines.base import Engine, Graph, Loaded, NetworkInput, contiguous
from paddlevideo.types import Arrays

ERRORS_ONLY = 3  # of its levels of logging; it warns of every constant that it can do without


class ONNXRuntime(Engine):
    """Runs `model.onnx`."""

    name, package, extra = "onnxruntime", "onnxruntime", "onnx"
    formats: ClassVar = {"float32": "onnx"}

    def start(self, graph: Graph, precision: str, threads: int | None) -> Loaded:
        """See `Engine`."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = ERRORS_ONLY
        if threads is not None:
            options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(str(graph.files["model"]), options, providers=["CPUExecutionProvider"])
        names = [item.name for item in session.get_inputs()]

        def run(inputs: Arrays) -> Arrays:
            return graph.named(session.run(None, {name: contiguous(inputs[name]) for name in names}))

        inputs = [
            NetworkInput([item.name], [axis if isinstance(axis, int) else None for axis in item.shape[1:]])
            for item in session.get_inputs()
        ]
        return Loaded(run, inputs, len(session.get_outputs()))
