"""The file of detections that a test writes: JSON lines, a header and then one sample a line.

    {"format": "action-detections", "version": 1, "classes": ["Basketball", ...]}
    {"id": "Biking/v_1/00012", "size": [240, 320], "num_frames": 41, "boxes": [[...], ...], "labels": [...], ...}

A sample is its meta (`id`, `size` as height and width, `num_frames`: annotated frames of its video) and its prediction:
`boxes [K, 4]` x1, y1, x2, y2 as fractions of the frame, `labels [K]` from 0, `scores [K]`, and where the postprocess
gives them `objectness [K]` and `probabilities [K, C]` of all classes. All samples of a file have the same keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from paddlevideo.loader.index import MAX_COUNT, are_counts
from paddlevideo.tasks.result_file import ResultFile, Sink
from paddlevideo.types import Meta, Prediction
from paddlevideo.utils.collector import collector_paused
from paddlevideo.utils.files import read_json_lines, replacing, to_json
from paddlevideo.utils.names import broken_rule, check_text

FORMAT, VERSION = "action-detections", 1
REMEDY = "write the file anew with main.py --test"
_META = ("id", "size", "num_frames")
_REQUIRED, _OPTIONAL = ("boxes", "labels", "scores"), ("objectness", "probabilities")


@contextmanager
def detection_writer(path: Path, classes: Sequence[str]) -> Iterator[Sink]:
    """What writes a sample to a new file, which is at its place when the context ends without an error.

    Of meta and prediction the writer takes what the format has, see the top of this file.

    Raises:
        ValueError: a prediction is not finite.
    """
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:

        def write(meta: Meta, prediction: Prediction) -> None:
            columns = {key: _plain(prediction[key]) for key in (*_REQUIRED, *_OPTIONAL) if key in prediction}
            try:
                text = to_json({key: meta[key] for key in _META} | columns, meta["id"])
            except ValueError as error:
                raise ValueError(f"{meta['id']}: prediction should be finite ({error}); check the weights") from error
            file.write(text + "\n")

        header = {"format": FORMAT, "version": VERSION, "classes": list(classes)}
        file.write(to_json(header, str(path)) + "\n")
        yield write


def _plain(array: npt.NDArray[Any]) -> list[Any]:
    """Numbers for JSON; nine digits tell every float32 from its neighbours."""
    rounded = np.char.mod("%.9g", array).astype(np.float64) if array.dtype.kind == "f" else array
    plain: list[Any] = rounded.tolist()
    return plain


def read_detections(path: str | Path) -> ResultFile:
    """Read and check a file of detections; floats are float32.

    Raises:
        FileNotFoundError: no such file; the message says how to make one.
        ValueError: a line that is not as described at the top, or a sample twice; names file and line.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file of detections; main.py --test writes it to output_dir/test")
    with collector_paused():
        return _read(path)


def _read(path: Path) -> ResultFile:
    classes: tuple[str, ...] = ()
    first_seen: dict[str, int] = {}
    samples: list[tuple[Meta, Prediction]] = []
    expected: set[str] = set()
    for number, nodes in read_json_lines(path, REMEDY):
        if number == 1:
            classes = _check_header(nodes.pop(0), f"{path}:1")
        chunk = _Chunk(path, max(number, 2), nodes)
        if nodes:
            expected = expected or _keys(chunk.where(0), nodes[0])
            samples += _samples(chunk, expected, first_seen, len(classes))
    if not classes:
        _check_header(None, f"{path}:1")
    return ResultFile(classes, samples)


@dataclass(frozen=True)
class _Chunk:
    """Some lines of a file that follow each other, without the header."""

    path: Path
    first: int  # number of the first line
    nodes: list[Any]

    def where(self, index: int) -> str:
        """File and line of a node."""
        return f"{self.path}:{self.first + index}"

    def bounds(self) -> list[int]:
        """Where the rows of each line begin among those of all lines, and where the last ones end."""
        return list(accumulate((len(node["labels"]) for node in self.nodes), initial=0))

    def row(self, number: int) -> str:
        """Line, sample and detection that a row of the whole chunk is."""
        bounds = self.bounds()
        index = int(np.searchsorted(bounds, number, side="right")) - 1
        return f"{self.where(index)}: {self.nodes[index]['id']}: detection {number - bounds[index] + 1}"


def _samples(
    chunk: _Chunk, expected: set[str], first_seen: dict[str, int], num_classes: int
) -> Iterator[tuple[Meta, Prediction]]:
    """Check the lines of a chunk and take them apart."""
    if _fault(chunk.nodes, expected):
        faults = ((index, _fault([node], expected)) for index, node in enumerate(chunk.nodes))
        index, fault = next((index, fault) for index, fault in faults if fault)
        raise ValueError(f"{chunk.where(index)}: {fault}; {REMEDY}")
    for number, node in enumerate(chunk.nodes, chunk.first):
        if first_seen.setdefault(node["id"], number) != number:
            earlier = f"{chunk.path}:{first_seen[node['id']]}"
            raise ValueError(f"{chunk.path}:{number}: sample {node['id']} is in {earlier} already; remove one")
    shapes: dict[str, tuple[int, ...]] = {"boxes": (4,), "probabilities": (num_classes,)}
    columns = {key: _column(chunk, key, shapes.get(key, ())) for key in sorted(expected.difference(_META))}
    _check_labels(chunk, columns["labels"], num_classes)
    for node, (start, stop) in zip(chunk.nodes, pairwise(chunk.bounds()), strict=True):
        yield {key: node[key] for key in _META}, {key: rows[start:stop] for key, rows in columns.items()}


