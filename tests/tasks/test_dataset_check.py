from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from paddlevideo.config import Config
from paddlevideo.loader.index import ActionIndex, VideoEntry
from paddlevideo.tasks import dataset_check
from paddlevideo.tasks.dataset_check import balance_table, check_datasets
from paddlevideo.utils.logging import start_logging
from tests.conftest import load_script

CLASSES = ["Run", "Sit"]
HEADER = {"format": "action-boxes", "version": 1, "classes": CLASSES, "root": "media"}


def video(name: str, **changes: object) -> dict[str, object]:
    node = {"id": name, "source": name, "num_frames": 3, "size": [48, 64], "boxes": [[1, 0, 4, 4, 40, 40]]}
    return {**node, **changes}


def write_media(folder: Path, count: int = 3, size: tuple[int, int] = (64, 48)) -> None:
    folder.mkdir(parents=True)
    for number in range(1, count + 1):
        cv2.imwrite(str(folder / f"{number:05d}.png"), np.full((size[1], size[0], 3), 50 * number, np.uint8))


def write_index(path: Path, *nodes: object) -> None:
    lines = [node if isinstance(node, str) else json.dumps(node) for node in (HEADER, *nodes)]
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def config(tiny_config: Config, tmp_path: Path) -> Config:
    """A tiny model on `train.jsonl` and `test.jsonl` of a folder; media `a`, `b`, `c`, `d` are there."""
    for name in "abcd":
        write_media(tmp_path / "media" / name)
    both = [[1, 0, 4, 4, 40, 40], [2, 1, 4, 4, 40, 40]]
    write_index(tmp_path / "train.jsonl", video("a", boxes=both), video("b"))
    write_index(tmp_path / "test.jsonl", video("c", boxes=both))
    node = tiny_config.DATASET["train"]
    dataset = {phase: {**node, "index": str(tmp_path / f"{phase}.jsonl")} for phase in ("train", "test")}
    return dataclasses.replace(tiny_config, classes=tuple(CLASSES), DATASET=dataset)


def said_of(config: Config, folder: Path, capsys: pytest.CaptureFixture[str], fast: bool = False) -> str:
    start_logging()
    with pytest.raises(ValueError, match="defects in the data, listed above"):
        check_datasets(config, folder / "out", fast)
    return capsys.readouterr().out


