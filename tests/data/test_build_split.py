from __future__ import annotations

import json
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from paddlevideo.formats.report import totals
from paddlevideo.loader.index import read_index
from tests.conftest import REPOSITORY, load_script

script = load_script("data/ucf24/build_split.py")
REAL = REPOSITORY.parent / "shared" / "data"
NAMES = ("Jump/v_Jump_g01_c01", "Jump/v_Jump_g02_c01", "Run/v_Run_g01_c01", "Run/v_Run_g02_c01")
SIZES = ((300, 40), (64, 48), (64, 40), (80, 48))  # width, height: the first passes what uint8 can count
NUM_FRAMES = 8


def make_tubes(position: int, label: int) -> list[dict]:
    """Two overlapping tubes: frames 2..6 and 4..8, counted from 1; coordinates by frame."""
    width, height = SIZES[position]
    left = np.array([[width - 60 + k, 5, 50, 20 + k] for k in range(5)], np.uint8 if width < 256 else np.uint16)
    right = np.array([[1, 1 + k, width - 1, height - 20] for k in range(5)], left.dtype)
    if width == 300:
        left, right = (np.array([[200 + k, 5, 90, 20] for k in range(5)], np.uint8), right)  # x + w passes 255
    return [
        {"label": label, "sf": 1, "ef": 6, "boxes": left},
        {"label": label, "sf": 3, "ef": 8, "boxes": right},
    ]


def make_annotation() -> dict:
    return {
        np.str_(name): {
            "label": (label := NAMES[position].startswith("Run") * 1),
            "numf": np.uint8(NUM_FRAMES),
            "annotations": make_tubes(position, label),
        }
        for position, name in enumerate(NAMES)
    }


def write_media(root: Path, position: int) -> None:
    name, size = NAMES[position], SIZES[position]
    images, video = root / "rgb-images" / name, root / "videos" / f"{name}.avi"
    images.mkdir(parents=True)
    video.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"MJPG"), 25, size)
    for number in range(1, NUM_FRAMES + 1):
        picture = np.full((size[1], size[0], 3), 20 * number, np.uint8)
        cv2.imwrite(str(images / f"{number:05d}.jpg"), picture)
        writer.write(picture)
    writer.release()


def write_labels(root: Path, name: str, tubes: list[dict]) -> None:
    folder = root / "labels" / name
    folder.mkdir(parents=True)
    for tube in tubes:
        for k, (x, y, w, h) in enumerate(tube["boxes"][:-1].tolist()):
            with (folder / f"{tube['sf'] + 1 + k:05d}.txt").open("a") as file:
                file.write(f"{tube['label'] + 1} {x} {y} {x + w} {y + h}\n")
    (folder / "00008.txt").touch()  # a frame without action


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("original") / "data"
    for position, (name, node) in enumerate(make_annotation().items()):
        write_media(root, position)
        write_labels(root, str(name), node["annotations"])
    (root / "splitfiles").mkdir()
    (root / "splitfiles" / "pyannot.pkl").write_bytes(pickle.dumps(make_annotation(), protocol=3))
    (root / "splitfiles" / "trainlist01.txt").write_text(f"{NAMES[1]}\n{NAMES[3]}\n")
    (root / "splitfiles" / "testlist01.txt").write_text(f"{NAMES[0]}\r\n{NAMES[2]}")  # no newline at the end
    return root


@pytest.fixture
def root(original, tmp_path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "data"))


def build(root: Path, *options: str | Path, out: str = "out") -> Path:
    folder = root.parent / out
    script.run([str(root), "-o", str(folder), *map(str, options)])
    return folder


def change_annotation(root: Path, change) -> None:
    content = make_annotation()
    change(content)
    (root / "splitfiles" / "pyannot.pkl").write_bytes(pickle.dumps(content, protocol=3))


def test_both_layouts_give_the_same_boxes(root, capsys):
    archive, videos = build(root, out="a"), build(root, "--videos", root / "videos", out="b")
    for split in ("train", "test"):
        one, other = (read_index(folder / f"{split}.jsonl") for folder in (archive, videos))
        assert one.classes == other.classes == ("Jump", "Run")
        for a, b in zip(one.videos, other.videos, strict=True):
            assert (a.id, a.num_frames, a.size) == (b.id, b.num_frames, b.size)
            np.testing.assert_array_equal(a.boxes, b.boxes)
            np.testing.assert_array_equal(a.actors, b.actors)
    assert (archive / "classes.txt").read_text() == "Jump\nRun\n"
    assert one.videos[0].source == (root / "rgb-images" / NAMES[0]).resolve()
    assert other.videos[0].source == (root / "videos" / f"{NAMES[0]}.avi").resolve()


