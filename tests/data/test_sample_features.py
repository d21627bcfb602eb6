from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from paddlevideo.loader.features import read_duration, read_features
from paddlevideo.loader.segments import read_segments
from tests.conftest import REPOSITORY, load_script

SCRIPT = load_script("data/segments/make_features.py")


def make(folder: Path, *arguments: str) -> Path:
    assert SCRIPT.main(["-o", str(folder), "--train", "8", "--test", "4", *arguments]) == 0
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("segments"))


def test_every_video_has_its_files(folder: Path) -> None:
    entries = [read_segments(folder / "annotations.json", part, SCRIPT.CLASSES) for part in ("training", "validation")]
    assert [len(part) for part in entries] == [8, 4]
    for entry in (*entries[0], *entries[1]):
        features = read_features(folder / "features" / f"{entry.name}.npy")
        assert features.shape[1] == SCRIPT.CHANNELS and 80 <= len(features) < 240
        assert read_duration(folder / "features" / f"{entry.name}.npy") == entry.duration
        assert entry.duration == pytest.approx(len(features) * SCRIPT.SECONDS, abs=0.01)
        assert len(entry.segments) >= 1
        assert (entry.segments[1:, 0] > entry.segments[:-1, 1]).all()  # none touches the next
    labels = json.loads((folder / "video_labels.json").read_text())
    assert {entry.id for part in entries for entry in part} == set(labels)


def test_the_pattern_of_a_class_is_where_its_action_is(folder: Path) -> None:
    patterns = SCRIPT.draw_patterns(np.random.default_rng(0))
    for entry in read_segments(folder / "annotations.json", "training", SCRIPT.CLASSES):
        features = read_features(folder / "features" / f"{entry.name}.npy")
        inside = np.zeros(len(features), bool)
        for start, end in (entry.segments / SCRIPT.SECONDS).tolist():
            inside[int(np.ceil(start)) : int(end)] = True
        strength = features @ patterns[entry.labels[0]]
        assert strength[inside].mean() > strength[~inside].mean() + 2


def test_the_same_seed_makes_the_same_and_another_one_does_not(folder: Path, tmp_path: Path) -> None:
    again, other = make(tmp_path / "again"), make(tmp_path / "other", "--seed", "1")
    for name in ("annotations.json", "features/v_00003.npy"):
        assert (again / name).read_bytes() == (folder / name).read_bytes()
        assert (other / name).read_bytes() != (folder / name).read_bytes()


def test_only_its_own_output_is_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make(tmp_path)
    make(tmp_path)
    (tmp_path / ".generated").unlink()
    assert SCRIPT.main(["-o", str(tmp_path)]) != 0
    assert "found features, annotations.json, video_labels.json of another origin" in capsys.readouterr().err


def test_the_committed_class_names_are_those_of_the_script() -> None:
    assert (REPOSITORY / "data/segments/classes.txt").read_text().split() == list(SCRIPT.CLASSES)