def test_good_data_pass_and_are_described(config: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start_logging()
    check_datasets(config, tmp_path / "out")
    said = capsys.readouterr().out
    assert "2 videos, 6 frames, 3 of them with 3 boxes" in said
    assert "frames by number of boxes: 1: 3" in said
    assert "no error in the data, 0 warnings" in said
    # 36 x 36 of 64 x 48 pixels are 36 x 48 of the 64 x 64 of the input
    assert [line.split()[1:] for line in said.splitlines() if line.split()[:1] == ["width"]] == [["36.0"] * 7] * 2
    assert [line.split()[1:] for line in said.splitlines() if line.split()[:1] == ["height"]] == [["48.0"] * 7] * 2
    # the anchor of the sample is 22.72 x 40 pixels, which lies in such a box
    assert f"train anchors (1): mean best IoU {22.72 * 40 / (36 * 48):.4f}, of 100.0% at least 0.5" in said
    for phase in ("train", "test"):
        assert cv2.imread(str(tmp_path / "out" / f"{phase}.png")).std() > 10


def test_frames_that_are_not_annotated_are_counted(
    config: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_index(tmp_path / "train.jsonl", video("a", annotated=[[1, 3, 2]]), video("b"))
    start_logging()
    check_datasets(config, tmp_path / "out")
    assert "2 videos, 6 frames, 2 of them with 2 boxes; 1 are not annotated" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ("{", "error: line that is no video: 1\n  {}: not a line of JSON"),
        (video("a"), "error: video twice: 1\n  {}: video a is in line 2 already"),
        (video("d", boxes=[[1, 0, 1, 1, 9, 9], [9, 0, 1, 1, 9, 9]]), "error: frame out of range: 1\n  {}: d: box 2"),
        (video("d", annotated=[[2, 3, 1]]), "error: box on a frame that is not annotated: 1\n  {}: d: box 1"),
        (video("d", boxes=[[1, 0, 5, 1, 5, 9]]), "error: box without area: 1\n  {}: d: box 1"),
        (video("d", boxes=[[2, 0, 1, 1, 66, 9]]), "error: box outside: 1\n  {}: d, frame 2: a box should lie in"),
        (video("d", boxes=[[2, 0, -1.5, 1, 60, 9]]), "error: box outside: 1\n  {}: d, frame 2: a box should lie in"),
        (video("d", boxes=[[2, 0, 1, 1, 2, 9]]), "warning: tiny box: 1\n  {}: d, frame 2: at 64x64 it is hardly there"),
        (video("d", boxes=[[2, 0, 1, 1, 9, 9]] * 2), "warning: box twice: 1\n  {}: d, frame 2: the same box"),
        (video("d", source="b"), "warning: media of two videos: 1\n  {}: d: "),
        (video("e"), "error: no media: 2\n  {}: e: "),
        (video("d", num_frames=4), "error: number of frames: 1\n  {}: d: expected 4 frames, "),
        (video("d", size=[64, 64]), "warning: other aspect: 1\n  {}: d: "),
        (video("c"), "error: video in two splits: 1\n  "),
        (video("d", source="c"), "error: video in two splits: 1\n  "),
    ],
)
def test_each_defect_is_named_with_its_line(
    config: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str], node: object, expected: str
) -> None:
    with (tmp_path / "train.jsonl").open("a") as file:
        file.write((node if isinstance(node, str) else json.dumps(node)) + "\n")
        file.write(json.dumps(video("missing")) + "\n")  # another defect, so that a warning ends with an error too
    said = said_of(config, tmp_path, capsys)
    assert expected.format(f"{tmp_path / 'train.jsonl'}:4") in said
    assert f"{tmp_path / 'train.jsonl'}:5: missing: " in said