@pytest.mark.parametrize("options", [(), ("--videos", "videos")])
def test_boxes_by_hand(root, options):
    folder = build(root, *(root / o if o == "videos" else o for o in options))
    videos = read_index(folder / "test.jsonl").videos
    assert [video.id for video in videos] == [NAMES[0], NAMES[2]]
    assert videos[0].size == (40, 300)
    assert videos[0].boxes[:4].tolist() == [
        [2, 0, 200, 5, 290, 25],  # sf 1 is frame 2; 200 + 90 does not wrap
        [3, 0, 201, 5, 291, 25],
        [4, 0, 1, 1, 300, 21],
        [4, 0, 202, 5, 292, 25],
    ]
    assert set(videos[1].boxes[:, 1]) == {1}
    assert videos[0].actors.tolist() == [0, 0, 1, 0, 1, 0, 1, 1]  # frames 2, 3, 4, 4, 5, 5, 6, 7


def test_tube_ends(root):
    dropped = read_index(build(root, "--videos", root / "videos", out="a") / "test.jsonl")
    kept = read_index(build(root, "--videos", root / "videos", "--tube-ends", "keep", out="b") / "test.jsonl")
    assert np.bincount(dropped.videos[0].boxes[:, 0].astype(int), minlength=9).tolist() == [0, 0, 1, 1, 2, 2, 1, 1, 0]
    assert np.bincount(kept.videos[0].boxes[:, 0].astype(int), minlength=9).tolist() == [0, 0, 1, 1, 2, 2, 2, 1, 1]
    with pytest.raises(ValueError, match=r"--tube-ends keep .*need --videos"):
        build(root, "--tube-ends", "keep")


def test_equal_boxes_of_two_tubes_have_two_actors(root):
    def copy_boxes(content):
        first, second = content[NAMES[0]]["annotations"]
        second.update(sf=first["sf"], ef=first["ef"], boxes=first["boxes"])

    change_annotation(root, copy_boxes)
    shutil.rmtree(root / "labels" / NAMES[0])
    content = make_annotation()
    copy_boxes(content)
    write_labels(root, NAMES[0], content[NAMES[0]]["annotations"])
    for options in ((), ("--videos", root / "videos")):
        assert read_index(build(root, *options) / "test.jsonl").videos[0].actors.tolist() == [0, 1] * 4


@pytest.mark.parametrize("change", ["absent", "other box", "other label", "other video"])
def test_labels_without_their_tubes_have_no_actors(root, capsys, change):
    """Neither split has actors, though the tubes of all but one video are known."""
    tubes = {
        "absent": lambda content: None,
        "other box": lambda content: content[NAMES[2]]["annotations"][1].update(sf=2, ef=7),
        "other label": lambda content: content[NAMES[2]].update(label=0, annotations=make_tubes(2, 0)),
        "other video": lambda content: content.pop(NAMES[2]),
    }
    change_annotation(root, tubes[change])
    if change == "absent":
        (root / "splitfiles" / "pyannot.pkl").unlink()
    folder = build(root)
    notes = [line for line in capsys.readouterr().out.splitlines() if "video-mAP needs" in line]
    assert len(notes) == 1
    problem = "is not there" if change == "absent" else f"has other boxes than the labels of {NAMES[2]}"
    assert notes[0].endswith(f"pyannot.pkl {problem}")
    videos = [video for split in ("train", "test") for video in read_index(folder / f"{split}.jsonl").videos]
    assert [video.actors for video in videos] == [None] * 4


def test_the_sample_has_actors(sample_data):
    for split in ("train", "test"):
        for video in read_index(sample_data / f"{split}.jsonl").videos:
            assert video.actors is not None
            for actor in np.unique(video.actors):
                frames = video.boxes[video.actors == actor, 0]
                assert (np.diff(frames) == 1).all()  # a tube has no hole
                assert len(frames) > 20


def test_table(root, capsys):
    build(root)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["train", "2", "16", "12", "16"] in lines
    assert ["1", "Jump", "8", "8"] in lines
    assert ["train", "and", "test", "share", "no", "video"] in lines


def test_train_is_the_rest_of_the_annotation(root):
    (root / "splitfiles" / "trainlist01.txt").unlink()
    folder = build(root, "--videos", root / "videos")
    assert [video.id for video in read_index(folder / "train.jsonl").videos] == [NAMES[1], NAMES[3]]
    with pytest.raises(FileNotFoundError, match=r"trainlist01\.txt"):
        build(root)


