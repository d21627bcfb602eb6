from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paddlevideo.tasks.score_file import read_scores, score_writer

HEADER = {"format": "class-scores", "version": 1, "classes": ["Jump", "Run"]}
SAMPLE = {"id": "a.mp4", "video": "a.mp4", "view": 0, "scores": [0.25, 0.75]}


def write(path: Path, *lines: Any) -> Path:
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path


def test_what_is_written_is_read_to_the_bit(tmp_path: Path) -> None:
    scores = np.random.default_rng(0).random((3, 2)).astype(np.float32)
    meta = [{"id": f"a#{view}", "video": "a", "view": view} for view in range(3)]
    with score_writer(tmp_path / "s.jsonl", ["Jump", "Run"]) as add:
        for info, row in zip(meta, scores, strict=True):
            add({**info, "size": [1, 1]}, {"scores": row})
    content = read_scores(tmp_path / "s.jsonl")
    assert content.classes == ("Jump", "Run")
    assert [info for info, _ in content.samples] == meta
    for (_, prediction), row in zip(content.samples, scores, strict=True):
        assert prediction["scores"].dtype == np.float32
        np.testing.assert_array_equal(prediction["scores"], row)


def test_a_failed_test_leaves_no_file(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match=r"a\.mp4: scores should be finite, got nan or inf; check the weights"),
        score_writer(tmp_path / "s.jsonl", ["Jump", "Run"]) as add,
    ):
        add(SAMPLE, {"scores": np.array([np.nan, 0], np.float32)})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], r"s\.jsonl:1: expected the header"),
        ([SAMPLE], r"s\.jsonl:1: expected the header"),
        ([{**HEADER, "classes": []}], r"s\.jsonl:1: expected the header"),
        ([{**HEADER, "version": 2}], r"s\.jsonl:1: expected the header"),
        ([HEADER, {"id": "a"}], r"s\.jsonl:2: expected a sample with id, video, view and scores"),
        ([HEADER, {**SAMPLE, "view": "0"}], r"s\.jsonl:2: view should be a int, got '0'"),
        ([HEADER, {**SAMPLE, "scores": [1.0]}], r"s\.jsonl:2: scores should be 2 finite numbers, got \[1\.0\]"),
        ([HEADER, {**SAMPLE, "scores": [1.0, "b"]}], r"s\.jsonl:2: scores should be 2 finite numbers"),
        ([HEADER, '{"id": "a.mp4", "video": "a.mp4", "view": 0, "scores": [NaN, 1]}'], "should be 2 finite numbers"),
        ([HEADER, SAMPLE, SAMPLE], r"s\.jsonl:3: sample a\.mp4 stands in the file already"),
        ([HEADER, SAMPLE, "{"], r"s\.jsonl:3: not a line of JSON"),
    ],
)
def test_malformed_lines_are_named(tmp_path: Path, lines: list[Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_scores(write(tmp_path / "s.jsonl", *lines))


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"main\.py --test writes it"):
        read_scores(tmp_path / "gone.jsonl")