def test_every_damaged_picture_is_named_unless_fast(
    config: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (1, 3):
        path = tmp_path / "media" / "b" / f"{number:05d}.png"
        path.write_bytes(path.read_bytes()[:60])
    cv2.imwrite(str(tmp_path / "media" / "a" / "00002.png"), np.zeros((10, 10, 3), np.uint8))
    said = said_of(config, tmp_path, capsys)
    assert "error: unreadable media: 1\n" in said  # b has no first picture to measure
    assert "a/00002.png: is 10x10, but 00001.png is 64x48" in said
    (tmp_path / "media" / "b" / "00001.png").write_bytes((tmp_path / "media" / "a" / "00001.png").read_bytes())
    said = said_of(config, tmp_path, capsys)
    assert "error: damaged frame: 2\n" in said
    assert "b/00003.png: not a complete PNG" in said
    start_logging()
    check_datasets(config, tmp_path / "out", fast=True)
    assert "nothing was decoded but the first frame" in capsys.readouterr().out


def test_the_length_of_a_video_file_is_counted_unless_fast(
    config: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "media" / "e.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (64, 48))
    for _ in range(5):
        writer.write(np.full((48, 64, 3), 90, np.uint8))
    writer.release()
    write_index(tmp_path / "test.jsonl", video("e", source="e.avi", num_frames=6))
    assert f"test.jsonl:2: e: expected 6 frames, {path} has 5" in said_of(config, tmp_path, capsys)
    check_datasets(config, tmp_path / "out", fast=True)


def test_classes_are_those_of_the_config_and_have_boxes(
    config: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_index(tmp_path / "test.jsonl", video("c"))
    said = said_of(dataclasses.replace(config, classes=("Run", "Sit", "Lie")), tmp_path, capsys)
    assert "error: other classes: 2\n" in said
    assert f"warning: class without boxes: 1\n  {tmp_path / 'test.jsonl'}: no box of class 1, Sit" in said


def test_a_missing_index_does_not_hide_the_other(
    config: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "train.jsonl").unlink()
    write_index(tmp_path / "test.jsonl", video("missing"))
    said = said_of(config, tmp_path, capsys)
    assert "error: no index: 1\n" in said
    assert "error: no media: 1\n" in said


def test_an_index_that_cannot_be_read_at_all(
    config: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "train.jsonl").write_text("{}\n")
    (tmp_path / "test.jsonl").write_text(json.dumps(HEADER) + "\n")
    said = said_of(config, tmp_path, capsys)
    assert "error: header: 1\n" in said
    assert "error: no box: 1\n" in said
    assert "other classes" not in said
    assert "0 videos, 0 frames, 0 of them with 0 boxes" in said
    with pytest.raises(KeyError, match="nothing to look at"):
        check_datasets(dataclasses.replace(config, DATASET={}), tmp_path)
    with pytest.raises(TypeError, match="'index' is missing"):
        check_datasets(dataclasses.replace(config, DATASET={"train": {"name": "ActionDataset"}}), tmp_path)


def test_more_than_ten_of_a_kind_are_counted(
    config: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_index(tmp_path / "train.jsonl", *(video(f"gone{k}") for k in range(13)))
    said = said_of(config, tmp_path, capsys)
    assert "error: no media: 13\n" in said
    assert said.count("gone") == 2 * dataset_check.SHOWN  # id and path
    assert f"  and 3 more, see {tmp_path / 'out' / 'defects.txt'}" in said
    written = (tmp_path / "out" / "defects.txt").read_text().splitlines()
    assert "error: no media: 13" in written
    assert [line.split()[1] for line in written if ": gone" in line] == [f"gone{k}:" for k in range(13)]
    assert all(f"{tmp_path / 'train.jsonl'}:{k + 2}: gone{k}: " in "".join(written) for k in range(13))


def test_phases_that_are_left_out(config: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start_logging()
    check_datasets(dataclasses.replace(config, DATASET={**config.DATASET, "test": None}), tmp_path / "out")
    assert "no error in the data" in capsys.readouterr().out
    assert not (tmp_path / "out" / "test.png").exists()
    with pytest.raises(KeyError, match="nothing to look at"):
        check_datasets(dataclasses.replace(config, DATASET={"train": None}), tmp_path)


def test_a_frame_is_an_example_once(config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    captions: list[str] = []
    sheet = dataset_check.contact_sheet
    monkeypatch.setattr(dataset_check, "contact_sheet", lambda p, names: captions.extend(names) or sheet(p, names))
    check_datasets(config, tmp_path / "out", fast=True)
    assert captions == ["a/00001", "b/00001", "a/00002", "c/00001", "c/00002"]


def test_a_frame_of_impossible_size_without_media(
    config: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_index(tmp_path / "train.jsonl", video("gone", size=[10**7, 10**7]))
    assert "gone: " in said_of(config, tmp_path, capsys)
    assert cv2.imread(str(tmp_path / "out" / "train.png")).shape[1] < 2000


def test_balance_by_hand() -> None:
    frames, labels = [1, 1, 4, 5, 4], [0, 0, 0, 0, 1]
    rows = np.array([[frame, label, 1, 1, 9, 9.0] for frame, label in zip(frames, labels, strict=True)])
    entries = [VideoEntry(name, Path(name), 5, (10, 10), rows[:count]) for name, count in (("a", 5), ("b", 1))]
    table = balance_table({"train": ActionIndex(("Run", "Sit"), tuple(entries)), "test": ActionIndex(("Run",), ())})
    assert table.splitlines()[-2].split() == ["Run", "5", "4", "2", "0", "0", "0"]
    assert table.splitlines()[-1].split() == ["Sit", "1", "1", "1", "0", "0", "0"]


def test_the_command(config: Config, tiny_overrides: list[str], sample_data: Path, tmp_path: Path) -> None:
    from tests.cli.test_main import CONFIG, flags

    tool = load_script("tools/check_dataset.py")
    arguments = ["-c", CONFIG, *flags(tiny_overrides), "--output", str(tmp_path / "sheets")]
    assert tool.main([*arguments, "--fast"]) == 0
    assert {path.name for path in (tmp_path / "sheets").iterdir()} == {"train.png", "test.png", "defects.txt"}
    assert tool.main([*arguments, "-o", f"DATASET.train.index={tmp_path / 'gone.jsonl'}"]) == 1