def test_missing_videos_are_counted(root, capsys):
    for name in (NAMES[1], NAMES[2], NAMES[3]):
        (root / "videos" / f"{name}.avi").unlink()
    (root / "videos" / f"{NAMES[0]}.avi").rename(root / "videos" / "v_Jump_g01_c01.avi")  # without a class folder
    folder = build(root, "--videos", root / "videos")
    printed = capsys.readouterr().out
    assert f"present 1 of 2 test videos; no file for 1: {NAMES[2]}" in printed
    assert re.search(r"note: .*train\.jsonl is not written", printed)
    assert not (folder / "train.jsonl").exists()
    assert read_index(folder / "test.jsonl").classes == ("Jump", "Run")  # though no Run is present
    with pytest.raises(FileNotFoundError, match=rf"no file for {NAMES[1]}"):
        build(root, "--videos", root / "videos", "--require-all")


def test_no_video_at_all(root):
    (root / "none").mkdir()
    with pytest.raises(FileNotFoundError, match=r"none of the listed videos.*YOWO archive.*pyannot\.pkl"):
        build(root, "--videos", root / "none")
    with pytest.raises(FileNotFoundError, match=r"rgb-images: no such folder.*YOWO archive.*pyannot\.pkl"):
        build(root / "none")


def test_same_list_for_both_splits(root, capsys):
    test_list = root / "splitfiles" / "testlist01.txt"
    folder = build(root, "--train-list", test_list, "--test-list", test_list)
    assert (folder / "train.jsonl").read_bytes() == (folder / "test.jsonl").read_bytes()
    assert "train and test share 2 videos" in capsys.readouterr().out


def test_splits_may_not_share_a_video(root):
    with (root / "splitfiles" / "trainlist01.txt").open("a") as file:
        file.write(NAMES[0])
    with pytest.raises(ValueError, match=r"trainlist01\.txt:3: Jump/v_Jump_g01_c01 is a test video too"):
        build(root)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Jump/a/b.jpg\n", r":1: expected Class/video"),
        ("Jump\n", r":1: expected Class/video"),
        ("Jump/..\n", r":1: expected Class/video"),
        (f"{NAMES[0]}\n\n{NAMES[0]}\n", r":3: .* is listed already at .*:1"),
        (f"{NAMES[0]}.avi 1\n{NAMES[0]}\n", r":2: .* is listed already at .*:1"),
        ("\n", "empty list"),
    ],
)
def test_wrong_list(root, text, message):
    (root / "splitfiles" / "testlist01.txt").write_text(text)
    with pytest.raises(ValueError, match=rf"testlist01\.txt:? ?.*{message}"):
        build(root)


def test_class_names_with_blanks_and_lists_of_ucf101(root):
    for kind in ("rgb-images", "labels", "videos"):
        (root / kind / "Jump").rename(root / kind / "Long Jump")
    spaced = {name: name.replace("Jump/", "Long Jump/") for name in NAMES}
    content = {spaced[name]: node for name, node in make_annotation().items()}
    (root / "splitfiles" / "pyannot.pkl").write_bytes(pickle.dumps(content, protocol=3))
    lists = {"train": f"{spaced[NAMES[1]]}.avi 1\n{NAMES[3]}.avi 2\n", "test": f"{spaced[NAMES[0]]}\n{NAMES[2]}\n\n"}
    for split, text in lists.items():
        (root / "splitfiles" / f"{split}list01.txt").write_text(text)
    for options in ((), ("--videos", root / "videos")):
        folder = build(root, *options)
        ids = {split: [v.id for v in read_index(folder / f"{split}.jsonl").videos] for split in lists}
        assert ids == {"train": [spaced[NAMES[1]], NAMES[3]], "test": [spaced[NAMES[0]], NAMES[2]]}
        assert (folder / "classes.txt").read_text() == "Long Jump\nRun\n"


def test_listed_video_without_folder(root):
    shutil.rmtree(root / "rgb-images" / NAMES[2])
    with pytest.raises(FileNotFoundError, match=rf"testlist01\.txt:2: no folder .*{NAMES[2]}"):
        build(root)


