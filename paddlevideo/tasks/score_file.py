"""The file of class scores that a test writes: JSON lines, a header and then one sample a line.

    {"format": "class-scores", "version": 1, "classes": ["abseiling", ...]}
    {"id": "Up/a.mp4#0", "video": "Up/a.mp4", "view": 0, "scores": [0.01, ...]}

A sample is its meta (`id`, and the number of the `view` of its `video`) and `scores [C]` of all classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from paddlevideo.tasks.result_file import Labelled, ResultFile, Sink
from paddlevideo.types import Meta, Prediction
from paddlevideo.utils.files import read_json_lines, replacing, to_json
from paddlevideo.utils.names import check_text

FORMAT, VERSION = "class-scores", 1
MOST = 1e30  # of a score
REMEDY = "write the file anew with main.py --test"
_META = {"id": str, "video": str, "view": int}


@contextmanager
def score_writer(path: Path, classes: Sequence[str]) -> Iterator[Sink]:
    """What writes a sample to a new file, which is at its place when the context ends without an error.

    Raises:
        ValueError: a score is not finite.
    """
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:

        def write(meta: Meta, prediction: Prediction) -> None:
            scores = np.char.mod("%.9g", prediction["scores"]).astype(np.float64).tolist()  # float32, to the bit
            if not np.isfinite(scores).all():
                raise ValueError(f"{meta['id']}: scores should be finite, got nan or inf; check the weights")
            file.write(to_json({**{key: meta[key] for key in _META}, "scores": scores}, meta["id"]) + "\n")

        header = {"format": FORMAT, "version": VERSION, "classes": list(classes)}
        file.write(to_json(header, str(path)) + "\n")
        yield write


def read_scores(path: str | Path) -> ResultFile:
    """Read and check a file of scores; they are float32.

    Raises:
        FileNotFoundError: no such file; the message says how to make one.
        ValueError: a line that is not as described at the top, or a sample twice; names file and line.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file of scores; main.py --test writes it to output_dir/test")
    classes: tuple[str, ...] = ()
    samples: dict[str, Labelled] = {}
    for first, nodes in read_json_lines(path, REMEDY):
        for number, node in enumerate(nodes, first):
            where = f"{path}:{number}"
            if number == 1:
                classes = _header(node, where)
                continue
            meta, prediction = _sample(node, len(classes), where)
            if meta["id"] in samples:
                raise ValueError(f"{where}: sample {meta['id']} stands in the file already; remove one")
            samples[meta["id"]] = (meta, prediction)
    if not classes:
        _header(None, f"{path}:1")
    return ResultFile(classes, [*samples.values()])


def _header(node: Any, where: str) -> tuple[str, ...]:
    expected = {"format": FORMAT, "version": VERSION}
    classes = node.get("classes") if isinstance(node, dict) else None
    if not isinstance(classes, list) or not classes or node != {**expected, "classes": list(map(str, classes))}:
        told = f'{{"format": "{FORMAT}", "version": {VERSION}, "classes": [names]}}'
        raise ValueError(f"{where}: expected the header {told}, got {str(node)[:100]}; {REMEDY}")
    for name in classes:
        check_text(name, f"{where}: classes", REMEDY)
    return tuple(classes)


def _sample(node: Any, num_classes: int, where: str) -> Labelled:
    if not isinstance(node, dict) or set(node) != {*_META, "scores"}:
        raise ValueError(
            f"{where}: expected a sample with {', '.join(_META)} and scores, got {str(node)[:100]}; {REMEDY}"
        )
    meta = {key: node[key] for key in _META}
    for key, kind in _META.items():
        if type(meta[key]) is not kind:
            raise ValueError(f"{where}: {key} should be a {kind.__name__}, got {meta[key]!r}; {REMEDY}")
        check_text(str(meta[key]), f"{where}: {key}", REMEDY)
    scores = node["scores"]
    is_row = isinstance(scores, list) and len(scores) == num_classes
    if not is_row or not all(type(score) in (int, float) and abs(score) <= MOST for score in scores):  # nor nan
        raise ValueError(f"{where}: scores should be {num_classes} finite numbers, got {str(scores)[:100]}; {REMEDY}")
    return meta, {"scores": np.array(scores, np.float32)}
