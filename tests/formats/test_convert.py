from __future__ import annotations

import dataclasses
import json
import shlex
from pathlib import Path

import numpy as np
import pytest

from paddlevideo.loader.index import ActionIndex, VideoEntry, frame_ranges, read_index, write_index
from tests.conftest import REPOSITORY
from tests.formats.files import command, convert, converted, same, write_frames, write_json, write_text
from tests.formats.test_coco import CONTENT

CLASSES = ("Run, fast", "Sit", "Wave")


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """Two videos with boxes on whole seconds of 30 frames, and frames without action."""
    media = tmp_path / "media"
    boxes = np.array(
        [[1, 0, 1, 2, 33.3, 44.4], [1, 2, 0.1, 0.7, 63.9, 47.123456], [31, 0, 2, 3, 34, 45], [61, 2, 5, 6, 7, 8]]
    )
    one = VideoEntry(
        "day/a", write_frames(media / "day" / "a", 70, (48, 64)), 70, (48, 64), boxes, np.array([3, 0, 3, 5])
    )
    two = VideoEntry(
        "b", write_frames(media / "b", 32, (30, 40)), 32, (30, 40), boxes[2:3] - [0, 0, 2, 0, 9, 17], np.array([0])
    )
    write_index(tmp_path / "index.jsonl", ActionIndex(CLASSES, (one, two)), media)
    return tmp_path / "index.jsonl"


def without_actors(path: Path) -> None:
    content = read_index(path)
    videos = tuple(dataclasses.replace(video, actors=None) for video in content.videos)
    write_index(path, dataclasses.replace(content, videos=videos), path.parent / "media")


@pytest.mark.parametrize("actors", [True, False])
@pytest.mark.parametrize("name", ["neutral", "coco", "ava"])
def test_there_and_back(index: Path, tmp_path: Path, name: str, actors: bool) -> None:
    if not actors:
        without_actors(index)
    convert("--from", "neutral", index, "--to", name, "-o", tmp_path / name)
    (path,) = (tmp_path / name).glob("all.[cj]s*")
    label_map = ["--from-option", f"label_map={tmp_path / name / 'all.pbtxt'}"] if name == "ava" else []
    same(converted(tmp_path, "--from", name, path, "--media", tmp_path / "media", *label_map), read_index(index))


@pytest.mark.parametrize("name", ["neutral", "coco"])
def test_annotated_frames_go_there_and_back(index: Path, tmp_path: Path, name: str) -> None:
    content = read_index(index)
    one, two = content.videos
    videos = (dataclasses.replace(one, annotated=frame_ranges(np.array([1, 3, 31, 61]))), two)
    write_index(index, dataclasses.replace(content, videos=videos), tmp_path / "media")
    convert("--from", "neutral", index, "--to", name, "-o", tmp_path / name)
    (path,) = (tmp_path / name).glob("all.js*")
    again = converted(tmp_path, "--from", name, path, "--media", tmp_path / "media")
    same(again, read_index(index))
    assert [video.annotated_frames().tolist() for video in again.videos] == [[1, 3, 31, 61], list(range(1, 33))]


@pytest.mark.parametrize("name", ["neutral", "coco", "ava"])
def test_names_with_signs_of_every_format_survive(tmp_path: Path, name: str) -> None:
    classes = ('"', '"quoted"', "50% <b>&amp;</b>, 'x'", "a\\n{b}", "跑步", "}")
    boxes = np.array([[1, label, 1 + label, 2, 33, 44] for label in range(len(classes))], np.float64)
    media = tmp_path / "media"
    video = VideoEntry('a,"b"&<c>', write_frames(media / 'a,"b"&<c>', 2, (48, 64)), 2, (48, 64), boxes)
    write_index(tmp_path / "index.jsonl", ActionIndex(classes, (video,)), media)
    convert("--from", "neutral", tmp_path / "index.jsonl", "--to", name, "-o", tmp_path / name)
    (path,) = (tmp_path / name).glob("all.[cj]s*")
    label_map = ["--from-option", f"label_map={tmp_path / name / 'all.pbtxt'}"] if name == "ava" else []
    same(converted(tmp_path, "--from", name, path, "--media", media, *label_map), read_index(tmp_path / "index.jsonl"))


def test_back_without_media(index: Path, tmp_path: Path) -> None:
    """COCO tells frame counts and sizes; the file stands where the media are."""
    convert("--from", "neutral", index, "--to", "coco", "-o", tmp_path / "media")
    same(converted(tmp_path, "--from", "coco", tmp_path / "media" / "all.json"), read_index(index))


def test_ava_needs_whole_seconds(index: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"day/a, frame 31: expected boxes on whole seconds only, frames 1, 26, "):
        convert("--from", "neutral", index, "--to", "ava", "--to-option", "rate=25", "-o", tmp_path / "out")
    convert("--from", "neutral", index, "--to", "ava", "--to-option", "rate=1", "-o", tmp_path / "out")
    assert [line.split(",")[1] for line in (tmp_path / "out" / "all.csv").read_text().splitlines()] == [
        "0900", "0900", "0930", "0960", "0930",
    ]  # fmt: skip