def test_listed_video_without_annotation(root, capsys):
    shutil.rmtree(root / "labels" / NAMES[2])
    change_annotation(root, lambda content: content.pop(NAMES[2]))
    for options in ((), ("--videos", root / "videos")):
        assert [video.id for video in read_index(build(root, *options) / "test.jsonl").videos] == [NAMES[0]]
        assert f"1 of 2 listed test videos have no annotation and are left out: {NAMES[2]}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1 2 3 4", "expected 5 finite numbers"),
        ("1 2 3 4 5 6", "expected 5 finite numbers"),
        ("1 2 3 x 5", "expected 5 finite numbers"),
        ("1 2 3 nan 5", "expected 5 finite numbers"),
        ("0 2 3 4 5", r"integer in 1\.\.2"),
        ("3 2 3 4 5", r"integer in 1\.\.2"),
        ("1.5 2 3 4 5", r"integer in 1\.\.2"),
        ("1 4 3 4 5", "x1 should be less"),
        ("1 2 5 4 5", "y1 less"),
    ],
)
def test_wrong_label_row(root, row, message):
    (root / "labels" / NAMES[1] / "00001.txt").write_text(f"1 2 3 4 5\n{row}\n")
    with pytest.raises(ValueError, match=rf"00001\.txt:2: .*{message}"):
        build(root)


def test_label_file_without_picture(root):
    (root / "labels" / NAMES[1] / "00009.txt").write_text("1 2 3 4 5\n")
    with pytest.raises(FileNotFoundError, match=rf"labels/{NAMES[1]}/00009\.txt: .*rgb-images/{NAMES[1]}/00009\.jpg"):
        build(root)


def test_class_numbers_must_agree_with_folders(root):
    (root / "labels" / NAMES[3] / "00001.txt").write_text("1 2 3 4 5\n")
    with pytest.raises(ValueError, match=r"00001\.txt:1: class number 1 .* goes with Run here, but .*number"):
        build(root)


def test_class_without_boxes_needs_a_list_of_classes(root):
    (root / "rgb-images" / "Sit").mkdir()
    with pytest.raises(ValueError, match=r"name of class 3 of 1\.\.3; pass --classes"):
        build(root)
    names = root / "names.txt"
    names.write_text("Jump\nRun\nSit\n")
    assert read_index(build(root, "--classes", names) / "test.jsonl").classes == ("Jump", "Run", "Sit")


@pytest.mark.parametrize("options", [(), ("--videos", "videos")])
def test_given_classes_are_checked_against_the_data(root, options):
    names = root / "names.txt"
    names.write_text("Run\nJump\n")
    with pytest.raises(ValueError, match=r"class number 1 .* goes with Jump here, but the number of Jump is 2"):
        build(root, *(root / o if o == "videos" else o for o in options), "--classes", names)


def test_numbers_need_not_be_alphabetical(root):
    for path in (root / "labels").glob("*/*/*.txt"):
        rows = [line.split(" ", 1) for line in path.read_text().splitlines()]
        path.write_text("".join(f"{3 - int(number)} {box}\n" for number, box in rows))
    assert read_index(build(root) / "test.jsonl").classes == ("Run", "Jump")


def test_other_class_file_is_not_overwritten(root):
    (root.parent / "out").mkdir()
    (root.parent / "out" / "classes.txt").write_text("Basketball\nBiking\n")
    for options in ((), ("--videos", root / "videos")):
        with pytest.raises(ValueError, match=r"classes\.txt: holds 2 other classes"):
            build(root, *options)
    assert [path.name for path in (root.parent / "out").iterdir()] == ["classes.txt"]


def test_other_frame_count(root):
    change_annotation(root, lambda content: content[NAMES[2]].update(numf=np.uint8(9)))
    with pytest.raises(ValueError, match=rf"{NAMES[2]}: the annotation says 9 frames, .* has 8"):
        build(root, "--videos", root / "videos")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ef": 7}, "should have 6 boxes"),
        ({"label": 1}, "has label 1, its video 0"),
        ({"sf": 4, "ef": 9}, r"integer in 1\.\.8"),
        ({"boxes": np.zeros((5, 4), np.uint8)}, "x1 should be less"),
        ({"boxes": np.full((5, 4), np.nan)}, "finite"),
        ({"boxes": None}, "TypeError: .*NoneType"),
        ({"boxes": [[1, 2, 3, 4]] * 5}, "should be an array, got list"),
        ({"sf": "x"}, "expected label, numf and tubes"),
    ],
)
def test_wrong_tube(root, change, message):
    change_annotation(root, lambda content: content[NAMES[0]]["annotations"][0].update(change))
    with pytest.raises(ValueError, match=rf"pyannot\.pkl: {NAMES[0]}: .*{message}"):
        build(root, "--videos", root / "videos", "--tube-ends", "keep")


