"""What every engine is asked: whether it can run a graph here, and to do so."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from paddlevideo.types import Arrays
from paddlevideo.utils.names import openable

Network = Callable[[Arrays], Arrays]  # inputs with a batch axis to decoded arrays


class Settings(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What the exporter found out about running a graph in Paddle Inference.

    Args:
        onednn: whether to use it.
        without_passes: names of optimisations that are left out.
    """

    onednn: bool = True
    without_passes: list[str] = []


@dataclass(frozen=True)
class Graph:
    """A network in one format.

    Args:
        files: what its files are to the engine, such as model and weights; all in one folder.
        outputs: names of the outputs in the order of the graph, whose own names are lost.
        settings: those of `Settings` that are not its defaults.
        inputs: shapes that it will be given, without the batch axis, None for any length; None if that is not known.
    """

    files: Mapping[str, Path]
    outputs: Sequence[str]
    settings: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Sequence[int | None]] | None = None

    def named(self, outputs: Sequence[npt.NDArray[Any]]) -> Arrays:
        """The outputs of one run by name."""
        return dict(zip(self.outputs, outputs, strict=True))

    def check_inputs(self, inputs: Sequence[NetworkInput]) -> None:
        """Refuse to be given other inputs than those of the network, before there is room made for them.

        Raises:
            ValueError: names the first one.
        """
        if self.inputs is None:
            return
        for found in inputs:
            name = next((name for name in found.names if name in self.inputs), None)
            given = None if name is None else list(self.inputs[name])
            if given is None or len(given) != len(found.shape) or not all(map(_agree, given, found.shape)):
                raise ValueError(
                    f"{self.files['model']}: the network has an input {name or found.names[0]} {list(found.shape)}, "
                    f"inference.yaml makes it {given or ', '.join(self.inputs)}; put it back, or export the model again"
                )


def _agree(given: int | None, own: int | None) -> bool:
    return given is None or own is None or given == own


class NetworkInput(NamedTuple):
    """An input of a network: the names that it goes by, and its shape without the batch axis, None for any length."""

    names: Sequence[str]
    shape: Sequence[int | None]


class Loaded(NamedTuple):
    """A network, its inputs, and how many outputs it has."""

    network: Network
    inputs: Sequence[NetworkInput]
    outputs: int


class Engine(ABC):
    """A program that runs exported graphs."""

    name: ClassVar[str]
    package: ClassVar[str]  # that has to be installed
    extra: ClassVar[str] = ""  # of `pip install`, which brings it
    formats: ClassVar[Mapping[str, str]]  # for each precision that it has, the format of the graph
    on_gpu: ClassVar[bool] = False

    def load(self, graph: Graph, precision: str, threads: int | None = None) -> Network:
        """The network of a graph; not to be shared between threads.

        Args:
            graph: of the format that the precision needs.
            precision: one of `formats`.
            threads: on a CPU; None leaves the choice to the engine.

        Raises:
            ValueError: the graph is damaged, or not what `inference.yaml` says.
        """
        try:
            with openable(graph.files["model"].parent) as place:
                files = {key: Path(place) / path.name for key, path in graph.files.items()}
                network, inputs, count = self.start(replace(graph, files=files), precision, threads)
        except Exception as error:  # each has its own
            lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [repr(error)]
            raise ValueError(
                f"{graph.files['model']}: {self.name} cannot load it ({lines[-1]}); export the model again"
            ) from error
        if len(graph.outputs) != count:
            raise ValueError(
                f"{graph.files['model']}: inference.yaml names {len(graph.outputs)} outputs, the network has {count}; "
                "export the model again"
            )
        graph.check_inputs(inputs)
        return network

    @abstractmethod
    def start(self, graph: Graph, precision: str, threads: int | None) -> Loaded:
        """What `load` gives, with what it knows of itself; may raise anything."""

    def lacks(self, precision: str) -> str | None:
        """What this machine does not have for one of the engine's precisions, or None."""
        return None


def require(package: str, extra: str) -> None:
    """Check that an optional package is there.

    Raises:
        ValueError: it is not; the message says how to install it.
    """
    if find_spec(package) is None:
        raise ValueError(missing(package, extra))


def missing(package: str, extra: str) -> str:
    """How to get an optional package."""
    return f"the package {package} is not installed; install it from this repository: pip install -e '.[{extra}]'"


def contiguous(value: Any) -> npt.NDArray[Any]:
    """An array or tensor as engines want it."""
    return np.ascontiguousarray(np.asarray(value))
