"""Every kind of text file that is read, as Windows saves it: with a byte order mark, CRLF and a blank last line."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from paddlevideo.config import load_config, read_yaml
from paddlevideo.formats.ava import read_label_map
from paddlevideo.formats.structured import read_json, read_xml
from paddlevideo.formats.text import read_classes, read_names
from paddlevideo.loader.datasets.labelled_videos import read_list
from paddlevideo.loader.features import read_duration
from paddlevideo.loader.index import read_index
from paddlevideo.loader.segments import read_segments
from paddlevideo.metrics.ava_map import _read_names
from paddlevideo.metrics.segment_map import _read_video_labels
from paddlevideo.modeling.losses.class_terms import class_shares
from paddlevideo.tasks.answers import SegmentAnswers
from paddlevideo.tasks.detection_file import read_detections
from paddlevideo.tasks.score_file import read_scores

BOXES = '"boxes": [[0, 0, 1, 1]], "labels": [0], "scores": [0.5]'


class Kind(NamedTuple):
    """A kind of file: its content, and what reads it."""

    text: str
    read: Callable[[Path], Any]


KINDS = {
    "config": Kind("MODEL: {name: x}\nepochs: 3\n", load_config),
    "inference.yaml": Kind("graphs: {}\n", read_yaml),
    "classes.txt": Kind("Walk\nRun\n", read_classes),
    "list of videos": Kind("a.mp4\nb.mp4\n", lambda path: [*read_names(path)]),
    "list of labelled videos": Kind("a.mp4 0\nb.mp4 1\n", lambda path: [*read_list(path, Path(), "videos", 2)]),
    "segments.json": Kind(
        '{"a": {"duration": 9, "subset": "x", "annotations": [{"segment": [1, 2], "label": "Walk"}]}}\n',
        lambda path: [entry.segments.tolist() for entry in read_segments(path, "x", ["Walk"])],
    ),
    "NAME.json": Kind('{"duration": 2.5}\n', read_duration),
    "index.jsonl": Kind(
        '{"format": "action-boxes", "version": 1, "classes": ["Walk"], "root": "."}\n'
        '{"id": "a", "source": "a.mp4", "num_frames": 3, "size": [40, 60], "boxes": [[1, 0, 1, 2, 3, 4]]}\n',
        lambda path: [(video.id, video.boxes.tolist()) for video in read_index(path).videos],
    ),
    "detections.jsonl": Kind(
        '{"format": "action-detections", "version": 1, "classes": ["Walk"]}\n'
        f'{{"id": "a", "size": [40, 60], "num_frames": 3, {BOXES}}}\n',
        lambda path: [meta["id"] for meta, _ in read_detections(path).samples],
    ),
    "scores.jsonl": Kind(
        '{"format": "class-scores", "version": 1, "classes": ["Walk"]}\n'
        '{"id": "a", "video": "a", "view": 0, "scores": [0.5]}\n',
        lambda path: [meta["id"] for meta, _ in read_scores(path).samples],
    ),
    "results of segments": Kind(
        '{"results": {"a": [{"segment": [1, 2], "score": 0.5}]}}\n',
        lambda path: [meta["id"] for meta, _ in SegmentAnswers(["Walk"]).read(path).samples],
    ),
    "label map": Kind('label {\n  name: "Walk"\n  label_id: 1\n}\n', read_label_map),
    "evaluated classes": Kind("Walk\nRun\n", _read_names),
    "labels of videos": Kind(
        '{"a": [{"label": "Walk", "score": 0.5}]}\n', lambda path: [*_read_video_labels(path, ["Walk"])]
    ),
    "shares of classes": Kind("0.5\n0.25\n", lambda path: class_shares(str(path), 2, "here")),
    "JSON of a tool": Kind('{"a": 1}\n', lambda path: read_json(path).value),
    "XML of a tool": Kind("<a><b>1</b></a>\n", lambda path: read_xml(path)["b"].content()),
}


@pytest.mark.parametrize("name", KINDS)
def test_files_saved_on_windows_are_read(tmp_path: Path, name: str) -> None:
    kind, path = KINDS[name], tmp_path / "file.json"
    path.write_bytes(kind.text.encode())
    expected = kind.read(path)
    for line_end in ("\n", "\r\n"):
        path.write_bytes(codecs.BOM_UTF8 + f"{kind.text}\n".replace("\n", line_end).encode())
        assert kind.read(path) == expected


@pytest.mark.parametrize("name", [name for name in KINDS if not name.endswith("a tool")])
def test_utf16_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(KINDS[name].text.encode("utf-16"))
    with pytest.raises(ValueError, match=r"expected text in UTF-8, got UTF-16; save it as UTF-8"):
        KINDS[name].read(path)