@pytest.mark.parametrize("label", [-1, 10**4, float("inf")])
def test_impossible_labels(root, label):
    change_annotation(root, lambda content: content[NAMES[0]].update(label=label, annotations=[]))
    with pytest.raises(ValueError, match=rf"pyannot\.pkl: {NAMES[0]}: expected label, numf and tubes"):
        build(root, "--videos", root / "videos")


def test_wrong_annotation_file(root):
    change_annotation(root, lambda content: content[NAMES[0]].pop("numf"))
    with pytest.raises(ValueError, match=rf"{NAMES[0]}: expected label, numf and tubes \(KeyError: 'numf'\)"):
        build(root, "--videos", root / "videos")
    (root / "splitfiles" / "pyannot.pkl").write_bytes(pickle.dumps([1]))
    with pytest.raises(ValueError, match="expected a dictionary of videos, got list"):
        build(root, "--videos", root / "videos")


def test_box_outside_of_the_frame(root):
    with pytest.raises(ValueError, match=rf"{NAMES[0]}, frame 4: box \[1\.0, 1\.0, 300\.0, 21\.0\].*frame of 298x40"):
        build(root, "--videos", root / "videos", "--annotation-size", "298x40")
    folder = build(root, "--videos", root / "videos", "--annotation-size", "299x48")  # one pixel over is let pass
    assert {video.size for video in read_index(folder / "test.jsonl").videos} == {(48, 299)}


def test_warning_of_another_annotation_size(root, capsys):
    only = root / "only.txt"
    only.write_text(NAMES[2])
    options = ("--train-list", only, "--test-list", only)
    build(root, "--videos", root / "videos", *options)
    assert "warning: the boxes of the whole annotation reach to 300x" in capsys.readouterr().err
    build(root, *options, "--classes", _write(root / "names.txt", "Jump\nRun\n"))
    assert "reach to 64x40" not in capsys.readouterr().err


def _write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_output_folder_that_is_a_file(root):
    (root.parent / "out").write_text("")
    with pytest.raises(PermissionError, match="out: cannot write"):
        build(root)


def test_command_without_installation(root, tmp_path):
    command = [sys.executable, "data/ucf24/build_split.py", str(root), "-o", str(root)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads((root / "test.jsonl").read_text().splitlines()[0])["root"] == "."
    shutil.rmtree(root / "rgb-images")
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(not (REAL / "ucf24_annotations").is_dir(), reason="the real annotation is not here")
@pytest.mark.parametrize(
    ("tube_ends", "train", "test"),
    [
        ("drop", (2284, 395868, 337834, 400139), (910, 159289, 137557, 169265)),
        ("keep", (2284, 395868, 340336, 403282), (910, 159289, 138527, 170580)),
    ],
)
def test_figures_of_the_real_annotation(tube_ends, train, test):
    """The drop figures of the test split are those of the published ground truth archive."""
    videos = script.read_tubes(REAL / "ucf24_annotations" / "pyannot.pkl", tube_ends)
    test_names = script.read_list(REAL / "ucf24_annotations" / "testlist01.txt")
    train_names = script.complement(videos, test_names)
    assert totals(videos[name] for name in train_names) == train
    assert totals(videos[name] for name in test_names) == test


@pytest.mark.skipif(not (REAL / "ucf24_clips").is_dir(), reason="the real clips are not here")
def test_real_clips(tmp_path, capsys):
    annotation = REAL / "ucf24_annotations"
    options = ["--videos", REAL / "ucf24_clips", "--annotation", annotation / "pyannot.pkl", "-o", tmp_path]
    options += ["--test-list", annotation / "testlist01.txt"]
    script.run([*map(str, options), "--annotation-size", "320x240", "--tube-ends", "keep"])
    index = read_index(tmp_path / "test.jsonl")
    own_class_file = (REPOSITORY / "data" / "ucf24" / "classes.txt").read_text().splitlines()
    assert list(index.classes) == own_class_file
    told = json.loads((REAL / "ucf24_clips" / "annotations.json").read_text())["videos"]
    videos = {video.id: video for video in index.videos}
    assert len(videos) == len(told) == 6
    for node in told:
        expected = [
            [tube["start_frame"] + 1 + k, node["class_id"] - 1, *box]
            for tube in node["tubes"]
            for k, box in enumerate(tube["boxes"])
        ]
        assert sorted(videos[node["video_key"]].boxes.tolist()) == sorted(expected)
    script.run([*map(str, options)])
    assert "reach to 320x240, but the videos are 340x256" in capsys.readouterr().err
