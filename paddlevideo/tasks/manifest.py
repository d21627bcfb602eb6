"""`inference.yaml` of an export folder: which graphs there are, and what stands before and after them.

This is the one place that writes and reads it. The file may come from anywhere, so all of it is read through the
structures below.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import msgspec
import yaml
from msgspec import Meta, Struct

from paddlevideo.config import check_leaves, read_yaml
from paddlevideo.engines import Graph, Settings
from paddlevideo.modeling.models import InputTransform
from paddlevideo.tasks.sliding import sliding_inputs
from paddlevideo.types import Node
from paddlevideo.utils.files import write_text
from paddlevideo.utils.typed import typed

FILE = "inference.yaml"
REMEDY = "put it back, or export the model again"

Size = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Names = Annotated[list[str], Meta(min_length=1)]
Shape = Annotated[list[Size], Meta(min_length=1)]


class Files(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Names of files in the folder."""

    model: str
    weights: str | None = None


class GraphFacts(Struct, forbid_unknown_fields=True):
    """A network in one format."""

    files: Files
    settings: Settings = msgspec.field(default_factory=Settings)


Graphs = Annotated[dict[str, GraphFacts], Meta(min_length=1)]


class ReuseFacts(Struct, forbid_unknown_fields=True):
    """A network for clips that move on, in the folder `reuse`; `maps` are `[C, 1 + T - 2P, H', W']`, see `Sliding`."""

    graphs: Graphs
    outputs: Names
    maps: Annotated[list[Size], Meta(min_length=4, max_length=4)]


class Manifest(Struct, forbid_unknown_fields=True, kw_only=True):
    """The content of the file.

    Args:
        graphs: by format.
        outputs: their names in the order of the graph, which is that of the alphabet.
        reuse: if there is such a network.
        causal: whether a frame is predicted from those up to it.
        inputs: shapes without the batch axis, 1 for any length; older files do not tell.
        num_classes: that the network was trained for; older files do not tell.
        input: node of the input transform.
        postprocess: node of the postprocess.
        pipeline: the config's `PIPELINE.test`.
        source: the config's `INFERENCE`.
        classes: names.
        plugins: modules that the parts come from.
    """

    graphs: Graphs
    outputs: Names
    reuse: ReuseFacts | None = None
    causal: bool
    inputs: dict[str, Shape] | None = None
    num_classes: Annotated[int, Meta(ge=0)] | None = None
    input: Node
    postprocess: Node
    pipeline: Node
    source: Node
    classes: list[str]
    plugins: list[str] = []


class _Part(Struct):
    """What every node of a part has; its other keys are checked by what it builds."""

    name: str


class _Pipeline(Struct, forbid_unknown_fields=True):
    transform: list[_Part] = []
    sample: _Part | msgspec.UnsetType = msgspec.UNSET


NODES: dict[str, type[Struct]] = {"input": _Part, "postprocess": _Part, "source": _Part, "pipeline": _Pipeline}


def write_facts(folder: Path, facts: Manifest) -> None:
    """Write the file, the last one of an export."""
    text = yaml.safe_dump(msgspec.to_builtins(facts), sort_keys=False, allow_unicode=True)
    write_text(folder / FILE, text)


def read_facts(folder: Path) -> Manifest:
    """The checked content of the file; that it fits the network is seen when that is loaded, see `read_graphs`.

    Raises:
        FileNotFoundError: the file is missing.
        ValueError: a key is missing, unknown, of another type or out of range; names file and key.
    """
    path = folder / FILE
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; write it with tools/export_model.py")
    content = read_yaml(path)
    if isinstance(content, dict) and "graphs" not in content and "model" in content:  # Paddle's was the only format
        files = {key: content.pop(key) for key in ("model", "weights") if key in content}
        content["graphs"] = {"paddle": {"files": files}}
    check_leaves(content, path)
    facts = typed(content, Manifest, str(path), REMEDY)
    for key, kind in NODES.items():
        if key == "source" and not facts.source:
            continue  # of a config without INFERENCE, which can be measured but not run on a user's files
        typed(getattr(facts, key), kind, f"{path}: {key}", REMEDY)
    _check_names(path, "classes", facts.classes)
    for where, owner in (("outputs", facts), ("reuse.outputs", facts.reuse)):
        if owner is not None and owner.outputs != sorted(owner.outputs):
            raise ValueError(f"{path}: {where} should be in the order of the alphabet, got {owner.outputs}; {REMEDY}")
        _check_names(path, where, [] if owner is None else owner.outputs)
    if facts.reuse is not None and "maps" not in facts.reuse.outputs:
        raise ValueError(f"{path}: reuse.outputs should have maps among them, got {facts.reuse.outputs}; {REMEDY}")
    return facts


