"""The generated clips: what their class is, and that nothing else tells it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from paddlevideo.loader.media.open_source import open_source
from tests.conftest import load_script


def test_lists_classes_and_videos_fit_each_other(motion_data: Path) -> None:
    classes = (motion_data / "classes.txt").read_text().split()
    assert classes == ["Down", "Left", "Right", "Up"]
    for split in ("train", "test"):
        lines = [line.split() for line in (motion_data / f"{split}.list").read_text().splitlines()]
        assert [int(label) for _, label in lines] == [0, 1, 2, 3] * 2
        for file, label in lines:
            assert file.split("/")[1] == classes[int(label)]
            assert 20 <= len(open_source(motion_data / file)) < 33


def test_the_class_is_where_the_shapes_drift_to() -> None:
    clips = load_script("data/motion/make_clips.py")
    frames = {name: clips.render(np.random.default_rng(5), drift) for name, drift in clips.CLASSES.items()}
    stills = [own[0] for own in frames.values()]
    assert all(np.array_equal(stills[0], still) for still in stills)  # the same scene, only the drift differs
    assert not np.array_equal(frames["Left"][5], frames["Right"][5])
    for name, (x, y) in clips.CLASSES.items():
        first, later = (own.astype(float) - np.median(frames[name], 0) for own in frames[name][0:9:8])
        moves = {(dx, dy): _likeness(first, later, dx, dy) for dx in range(-24, 25, 2) for dy in range(-24, 25, 2)}
        dx, dy = max(moves, key=lambda move: moves[move])
        assert np.sign((dx, dy)).tolist() == [x, y], name


def _likeness(first: np.ndarray, later: np.ndarray, dx: int, dy: int) -> float:
    """How much `first`, moved by so many pixels, is like `later`."""
    return float((np.roll(first, (dy, dx), (0, 1)) * later).mean())


def test_a_folder_of_others_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main = load_script("data/motion/make_clips.py").main
    (tmp_path / "videos").mkdir()
    assert main(["-o", str(tmp_path), "--train", "1", "--test", "1"]) == 1
    assert "was not written by this script; choose another folder" in capsys.readouterr().err
    assert main(["-o", str(tmp_path / "new"), "--train", "0"]) == 1
    assert "expected positive numbers of videos" in capsys.readouterr().err
