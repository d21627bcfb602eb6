from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from paddlevideo.loader.crops import CenterCrop
from paddlevideo.loader.datasets import LabelledVideos
from paddlevideo.loader.samplers import SegmentFrames
from paddlevideo.modeling.inputs.segment_input import SegmentInput
from tests.tasks.streams import write_video

CLASSES = ["Jump", "Run", "Sit"]


def write_list(folder: Path, *lines: str) -> str:
    path = folder / "some.list"
    path.write_text("".join(f"{line}\n" for line in lines))
    return str(path)


def dataset(path: str, **choices: Any) -> LabelledVideos:
    sampler = SegmentFrames(num_frames=4, train_frames=2)
    input = SegmentInput(num_frames=4, train_frames=2, size=32)
    return LabelledVideos(path, CLASSES, sampler, [CenterCrop(32)], input, **choices)


def test_a_line_is_a_sample_with_frames_from_its_segments(tmp_path: Path) -> None:
    (tmp_path / "a b").mkdir()
    write_video(tmp_path / "a b" / "one.mp4", 40)
    data = dataset(write_list(tmp_path, "a b/one.mp4 2"))
    sample = data[0]
    assert sample["inputs"]["clip"].shape == (3, 4, 32, 32)
    assert sample["targets"]["labels"].tolist() == [2]
    assert sample["meta"] == {"id": "a b/one.mp4", "video": "a b/one.mp4", "view": 0}
    greys = data.read(0, None)["frames"].mean((1, 2, 3)).round()
    # `write_video` makes each frame brighter by 3; segments of ten frames have their middles at 4, 14, 24, 34
    np.testing.assert_allclose(greys, [12, 42, 72, 102], atol=1.5)


def test_training_draws_other_frames_each_epoch_and_the_same_again(tmp_path: Path) -> None:
    write_video(tmp_path / "one.mp4", 200)
    data = dataset(write_list(tmp_path, "one.mp4 0"), seed=3)
    first = data.packed(0)["inputs"]["clip"]
    assert first.shape[0] == 2
    data.epoch = 1
    second = data.packed(0)["inputs"]["clip"]
    assert not np.array_equal(first, second)
    data.epoch = 0
    np.testing.assert_array_equal(data.packed(0)["inputs"]["clip"], first)


def test_folders_of_pictures_with_their_number(tmp_path: Path) -> None:
    folder = tmp_path / "frames" / "run"
    folder.mkdir(parents=True)
    for number in range(1, 9):
        cv2.imwrite(str(folder / f"img_{number:05d}.jpg"), np.full((40, 48, 3), 10 * number, np.uint8))
    data = dataset(write_list(tmp_path, "run 8 1"), kind="frames", root=str(tmp_path / "frames"))
    np.testing.assert_allclose(data.read(0, None)["frames"].mean((1, 2, 3)), [10, 30, 50, 70], atol=1)
    np.testing.assert_allclose(data.middle_frame(0).mean(), 50, atol=1)
    short = dataset(write_list(tmp_path, "run 9 1"), kind="frames", root=str(tmp_path / "frames"))
    with pytest.raises(ValueError, match=r"some\.list:1: .*run: expected 9 frames, got 8"):
        short[0]


def test_views_of_a_video_are_samples_of_their_own(tmp_path: Path) -> None:
    data = dataset(write_list(tmp_path, "a.mp4 0", "b.mp4 1"), views=3)
    meta = [data.annotation(index)["meta"] for index in range(len(data))]
    assert [one["id"] for one in meta] == ["a.mp4#0", "a.mp4#1", "a.mp4#2", "b.mp4#0", "b.mp4#1", "b.mp4#2"]
    assert meta[4] == {"id": "b.mp4#1", "video": "b.mp4", "view": 1}
    assert data.annotation(4)["targets"]["labels"].tolist() == [1]


@pytest.mark.parametrize(
    ("lines", "choices", "said"),
    [
        (["a.mp4"], {}, r"some\.list:1: expected path, label with spaces between, got 'a\.mp4'"),
        (["a.mp4 0", "", "b.mp4 1"], {}, r"some\.list:2: expected path, label"),
        (["a.mp4 0", "b.mp4 Run"], {}, r"some\.list:2: expected path, label"),
        (["a.mp4 -1"], {}, r"some\.list:1: expected path, label"),
        ([f"a.mp4 {'1' * 5000}"], {}, r"some\.list:1: expected path, label"),
        (["a.mp4 3"], {}, r"some\.list:1: label should be below 3, the number of `classes`, got 3; labels start at 0"),
        (["a.mp4 0", "b.mp4 1", "a.mp4 2"], {}, r"some\.list:3: a\.mp4 is in line 1 already"),
        (["a 0"], {"kind": "frames"}, r"some\.list:1: expected path, number of frames, label"),
        (["a 0 1"], {"kind": "frames"}, r"some\.list:1: a should have at least one frame, got 0"),
        ([], {}, "expected a line for each video, got none"),
        (["a.mp4 0"], {"views": 0}, "views should be at least 1, got 0"),
    ],
)
def test_malformed_lists_are_refused_with_their_line(
    tmp_path: Path, lines: list[str], choices: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        dataset(write_list(tmp_path, *lines), **choices)


def test_media_that_are_missing_or_damaged_are_named_with_their_line(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"gone\.list: no such list of videos"):
        dataset(str(tmp_path / "gone.list"))
    (tmp_path / "bytes.list").write_bytes(b"a.mp4 0\n\xff\xd5.mp4 1\n")
    with pytest.raises(ValueError, match=r"bytes\.list:2: expected text in UTF-8"):
        dataset(str(tmp_path / "bytes.list"))
    (tmp_path / "text.mp4").write_text("no video")
    data = dataset(write_list(tmp_path, "gone.mp4 0", "text.mp4 1"))
    with pytest.raises(FileNotFoundError, match=r"some\.list:1: .*gone\.mp4: no such video file"):
        data[0]
    with pytest.raises(ValueError, match=r"some\.list:2: .*text\.mp4: cannot be opened as a video"):
        data.packed(1)
