"""The network as VisualDL draws it.

VisualDL 2.5 reads the programs of Paddle 2 (`.pdmodel`), which Paddle 3.3 does not write unless it is started with
FLAGS_enable_pir_api=0, and then it cannot trace a product of matrices. So a program of Paddle 3 is shown to VisualDL
through the methods that it asks a program of Paddle 2 for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast
from unittest import mock

import paddle
from paddle import nn
from paddle.framework import core

from paddlevideo.modeling.models import VideoModel
from paddlevideo.tasks.exporter import ExportGraph, input_specs
from paddlevideo.utils.files import to_json, write_text

Span = tuple[str, int, int]  # a layer's name, and the first of its operators in a program and that behind its last
FILE = "vdlgraph.0000000000.log"  # VisualDL looks for names like this one
UNTOLD = ("op_callstack", "struct_name", "stop_gradient")  # of what is known of an operator
UNSEEN = ("builtin.parameter", "builtin.constant", "pd_op.full", "pd_op.full_int_array")  # shown with what takes them


def write_graph(model: VideoModel, folder: Path) -> None:
    """Write the layers and operators of a model, with decoding, into a folder of VisualDL."""
    from visualdl.component.graph.graph_component import analyse_model  # its import takes seconds

    names = {parameter.name: name for name, parameter in model.named_parameters()}
    program = _Program(*_trace(model), names)
    with mock.patch.object(core, "ProgramDesc", lambda program: program):
        drawn = analyse_model(program)
    write_text(folder / FILE, to_json(drawn, str(folder / FILE), only_ascii=True))


def _trace(model: VideoModel) -> tuple[Any, list[Span]]:
    """A program of the model as it answers, and which layer has which of its operators; inner layers after outer."""
    was_training = model.training
    model.eval()
    with _spans(model) as spans:
        traced: Any = paddle.jit.to_static(
            ExportGraph(model), input_spec=[input_specs(model.input.spec())], full_graph=True
        )
        program = traced.forward.concrete_program.main_program
    if was_training:
        model.train()
    return program, spans


@contextmanager
def _spans(model: nn.Layer) -> Iterator[list[Span]]:
    """Notes the operators of each layer while a program is made."""
    found: list[Span] = []
    begun: list[int] = []

    def before(name: str) -> Any:
        def note(*_: object) -> None:
            begun.append(len(found))
            found.append((name, _count(), 0))

        return note

    def after(*_: object) -> None:
        number = begun.pop()
        found[number] = (*found[number][:2], _count())

    hooks, note_end = [], cast(Any, after)
    for name, layer in model.named_sublayers():
        hooks += [layer.register_forward_pre_hook(before(name)), layer.register_forward_post_hook(note_end)]
    yield found
    for hook in hooks:
        hook.remove()


def _count() -> int:
    return len(paddle.static.default_main_program().global_block().ops)


class _Program:
    """A program and its only block, as VisualDL asks for them; parameters and constants are values without a maker."""

    def __init__(self, program: Any, spans: list[Span], parameters: dict[str, str]) -> None:
        self.program = program  # operators are gone with it
        operators = program.global_block().ops
        scopes = [""] * len(operators)
        for name, first, end in spans:
            scopes[first:end] = [name] * (end - first)
        self.variables: dict[str, _Variable] = {}  # by the identity of the value
        self.operators: list[_Operator] = []
        for number, (operator, scope) in enumerate(zip(operators, scopes, strict=True)):
            for place, result in enumerate(operator.results()):
                name = f"{_kind(operator)}_{number}.{place}"
                if operator.name() == "builtin.parameter":
                    name = parameters.get(result.name, result.name)
                self.variables[result.id] = _Variable(name, result)
            if operator.name() not in UNSEEN:
                self.operators.append(_Operator(operator, scope, self.variables))

    def num_blocks(self) -> int:
        return 1

    def block(self, _: int) -> _Program:
        return self

    def all_vars(self) -> list[_Variable]:
        return list(self.variables.values())

    def op_size(self) -> int:
        return len(self.operators)

    def op(self, number: int) -> _Operator:
        return self.operators[number]


class _Variable:
    def __init__(self, name: str, value: Any) -> None:
        self._name, self.value = name, value

    def name(self) -> str:
        return self._name

    def shape(self) -> list[int]:
        return list(self.value.shape)

    def type(self) -> str:
        return "DENSE_TENSOR"

    def dtype(self) -> str:
        return str(self.value.dtype)

    def persistable(self) -> bool:
        return bool(self.value.persistable)

    def attr_names(self) -> list[str]:
        return []


class _Operator:
    def __init__(self, operator: Any, scope: str, variables: dict[str, _Variable]) -> None:
        self.operator, self.variables = operator, variables
        self.settings = {key: str(value) for key, value in operator.attrs().items() if key not in UNTOLD}
        self.settings["op_namescope"] = "/" + "".join(f"{part}/" for part in scope.split(".") if part)

    def type(self) -> str:
        return _kind(self.operator)

    def inputs(self) -> dict[str, list[str]]:
        return {"X": self._names(self.operator.operands_source())}

    def outputs(self) -> dict[str, list[str]]:
        return {"Out": self._names(self.operator.results())}

    def attr_names(self) -> list[str]:
        return list(self.settings)

    def attr(self, name: str) -> str:
        return self.settings[name]

    def attr_type(self, _: str) -> Any:
        return core.AttrType.STRING

    def _names(self, values: list[Any]) -> list[str]:
        return [self.variables[value.id].name() for value in values if value.initialized()]  # one may be left out


def _kind(operator: Any) -> str:
    """The name of an operator without that of its dialect."""
    return operator.name().rpartition(".")[2]
