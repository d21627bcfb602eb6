"""Which frames are samples, and what an index says of them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from paddlevideo.loader.datasets import ActionDataset
from paddlevideo.loader.datasets.action_dataset import _merge
from paddlevideo.loader.feature_bank import write_bank
from paddlevideo.loader.index import ActionIndex, VideoEntry, write_index
from paddlevideo.loader.samplers import KeyframeClip
from paddlevideo.loader.transforms import JitterCrop
from tests.loader.plain_input import PlainInput

CLASSES = ("Run", "Sit")
BOXES = np.array(
    [[2, 0, 6, 12, 32, 24], [2, 0, 0, 0, 64, 48], [3, 0, 6, 12, 32, 24], [5, 0, 6, 12, 32, 24]], np.float64
)
ACTORS = np.array([3, 1, 1, 3])


def make(folder: Path, actors=ACTORS, annotated=None, **choices) -> ActionDataset:
    """A dataset of a video of 6 frames with boxes on 2, 3 and 5, and one of 2 frames without boxes."""
    videos = (
        VideoEntry("Run/a", folder / "a", 6, (48, 64), BOXES, actors, annotated),
        VideoEntry("Run/b", folder / "b", 2, (48, 64), np.zeros((0, 6)), None if actors is None else actors[:0]),
    )
    write_index(folder / "test.jsonl", ActionIndex(CLASSES, videos), folder)
    for video in videos:
        video.source.mkdir(exist_ok=True)
        for number in range(1, video.num_frames + 1):
            cv2.imwrite(str(video.source / f"{number:05d}.jpg"), np.full((48, 64, 3), 40 * number, np.uint8))
    transforms = choices.pop("transforms", [])
    sampler = KeyframeClip(num_frames=1)
    return ActionDataset(str(folder / "test.jsonl"), CLASSES, sampler, transforms, PlainInput(), **choices)


def ids(dataset: ActionDataset) -> list[str]:
    return [dataset.entry(number)["meta"]["id"] for number in range(len(dataset))]


def test_annotated_frames_are_samples(tmp_path):
    assert ids(make(tmp_path)) == ["Run/a/00002", "Run/a/00003", "Run/a/00005"]
    assert ids(make(tmp_path, step=2)) == ["Run/a/00002", "Run/a/00005"]
    with_background = make(tmp_path, background=1.0, background_margin=0)  # frames 1, 4, 6 and 1, 2 are free
    frames = [*(f"Run/a/{k:05d}" for k in (1, 2, 3, 5, 6)), "Run/b/00002"]
    assert ids(with_background) == frames


def test_every_frame_of_every_video(tmp_path):
    dataset = make(tmp_path, every_frame=True)
    assert ids(dataset) == [f"Run/a/{k:05d}" for k in range(1, 7)] + ["Run/b/00001", "Run/b/00002"]
    assert [dataset.entry(k)["meta"]["num_frames"] for k in (0, 7)] == [6, 2]
    assert [len(dataset.entry(k)["targets"]["labels"]) for k in range(8)] == [0, 2, 1, 0, 1, 0, 0, 0]
    np.testing.assert_allclose(dataset[2]["inputs"]["clip"], 120, atol=3)  # frame 3 is read for sample 2


def test_frames_that_are_not_annotated_are_no_samples(tmp_path):
    part = (range(2, 6),)
    assert ids(make(tmp_path, annotated=part)) == ["Run/a/00002", "Run/a/00003", "Run/a/00005"]
    with_background = make(tmp_path, annotated=part, background=9.0, background_margin=0)
    assert ids(with_background)[:4] == [f"Run/a/{k:05d}" for k in (2, 3, 4, 5)]  # neither 1 nor 6
    every = make(tmp_path, annotated=part, every_frame=True)
    assert ids(every)[:4] == [f"Run/a/{k:05d}" for k in (2, 3, 4, 5)]
    assert every.entry(0)["meta"]["num_frames"] == 4
    np.testing.assert_allclose(every[1]["inputs"]["clip"], 120, atol=3)  # the media keep their frames
    assert len(make(tmp_path, annotated=part, every_frame=True, unannotated=True)) == 8
    with pytest.raises(ValueError, match="unannotated needs every_frame"):
        make(tmp_path, unannotated=True)


def test_every_frame_takes_steps_but_no_background(tmp_path):
    assert ids(make(tmp_path, every_frame=True, step=4)) == ["Run/a/00001", "Run/a/00005", "Run/b/00001"]
    with pytest.raises(ValueError, match=r"so background should be 0, got 0\.5"):
        make(tmp_path, every_frame=True, background=0.5)


def test_rows_with_one_box_are_labels_of_one_actor():
    rows = np.array([[5, 5, 9, 9], [0, 0, 1, 1], [5, 5, 9, 9]], float)
    boxes, labels = _merge(rows, np.array([2, 0, 1]), 3)
    np.testing.assert_array_equal(boxes, [[5, 5, 9, 9], [0, 0, 1, 1]])
    np.testing.assert_array_equal(labels, [[0, 1, 1], [1, 0, 0]])
    boxes, labels = _merge(np.zeros((0, 4)), np.zeros(0, np.int64), 3)
    assert (boxes.shape, labels.shape) == ((0, 4), (0, 3))


def test_multi_label_targets_have_no_actors(tmp_path):
    targets = make(tmp_path, multi_label=True).entry(0)["targets"]
    assert targets["labels"].shape == (2, 2) and targets["labels"].sum() == 2
    assert "actors" not in targets


def test_bank_is_seen_from_the_key_frame(tmp_path):
    features = np.arange(6, dtype=np.float32).reshape(3, 2)
    for video in ("Run/a", "Run/b"):
        write_bank(tmp_path / "bank", video, np.array([1, 3, 5]), features)
    sample = make(tmp_path, bank=str(tmp_path / "bank")).entry(0)
    frame = int(sample["meta"]["id"].rpartition("/")[2])
    np.testing.assert_array_equal(sample["bank"]["offsets"], np.array([1, 3, 5]) - frame)
    np.testing.assert_array_equal(sample["bank"]["features"], features)


def test_a_bank_without_the_video_or_with_another_content_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"Run/a.npz.*tools/extract_features.py"):
        make(tmp_path, bank=str(tmp_path / "bank")).entry(0)
    (tmp_path / "bank" / "Run").mkdir(parents=True)
    (tmp_path / "bank" / "Run" / "a.npz").write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"Run/a.npz: expected arrays frames \[L\]"):
        make(tmp_path, bank=str(tmp_path / "bank")).entry(0)


def test_actors_go_along_with_boxes(tmp_path):
    dataset = make(tmp_path)
    targets = dataset.entry(0)["targets"]
    np.testing.assert_allclose(targets["boxes"], [[6 / 64, 0.25, 0.5, 0.5], [0, 0, 1, 1]])
    assert targets["actors"].tolist() == [3, 1]
    assert targets["actors"].dtype == np.int64
    assert [dataset.entry(k)["targets"]["actors"].tolist() for k in (1, 2)] == [[1], [3]]
    free = make(tmp_path, every_frame=True).entry(0)["targets"]["actors"]
    assert (free.shape, free.dtype) == ((0,), np.int64)


def test_actors_go_with_their_boxes_through_augmentation(tmp_path):
    targets = make(tmp_path, transforms=[JitterCrop(0.2)], seed=0)[0]["targets"]
    assert len(targets["actors"]) == len(targets["boxes"]) == 2


@pytest.mark.parametrize(("actors", "choices"), [(None, {}), (ACTORS, {"multi_label": True})])
def test_no_actors(tmp_path, actors, choices):
    """The index has none, or a box stands for several rows."""
    assert set(make(tmp_path, actors, **choices).entry(0)["targets"]) == {"boxes", "labels"}