def _check_header(node: Any, where: str) -> tuple[str, ...]:
    if (
        not isinstance(node, dict)
        or set(node) != {"format", "version", "classes"}
        or (node["format"], node["version"]) != (FORMAT, VERSION)
    ):
        expected = f'{{"format": "{FORMAT}", "version": {VERSION}, "classes": [...]}}'
        raise ValueError(f"{where}: expected the header {expected}, got {str(node)[:100]}; {REMEDY}")
    classes = node["classes"]
    if not isinstance(classes, list) or not classes or not all(isinstance(name, str) for name in classes):
        raise ValueError(f"{where}: classes should be a list of names, got {str(classes)[:100]}; {REMEDY}")
    for name in classes:
        check_text(name, f"{where}: classes", REMEDY)
    return tuple(classes)


def _keys(where: str, node: Any) -> set[str]:
    """The keys that the first sample, and with it every one, has."""
    required, known = {*_META, *_REQUIRED}, {*_META, *_REQUIRED, *_OPTIONAL}
    if not isinstance(node, dict) or not required <= set(node) <= known:
        raise ValueError(
            f"{where}: expected a sample with {', '.join((*_META, *_REQUIRED))} and maybe {', '.join(_OPTIONAL)}, "
            f"got {str(node)[:100]}; {REMEDY}"
        )
    return set(node)


def _fault(nodes: list[Any], expected: set[str]) -> str | None:
    """What is wrong with the keys, metas or lengths of some samples, said of the first one; None if nothing is.

    All are looked at together, which is quicker; who is told of a fault asks again for each.
    """
    first = nodes[0]
    if set(map(type, nodes)) != {dict} or not all(node.keys() == expected for node in nodes):
        got = ", ".join(first) if isinstance(first, dict) else str(first)[:100]
        return f"expected a sample with {', '.join(sorted(expected))}, as the first one has, got {got}"
    ids, sizes, counts = ([node[key] for node in nodes] for key in _META)
    if set(map(type, ids)) != {str} or "" in ids:
        return f"id should be a text, got {first['id']!r}"
    if rule := broken_rule("".join(ids)):
        return f"id should be {rule}, got {first['id']!r}"
    if set(map(type, sizes)) != {list} or set(map(len, sizes)) != {2} or not are_counts(*chain(*sizes), *counts):
        return (
            f"expected size as height, width in pixels and num_frames, all positive integers up to {MAX_COUNT}, got "
            f"{first['size']!r} and {first['num_frames']!r}"
        )
    rows = {key: [node[key] for node in nodes] for key in first if key not in _META}
    lengths = [list(map(len, column)) if set(map(type, column)) == {list} else None for column in rows.values()]
    if None in lengths or any(length != lengths[0] for length in lengths):
        told = ", ".join(f"{key} {len(v[0]) if isinstance(v[0], list) else v[0]}" for key, v in rows.items())
        return f"{first['id']}: expected lists of one length, got {told}"
    return None


def _column(chunk: _Chunk, key: str, tail: tuple[int, ...]) -> npt.NDArray[Any]:
    """The numbers called `key` of all lines, `[R, *tail]`, as int64 for labels and else as float32."""
    kinds, dtype = ("i", np.int64) if key == "labels" else ("iuf", np.float32)
    rows = _numbers(list(chain.from_iterable(node[key] for node in chunk.nodes)), tail, kinds)
    if rows is None:
        index, node = next((i, n) for i, n in enumerate(chunk.nodes) if _numbers(n[key], tail, kinds) is None)
        kind, shape = "integers" if key == "labels" else "numbers", ", ".join(["K", *map(str, tail)])
        raise ValueError(
            f"{chunk.where(index)}: {node['id']}: {key} should be {kind} [{shape}], got {str(node[key])[:100]}; "
            f"{REMEDY}"
        )
    with np.errstate(over="ignore"):  # too large for float32 is found right here
        array = rows.astype(dtype)
    finite = np.isfinite(array)
    if not finite.all():
        number = int(np.argmin(finite.reshape(len(array), -1).all(1)))
        raise ValueError(f"{chunk.row(number)}: {key} should be finite, got {rows[number].tolist()}; {REMEDY}")
    return array


def _numbers(rows: list[Any], tail: tuple[int, ...], kinds: str) -> npt.NDArray[Any] | None:
    """`rows` as an array `[K, *tail]`, None if they are not such numbers."""
    if not rows:
        return np.zeros((0, *tail))
    try:
        array = np.array(rows)
    except ValueError:  # rows of several lengths
        return None
    return array if array.dtype.kind in kinds and array.shape[1:] == tail else None


def _check_labels(chunk: _Chunk, labels: npt.NDArray[np.int64], num_classes: int) -> None:
    wrong = np.flatnonzero((labels < 0) | (labels >= num_classes))
    if len(wrong):
        raise ValueError(
            f"{chunk.row(int(wrong[0]))}: the label should be an integer in 0..{num_classes - 1}, as the header "
            f"names {num_classes} classes, got {labels[wrong[0]]}; {REMEDY}"
        )
