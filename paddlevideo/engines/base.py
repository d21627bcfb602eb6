"""What every engine is asked: whether it can run a graph here, and to do so."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from paddlevideo.types import Arrays
from paddlevideo.utils.names import openable

Network = Callable[[Arrays], Arrays]  # inputs with a batch axis to decoded arrays


@dataclass(frozen=True)
class Graph:
    """A network in one format.

    Args:
        files: what its files are to the engine, such as model and weights; all in one folder.
        outputs: names of the outputs in the order of the graph, whose own names are lost.
        settings: what the exporter found out about running it.
    """

    files: Mapping[str, Path]
    outputs: Sequence[str]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def named(self, outputs: Sequence[npt.NDArray[Any]]) -> Arrays:
        """The outputs of one run by name."""
        return dict(zip(self.outputs, outputs, strict=True))


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
                network, count = self.start(replace(graph, files=files), precision, threads)
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
        return network

    @abstractmethod
    def start(self, graph: Graph, precision: str, threads: int | None) -> tuple[Network, int]:
        """What `load` gives, and how many outputs it has; may raise anything."""

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
