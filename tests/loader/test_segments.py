from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paddlevideo.loader.segments import SegmentEntry, read_segments

CLASSES = ["Diving", "Surfing"]


def video(*rows: tuple[Any, Any], duration: Any = 60.0, subset: str = "training") -> dict[str, Any]:
    annotations = [{"segment": segment, "label": label} for segment, label in rows]
    return {"duration_second": duration, "subset": subset, "annotations": annotations}


def read(folder: Path, content: Any, **settings: Any) -> list[SegmentEntry]:
    path = folder / "a.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_segments(path, "training", CLASSES, **settings)


def test_videos_of_a_subset_by_name(tmp_path: Path) -> None:
    content = {
        "v_b": video(([1, 2.5], "Surfing"), ([10, 60], "Diving")),
        "v_a": video(duration=12),
        "v_c": video(([1, 2], "Diving"), subset="validation"),
    }
    first, second = read(tmp_path, content)
    assert (first.name, first.id, first.duration, len(first.segments)) == ("v_a", "a", 12.0, 0)
    np.testing.assert_array_equal(second.segments, [[1, 2.5], [10, 60]])
    assert second.labels.tolist() == [1, 0]


def test_the_form_of_activitynet(tmp_path: Path) -> None:
    node = {"duration": 60.0, "subset": "training", "annotations": [{"segment": [1, 2], "label": "Diving"}]}
    (entry,) = read(tmp_path, {"version": "1.3", "taxonomy": [], "database": {"a": node}})
    assert (entry.id, entry.duration, entry.labels.tolist()) == ("a", 60.0, [0])


def test_labels_need_not_be_known_where_none_matters(tmp_path: Path) -> None:
    (entry,) = read(tmp_path, {"a": video(([1, 2], "Knitting"), ([3, 4], "Diving"))}, any_class=True)
    assert entry.labels.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"v_a": video(([1, 2], "Diving"), ([5, 3], "Diving"))}, "v_a: annotation 2: segment .* got 5 to 3"),
        ({"v_a": video(([5, 5], "Diving"))}, "got 5 to 5"),
        ({"v_a": video(([50, 60.5], "Diving"))}, r"within 0\.\.60 s, got 50 to 60\.5"),
        ({"v_a": video(([-0.5, 6], "Diving"))}, r"got -0\.5 to 6"),
        ({"v_a": video(([1], "Diving"))}, r"segment should be its start and end in seconds, got \[1\]"),
        ({"v_a": video((["1", 2], "Diving"))}, "start and end in seconds"),
        ('{"v_a": {"duration": 9, "subset": "training", "annotations": [{"segment": [NaN, 2]}]}}', "start and end"),
        ({"v_a": {**video(), "annotations": [7]}}, "start and end"),
        ({"v_a": {**video(), "annotations": {}}}, "annotations should be a list"),
        ({"v_a": video(([1, 2], "Divin"))}, "label 'Divin' is no class of the config; did you mean 'Diving'"),
        ({"v_a": video(duration=0)}, "v_a: duration should be a positive number of seconds, got 0"),
        ({"v_a": video(duration=None)}, "got None"),
        ({"v_a": video(), "a": video()}, "a and v_a are one video, a"),
        ({"v_a": video(subset="train")}, "no video of subset 'training'; did you mean 'train'"),
        ({"v_a": 3}, "expected {video: {duration, subset, annotations}}"),
        ([], "expected {video"),
        ('{"a": {}, "a": {}}', "'a' stands there twice"),
        ("{", "not a file of JSON"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, content: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        read(tmp_path, content)
    assert str(tmp_path / "a.json") in str(caught.value)


def test_segments_of_published_annotation_may_be_kept_as_they_are(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("paddlevideo"), "propagate", True)
    content = {"v_a": video(([50, 60.5], "Diving"), ([1, 2], "Diving"), ([5, 3], "Diving"))}
    with caplog.at_level(logging.WARNING):
        (entry,) = read(tmp_path, content, strict=False)
    np.testing.assert_array_equal(entry.segments, [[50, 60.5], [1, 2], [5, 3]])
    assert "2 segments leave their video or end before they start, such as v_a: annotation 1" in caplog.text


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"b\.json: no such annotation"):
        read_segments(tmp_path / "b.json", "training", CLASSES)