def test_ava_says_which_videos_it_lacks(index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = read_index(index)
    one, two = content.videos
    empty = dataclasses.replace(two, boxes=two.boxes[:0], actors=None)
    write_index(index, dataclasses.replace(content, videos=(one, empty)), tmp_path / "media")
    convert("--from", "neutral", index, "--to", "ava", "-o", tmp_path / "out")
    assert "all.csv lacks 1 videos, as they have no box: b\n" in capsys.readouterr().out


def test_splits_by_lists(index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = ("--from", "neutral", index, "-o", tmp_path / "out")
    test, other = write_text(tmp_path / "test.txt", "\nb\n"), write_text(tmp_path / "other.txt", "b\nday/a\n")
    convert(*base, "--split", f"test={test}", "--split", "train")
    ids = {name: [v.id for v in read_index(tmp_path / "out" / f"{name}.jsonl").videos] for name in ("train", "test")}
    assert ids == {"train": ["day/a"], "test": ["b"]}
    assert (tmp_path / "out" / "classes.txt").read_text().splitlines() == list(CLASSES)
    table = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["train", "1", "70", "3", "4"] in table
    assert ["test", "1", "32", "1", "1"] in table
    convert(*base, "--split", f"test={test}")
    assert "note: 1 of 2 videos are in no list and are left out: day/a" in capsys.readouterr().out
    with pytest.raises(ValueError, match=r"other\.txt:1: b is in .*test\.txt:2 too; splits should share no video"):
        convert(*base, "--split", f"test={test}", "--split", f"train={other}")
    with pytest.raises(ValueError, match="--split a and b: only one can be what is left"):
        convert(*base, "--split", "a", "--split", "b")
    with pytest.raises(ValueError, match="split rest: expected videos with boxes, got 0 videos"):
        convert(*base, "--split", f"test={other}", "--split", "rest")
    write_text(test, "c\n")
    with pytest.raises(ValueError, match=r"test\.txt:1: c has no annotation; there are day/a, b"):
        convert(*base, "--split", f"test={test}")


def test_lists_may_name_files_and_classes(index: Path, tmp_path: Path) -> None:
    base = ("--from", "neutral", index, "-o", tmp_path / "out")
    test = write_text(tmp_path / "test.txt", "b.avi 3\n\n")
    convert(*base, "--split", f"test={test}", "--split", "train")
    assert [video.id for video in read_index(tmp_path / "out" / "test.jsonl").videos] == ["b"]
    write_text(test, "b.avi 3\nb.MP4\n")
    with pytest.raises(ValueError, match=r"test\.txt:2: b is listed already at .*test\.txt:1; remove one"):
        convert(*base, "--split", f"test={test}")


def test_chosen_classes(tmp_path: Path) -> None:
    source, names = write_json(tmp_path / "a.json", CONTENT), tmp_path / "names.txt"
    base = ("--from", "coco", source, "--classes", write_text(names, "Walk\nSit\nJump\n"))
    index = converted(tmp_path, *base)
    assert index.classes == ("Walk", "Sit", "Jump")
    assert index.videos[0].boxes[:, 1].tolist() == [0, 2]
    write_text(names, "Walk\nJum\n")
    with pytest.raises(ValueError, match=r"annotations\[1\]: 'Jump' is none of the 2 classes; did you mean 'Jum'"):
        convert(*base, "-o", tmp_path / "b")
    with pytest.raises(ValueError, match=r"out/classes\.txt: holds 3 other classes .*than the data \(2: Jump, Walk\)"):
        convert("--from", "coco", source, "-o", tmp_path / "out")


def test_several_sources(tmp_path: Path) -> None:
    one, two = write_json(tmp_path / "a.json", CONTENT), write_json(tmp_path / "b.json", CONTENT)
    with pytest.raises(
        ValueError, match=r"b\.json: \$\.videos\[0\]: video day/v1 is in .*a\.json: \$\.videos\[0\] already"
    ):
        convert("--from", "coco", one, two, "-o", tmp_path / "out")
    for video in (content := {**CONTENT, "videos": [dict(v) for v in CONTENT["videos"]]})["videos"]:
        video["name"] += "x"
    content["categories"] = [{"id": 3, "name": "Sit"}, {"id": 7, "name": "Jump"}]
    index = converted(tmp_path, "--from", "coco", one, write_json(two, content))
    assert index.classes == ("Jump", "Walk", "Sit")
    assert [video.boxes[:, 1].tolist() for video in index.videos] == [[1, 0], [0], [0, 2], [2]]
    far = write_json(tmp_path / "far" / "b.json", content)
    with pytest.raises(ValueError, match=r"far: not the folder of the first source, .*; pass --media"):
        convert("--from", "coco", one, far, "-o", tmp_path / "out")


def sized(folder: Path, size: tuple[int, int]) -> tuple[object, ...]:
    """A COCO file on a video of 96x64, and media of `size` (height, width)."""
    content = {
        "images": [{"id": 1, "video_id": 1, "frame_id": 0, "width": 96, "height": 64}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 96, 32]}],
        "categories": [{"id": 1, "name": "Walk"}],
        "videos": [{"id": 1, "name": "v1"}],
    }
    write_frames(folder / "media" / "v1", 1, size)
    return "--from", "coco", write_json(folder / "a.json", content), "--media", folder / "media"


