"""The file of detections: what is written is what is read, and what is wrong is named by file and line."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paddlevideo.tasks.detection_file import detection_writer, read_detections
from paddlevideo.utils import files

HEADER = {"format": "action-detections", "version": 1, "classes": ["Biking", "Diving"]}
SAMPLE = {
    "id": "a/00001",
    "size": [240, 320],
    "num_frames": 3,
    "boxes": [[0.25, 0, 0.5, 1], [0, 0, 1, 1]],
    "labels": [1, 0],
    "scores": [0.5, 0.25],
    "objectness": [1, 0.5],
    "probabilities": [[0.5, 0.5], [0.5, 0.5]],
}


def write(path: Path, *lines: Any) -> Path:
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def random_sample(rng: np.random.Generator, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    count = int(rng.integers(0, 4))
    floats = {"boxes": (count, 4), "scores": (count,), "objectness": (count,), "probabilities": (count, 2)}
    prediction = {key: rng.standard_normal(shape).astype(np.float32) for key, shape in floats.items()}
    prediction["scores"] *= np.float32(1e-30)
    meta = {"id": f"Übung/{number:05d}", "size": [240, 320], "num_frames": 50}
    return meta, {**prediction, "labels": rng.integers(0, 2, count)}


def test_what_is_written_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_LINES", 7)  # so that there are several
    rng = np.random.default_rng(0)
    samples = [random_sample(rng, number) for number in range(20)]
    with detection_writer(tmp_path / "d.jsonl", ("Biking", "Diving")) as add:
        for meta, prediction in samples:
            add({**meta, "more": 1}, {**prediction, "other": np.zeros(3)})
    content = read_detections(tmp_path / "d.jsonl")
    assert content.classes == ("Biking", "Diving")
    for (meta, prediction), (read_meta, read) in zip(samples, content.samples, strict=True):
        assert read_meta == meta
        assert read.keys() == prediction.keys()
        for key, array in prediction.items():
            np.testing.assert_array_equal(read[key], array, err_msg=key)
            assert read[key].dtype == array.dtype


def test_optional_keys_and_empty_files(tmp_path: Path) -> None:
    short = {key: SAMPLE[key] for key in ("id", "size", "num_frames", "boxes", "labels", "scores")}
    ((meta, prediction),) = read_detections(write(tmp_path / "d.jsonl", HEADER, short)).samples
    assert meta == {"id": "a/00001", "size": [240, 320], "num_frames": 3}
    assert prediction.keys() == {"boxes", "labels", "scores"}
    assert read_detections(write(tmp_path / "d.jsonl", HEADER)).samples == []


def test_an_unfinished_test_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), detection_writer(tmp_path / "d.jsonl", ("Biking",)):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    nan = {"boxes": np.zeros((1, 4)), "labels": np.zeros(1, int), "scores": np.array([np.nan])}
    with (
        pytest.raises(ValueError, match="a/1: prediction should be finite"),
        detection_writer(tmp_path / "d.jsonl", ("Biking",)) as add,
    ):
        add({"id": "a/1", "size": [1, 1], "num_frames": 1}, nan)


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in SAMPLE.items() if name != key}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"boxes": SAMPLE["boxes"][:1]}, r"a/00001: expected lists of one length, got .*boxes 1\b"),
        ({"labels": None}, r"expected lists of one length, got .*labels None"),
        ({"labels": [1, 2]}, r"a/00001: detection 2: the label should be an integer in 0\.\.1, .* 2 classes, got 2"),
        ({"labels": [-1, 0]}, r"detection 1: the label should be an integer in 0\.\.1, .* got -1"),
        ({"labels": [2**63, -1]}, r"a/00001: labels should be integers \[K\], got \[9223372036854775808, -1\]"),
        ({"labels": [1.0, 0]}, r"a/00001: labels should be integers \[K\], got \[1\.0, 0\]"),
        ({"boxes": [[0, 0, 1], [0, 0, 1]]}, r"boxes should be numbers \[K, 4\], got"),
        ({"boxes": [[0, 0, 1, 1], [0, 0, 1]]}, r"boxes should be numbers \[K, 4\], got"),
        ({"scores": ["0.5", "x"]}, r"scores should be numbers \[K\], got"),
        ({"scores": [None, 0.5]}, r"scores should be numbers \[K\], got"),
        ({"probabilities": [[1], [1]]}, r"probabilities should be numbers \[K, 2\], got"),
        ({"scores": [0.5, float("nan")]}, r"a/00001: detection 2: scores should be finite, got nan"),
        ({"boxes": [[0, 0, 1, 1e39], [0, 0, 1, 1]]}, r"detection 1: boxes should be finite, got \[0\.0, .*1e\+39\]"),
        ({"objectness": [float("-inf"), 1]}, r"detection 1: objectness should be finite, got -inf"),
        ({"id": ""}, r"id should be a text, got ''"),
        ({"id": 3}, r"id should be a text, got 3"),
        ({"size": [240]}, r"expected size as height, width .* got \[240\]"),
        ({"num_frames": 0}, r"expected size .* and num_frames, all positive integers up to 10000000, got .* and 0"),
    ],
)
def test_wrong_values_are_named(tmp_path: Path, change: dict[str, Any], expected: str) -> None:
    """In the third line, after a good one."""
    path = write(tmp_path / "d.jsonl", HEADER, {**SAMPLE, "id": "good"}, {**SAMPLE, **change})
    with pytest.raises(ValueError, match=rf"d\.jsonl:3: .*{expected}"):
        read_detections(path)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], r":1: expected the header .* got None"),
        (["[]"], r":1: expected the header"),
        ([{**HEADER, "version": 2}], r":1: expected the header .*\"version\": 1.* got .*'version': 2"),
        ([{**HEADER, "format": "action-boxes"}], r":1: expected the header"),
        ([{**HEADER, "classes": []}], r":1: classes should be a list of names"),
        ([HEADER, "{nonsense}"], r":2: not a line of JSON"),
        ([HEADER, "[" * 100000], r":2: not a line of JSON"),
        ([HEADER, without("scores")], r":2: expected a sample with id, .*scores.*, got"),
        ([HEADER, {**SAMPLE, "masks": []}], r":2: expected a sample with id"),
        ([HEADER, SAMPLE, without("objectness")], r":3: expected a sample with .*objectness.* as the first one has"),
        ([HEADER, SAMPLE, SAMPLE], r":3: sample a/00001 is in .*:2 already; remove one"),
    ],
)
def test_wrong_lines_are_named(tmp_path: Path, lines: list[Any], expected: str) -> None:
    with pytest.raises(ValueError, match=re.escape("d.jsonl") + expected):
        read_detections(write(tmp_path / "d.jsonl", *lines))


def test_a_file_that_was_cut_off(tmp_path: Path) -> None:
    path = write(tmp_path / "d.jsonl", HEADER, SAMPLE)
    os.truncate(path, path.stat().st_size - 20)
    with pytest.raises(
        ValueError, match=r"d\.jsonl:2: the last line is no JSON, or was cut off .*; write the file anew"
    ):
        read_detections(path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"gone\.jsonl: no such file of detections; main\.py --test writes it"):
        read_detections(tmp_path / "gone.jsonl")
