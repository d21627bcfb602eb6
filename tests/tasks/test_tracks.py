from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from paddlevideo.tasks import tracks
from paddlevideo.tasks.tracks import TubeFile, TubeLinker


def square(x: float, y: float = 0.0) -> list[float]:
    return [x, y, x + 10.0, y + 10.0]


def link(linker: TubeLinker, frame: int, *detections: tuple[int, list[float], float]) -> list[int]:
    labels = np.array([label for label, _, _ in detections], np.int64)
    boxes = np.array([box for _, box, _ in detections]).reshape(-1, 4)
    return linker.update(frame, labels, boxes, np.array([score for _, _, score in detections])).tolist()


def test_an_actor_that_moves_keeps_its_number() -> None:
    linker = TubeLinker()
    found = [link(linker, t, (0, square(t), 0.9), (0, square(100 - t), 0.8)) for t in range(1, 31)]
    assert found == [[1, 2]] * 30


def test_actors_of_two_classes_cross_without_exchanging_numbers() -> None:
    linker = TubeLinker()
    for t in range(41):  # on frame 20 both boxes are the same
        detections = [(0, square(t), 0.6), (1, square(40 - t), 0.9)]
        assert link(linker, t, *(detections[::-1] if t % 2 else detections)) == ([2, 1] if t % 2 else [1, 2])


def test_the_pair_of_most_overlap_and_score_is_linked_first() -> None:
    linker = TubeLinker(min_iou=0.1)
    assert link(linker, 1, (0, square(0), 0.5)) == [1]
    # IoU 9/11 and 8/12; 9/11 + 0.5 + 0.2 + 0.05 = 1.568 is less than 8/12 + 0.5 + 0.6 + 0.15 = 1.917
    assert link(linker, 2, (0, square(1), 0.2), (0, square(2), 0.6)) == [2, 1]


@pytest.mark.parametrize(("overlap", "expected"), [(3, [2]), (6, [1])])
def test_boxes_that_overlap_too_little_are_another_track(overlap: int, expected: list[int]) -> None:
    linker = TubeLinker(min_iou=0.3)  # 3 of 17 shared columns, or 6 of 14
    link(linker, 1, (0, square(0), 0.5))
    assert link(linker, 2, (0, square(10 - overlap), 0.5)) == expected


@pytest.mark.parametrize(("missed", "expected"), [(0, [1]), (3, [1]), (4, [2])])
def test_a_track_may_miss_as_many_frames_as_patience_says(missed: int, expected: list[int]) -> None:
    linker = TubeLinker(patience=3)
    link(linker, 1, (0, square(0), 0.5))
    for frame in range(2, 2 + missed):
        assert link(linker, frame) == []
    assert link(linker, 2 + missed, (0, square(0), 0.5)) == expected


def random_detections(seed: int, frames: int) -> list[list[tuple[int, list[float], float]]]:
    rng = np.random.default_rng(seed)
    return [
        [(int(rng.integers(2)), square(*rng.uniform(0, 25, 2)), float(rng.random())) for _ in range(rng.integers(6))]
        for _ in range(frames)
    ]


@pytest.mark.parametrize("seed", range(5))
def test_numbers_follow_from_the_past_alone(seed: int) -> None:
    first, other = random_detections(seed, 20), random_detections(seed + 100, 20)
    answers = []
    for continued in (first, first[:10] + other[:10]):
        linker = TubeLinker(patience=2)
        answers.append([link(linker, frame, *found) for frame, found in enumerate(continued)])
    assert answers[0][:10] == answers[1][:10]
    assert answers[0] != answers[1]


@pytest.mark.parametrize("seed", range(5))
def test_numbers_are_distinct_on_a_frame_of_one_class_and_never_used_again(seed: int) -> None:
    linker = TubeLinker(patience=2)
    last_seen: dict[int, tuple[int, int]] = {}
    for frame, found in enumerate(random_detections(seed, 60)):
        numbers = link(linker, frame, *found)
        assert len(set(numbers)) == len(numbers)
        for number, (label, _, _) in zip(numbers, found, strict=True):
            seen, kind = last_seen.setdefault(number, (frame, label))
            assert kind == label
            assert frame - seen <= 3
            last_seen[number] = (frame, label)
    assert sorted(last_seen) == list(range(1, len(last_seen) + 1))


def detection(track: int, x: float) -> dict[str, object]:
    return {"track": track, "label": "Hop", "box": square(x), "score": 0.5}


def test_a_tube_is_written_when_its_track_ends_and_the_file_is_always_whole(tmp_path: Path) -> None:
    path = tmp_path / "clip.tubes.json"
    file = TubeFile(path, ["Hop"])
    assert json.loads(path.read_text()) == {"classes": ["Hop"], "tubes": []}
    file.add(1, [detection(1, 0), detection(2, 50)], np.array([1, 2]))
    file.add(2, [detection(2, 51)], np.array([1, 2]))
    assert json.loads(path.read_text())["tubes"] == []
    file.add(3, [], np.array([2]))
    first = {"track": 1, "label": "Hop", "part": 1, "frames": [1], "boxes": [square(0)], "scores": [0.5]}
    assert json.loads(path.read_text())["tubes"] == [first]
    file.close()
    second = {**first, "track": 2, "frames": [1, 2], "boxes": [square(50), square(51)], "scores": [0.5, 0.5]}
    assert json.loads(path.read_text())["tubes"] == [first, second]


def test_a_long_tube_is_written_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracks, "PART_FRAMES", 3)
    file = TubeFile(tmp_path / "tubes.json", ["Hop"])
    for frame in range(1, 7):
        file.add(frame, [detection(4, frame)], np.array([4]))
    file.close()
    tubes = json.loads((tmp_path / "tubes.json").read_text())["tubes"]
    assert [(tube["track"], tube["part"], tube["frames"]) for tube in tubes] == [(4, 1, [1, 2, 3]), (4, 2, [4, 5, 6])]