@pytest.mark.parametrize("size", [(128, 192), (32, 48), (43, 64), (427, 640)])
def test_media_of_another_size_and_the_same_shape(
    tmp_path: Path, size: tuple[int, int], capsys: pytest.CaptureFixture[str]
) -> None:
    (video,) = converted(tmp_path, *sized(tmp_path, size)).videos
    assert video.size == (64, 96)  # by which boxes are divided, so that they lie right in the media
    assert "note: the media of 1 videos have another size than their annotation says" in capsys.readouterr().out


@pytest.mark.parametrize("size", [(64, 100), (72, 96), (96, 64), (300, 400)])
def test_media_of_another_shape(tmp_path: Path, size: tuple[int, int]) -> None:
    base = sized(tmp_path, size)
    message = (
        rf"videos\[0\]: boxes were drawn on frames of 96x64, but .*v1 is {size[1]}x{size[0]}, another shape; .*96x64"
    )
    with pytest.raises(ValueError, match=message):
        convert(*base, "-o", tmp_path / "out")
    (video,) = converted(tmp_path, *base, "--annotation-size", "96x64").videos
    assert video.size == (64, 96)


def test_annotation_that_does_not_state_its_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = sized(tmp_path, (128, 192))
    content = json.loads((tmp_path / "a.json").read_text())
    del content["images"][0]["width"]
    write_json(tmp_path / "a.json", content)
    assert converted(tmp_path, *base).videos[0].size == (128, 192)
    advice = (
        "note: the boxes of the whole annotation reach to 96x32, but the videos are 192x128; pass --annotation-size"
    )
    assert advice in capsys.readouterr().out
    (video,) = converted(tmp_path, *base, "--annotation-size", "96x64").videos
    assert video.size == (64, 96)
    assert "reach to" not in capsys.readouterr().out


def test_fractions_have_no_annotation_size(index: Path, tmp_path: Path) -> None:
    convert("--from", "neutral", index, "--to", "ava", "-o", tmp_path / "ava")
    label_map = ["--from-option", f"label_map={tmp_path / 'ava' / 'all.pbtxt'}"]
    base = ("--from", "ava", tmp_path / "ava" / "all.csv", "--media", tmp_path / "media", *label_map)
    with pytest.raises(ValueError, match=r"all\.csv: day/a: boxes are fractions .*leave out --annotation-size"):
        convert(*base, "--annotation-size", "96x64", "-o", tmp_path / "out")


def test_absent_media(index: Path, tmp_path: Path) -> None:
    source = write_json(tmp_path / "a.json", CONTENT)
    with pytest.raises(FileNotFoundError, match=r"gone: no such folder of videos .*; check --media"):
        convert("--from", "coco", source, "--media", tmp_path / "gone", "-o", tmp_path / "out")
    base = ("--from", "coco", source, "--media", tmp_path / "media", "-o", tmp_path / "out")
    with pytest.raises(FileNotFoundError, match=r"\$\.videos\[0\]: no video file or folder of frames for day/v1 in"):
        convert(*base)
    write_frames(tmp_path / "media" / "v1", 9, (300, 400))  # without the folder in its id
    convert(*base, "--split", f"test={write_text(tmp_path / 'test.txt', 'day/v1')}")
    for name in ("v1.mp4", "v1.MP4"):  # as cameras write it
        (tmp_path / "media" / name).touch()
        with pytest.raises(ValueError, match=rf"day/v1: expected one file, found .*v1 and .*{name}; remove one"):
            convert(*base, "--split", f"test={tmp_path / 'test.txt'}")
        (tmp_path / "media" / name).unlink()


@pytest.mark.parametrize("dataset", ["ava", "jhmdb", "ucf24"])
def test_the_commands_of_the_datasets_are_understood(dataset: str) -> None:
    text = (REPOSITORY / "data" / dataset / "README.md").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [shlex.split(line) for line in text.splitlines() if line.startswith("python tools/convert_dataset.py")]
    assert lines
    for _, _, *words in lines:
        args = command.parse(words)
        command.build(args.reader, args.from_option)
        assert str(args.output) == f"data/{dataset}"
        assert args.classes is None or args.classes == Path(f"data/{dataset}/classes.txt")


def test_the_command_line(index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = ["--from", "neutral", str(index), "-o", str(tmp_path / "out")]
    assert command.main(base) == 0
    assert command.main([*base, "--split", "a", "--split", "a"]) == 1
    assert capsys.readouterr().err == "error: --split: a is given twice; leave one out\n"
    for wrong in (["--split", "../x"], ["--split", "x="], ["--from-option", "x"], ["--to", "cvat"], ["--from", "yolo"]):
        with pytest.raises(SystemExit):
            command.main([*base, *wrong])
        assert f"argument {wrong[0]}" in capsys.readouterr().err