def _check_names(path: Path, key: str, names: list[str]) -> None:
    twice = next((name for number, name in enumerate(names) if name in names[:number]), None)
    if twice is not None:
        raise ValueError(f"{path}: {key} has {twice[:100]!r} twice; {REMEDY}")


@contextmanager
def part_of(folder: Path, key: str) -> Iterator[None]:
    """Says of errors in what a node describes that they are about this key of the file.

    Raises:
        ValueError: instead of any error that building a part documents.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        text = error.args[0] if isinstance(error, KeyError) and error.args else error
        raise ValueError(f"{folder / FILE}: {key}: {text}; {REMEDY}") from error


def graph_facts(graphs: Mapping[str, Graph]) -> dict[str, GraphFacts]:
    """What the file says of a network in several formats."""
    return {
        name: GraphFacts(
            Files(**{key: path.name for key, path in graph.files.items()}), msgspec.convert(graph.settings, Settings)
        )
        for name, graph in graphs.items()
    }


def read_graphs(
    folder: Path, facts: Manifest, inputs: Mapping[str, Sequence[int | None]] | None = None
) -> dict[str, Graph]:
    """The graphs of an export folder by format.

    Args:
        folder: of the export.
        facts: what its file says.
        inputs: shapes without the batch axis that the network will be given; an engine compares them with its own.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file is not in the folder.
    """
    return _graphs(folder / FILE, folder, "graphs", facts, inputs)


def read_sliding(
    folder: Path, facts: Manifest, inputs: Mapping[str, Sequence[int | None]] | None = None
) -> dict[str, Graph]:
    """The graphs of an export folder for clips that move on, by format; see `read_graphs`."""
    if facts.reuse is None:
        return {}
    if inputs is not None and len(inputs) != 1:
        raise ValueError(f"{folder / FILE}: reuse is for networks with one input, got {', '.join(inputs)}; {REMEDY}")
    given = None if inputs is None else sliding_inputs(next(iter(inputs.values())), facts.reuse.maps)
    return _graphs(folder / FILE, folder / "reuse", "reuse.graphs", facts.reuse, given)


def _graphs(
    path: Path, folder: Path, key: str, facts: Manifest | ReuseFacts, inputs: Mapping[str, Sequence[int | None]] | None
) -> dict[str, Graph]:
    graphs = {}
    for name, graph in facts.graphs.items():
        files: dict[str, str] = msgspec.to_builtins(graph.files)
        for kind, file in files.items():
            if Path(file).name != file or not file.isprintable():
                raise ValueError(
                    f"{path}: {key}.{name}.files.{kind} should be a file name in this folder, got {file[:100]!r}; "
                    f"{REMEDY}"
                )
            if not (folder / file).is_file():
                raise FileNotFoundError(f"{folder / file}: no such file; export the model again")
        paths = {kind: folder / file for kind, file in files.items()}
        graphs[name] = Graph(paths, facts.outputs, msgspec.to_builtins(graph.settings), inputs)
    return graphs


def sizes_of(input: InputTransform) -> dict[str, list[int]]:
    """What the file says of a network's inputs: their shapes without the batch axis, 1 for any length."""
    return {name: [axis or 1 for axis in item.shape] for name, item in input.spec().items()}


def check_fit(folder: Path, facts: Manifest, input: InputTransform) -> None:
    """Refuse settings with which the network would be given, or understood as, something else than it was trained for.

    Raises:
        ValueError: says which.
    """
    found: dict[str, Any] = {"inputs": sizes_of(input), "num_classes": len(facts.classes)}
    for what, is_now in found.items():
        known: Any = getattr(facts, what)
        if known is not None and known != is_now:
            raise ValueError(
                f"{folder / FILE}: the network was exported for {what} {known}, what else stands there makes it "
                f"{is_now}; {REMEDY}"
            )
