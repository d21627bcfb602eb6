"""The sample data set: its files agree with each other and with the pixels, and only motion tells its classes apart."""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from paddlevideo.loader.index import read_index
from paddlevideo.utils.safe_pickle import load_pickle

FOLDER = Path(__file__).resolve().parents[2] / "data" / "sample"
TRAIN, TEST = 16, 4  # four rounds of classes: single, pair, single, sequel


@pytest.fixture(scope="module")
def make_videos() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_videos", FOLDER / "make_videos.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", list(sys.path))
        patch.setitem(sys.modules, spec.name, module)  # dataclasses look their module up here
        spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def scenes(make_videos):
    return {name: scene for _, name, scene in make_videos.plan(TRAIN, TEST, seed=0)}


@pytest.fixture(scope="module")
def out(make_videos, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample") / "new" / "folder"
    make_videos.generate(folder, TRAIN, TEST, seed=0)
    return folder


@pytest.fixture(scope="module")
def annotation(out):
    return load_pickle(out / "splitfiles" / "pyannot.pkl")


def split(out: Path, name: str) -> list[str]:
    return (out / "splitfiles" / f"{name}list01.txt").read_text().splitlines()


def read_labels(out: Path) -> dict[str, str]:
    return {str(file.relative_to(out / "labels")): file.read_text() for file in (out / "labels").rglob("*.txt")}


def read_frame(out: Path, video: str, number: int) -> np.ndarray:
    picture = cv2.imread(str(out / "rgb-images" / video / f"{number:05d}.jpg"))
    assert picture is not None
    return picture.astype(float)


def frame_sizes(out: Path, videos: list[str]) -> set[tuple[int, ...]]:
    return {read_frame(out, video, 1).shape[:2] for video in videos}


def edges(picture: np.ndarray) -> list[int]:
    """x1, y1, x2, y2 around the non-zero pixels of `[H, W]`; x2, y2 lie past them."""
    rows, columns = picture.nonzero()
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def test_every_class_is_in_both_splits_and_no_video_in_two(out, make_videos):
    train, test = split(out, "train"), split(out, "test")
    assert (len(train), len(test), len({*train, *test})) == (TRAIN, TEST, TRAIN + TEST)
    assert Counter(video.split("/")[0] for video in train) == dict.fromkeys(make_videos.CLASSES, TRAIN // 4)
    assert Counter(video.split("/")[0] for video in test) == dict.fromkeys(make_videos.CLASSES, TEST // 4)
    assert {"Hop/v_Hop_g01_c01", "Sway/v_Sway_g01_c04"} <= set(train)
    assert test == [f"{name}/v_{name}_g21_c01" for name in make_videos.CLASSES]


def test_test_groups_never_fall_among_train_groups(make_videos, monkeypatch):
    monkeypatch.setattr(make_videos, "make_scene", lambda *_: None)
    for train, first in ((16 * 20, 21), (16 * 20 + 1, 22)):
        names = [(kind, name) for kind, name, _ in make_videos.plan(train, 4, seed=0)]
        assert len(set(names)) == train + 4
        assert next(name for kind, name in names if kind == "test") == f"Hop/v_Hop_g{first}_c01"


def test_frames_are_numbered_from_one_and_equal_the_video(out, annotation):
    for video, entry in annotation.items():
        files = sorted(path.name for path in (out / "rgb-images" / video).iterdir())
        assert files == [f"{number:05d}.jpg" for number in range(1, entry["numf"] + 1)]
        movie, count = cv2.VideoCapture(str(out / "videos" / f"{video}.mp4")), 0
        while (shot := movie.read())[0]:
            count += 1
            still = read_frame(out, video, count)
            assert np.abs(shot[1] - still).mean() < 12, (video, count)
        assert (count, movie.get(cv2.CAP_PROP_FPS)) == (entry["numf"], 25)


def test_pictures_are_those_of_the_scene(out, scenes):
    for video, scene in scenes.items():
        for number in (1, scene.length // 2, scene.length):
            still = read_frame(out, video, number)
            assert np.abs(still - scene.frame(number - 1)).mean() < 8, (video, number)


def test_tubes_have_the_structure_of_ucf24(out, annotation, make_videos):
    assert set(annotation) == {*split(out, "train"), *split(out, "test")}
    for video, entry in annotation.items():
        assert entry["label"] == make_videos.CLASSES.index(video.split("/")[0])
        for tube in entry["annotations"]:
            assert set(tube) == {"label", "sf", "ef", "boxes"}
            assert tube["label"] == entry["label"]
            assert tube["boxes"].dtype == np.int32
            assert tube["boxes"].shape == (tube["ef"] - tube["sf"], 4)
            assert tube["ef"] - tube["sf"] >= 24
            assert tube["ef"] <= entry["numf"]


def test_labels_are_the_tubes_without_their_last_box(out, annotation):
    expected = {}
    for video, entry in annotation.items():
        for tube in entry["annotations"]:
            for k in range(tube["ef"] - tube["sf"] - 1):
                x, y, w, h = tube["boxes"][k]
                file = f"{video}/{tube['sf'] + 1 + k:05d}.txt"
                expected[file] = expected.get(file, "") + f"{entry['label'] + 1} {x} {y} {x + w} {y + h}\n"
    assert read_labels(out) == expected


def test_boxes_are_tight_on_the_pixels_an_actor_hides(scenes, annotation):
    """A pixel that is less than half as different between a black and a white background is covered by the actor."""
    for video, scene in scenes.items():
        for actor, tube in zip(scene.actors, annotation[video]["annotations"], strict=True):
            plain = [np.full_like(scene.backdrop, value) for value in (0, 255)]
            dark, light = (dataclasses.replace(scene, backdrop=b, distractors=[], actors=[actor]) for b in plain)
            for k in range(0, len(tube["boxes"]), 5):
                x, y, w, h = tube["boxes"][k].tolist()
                assert min(w, h) >= 8
                frame = actor.start + k
                mask = actor.layer(frame, scene.width, scene.height)[..., 3] >= 0.5
                assert edges(mask) == [x, y, x + w, y + h]
                shown = light.frame(frame).astype(int) - dark.frame(frame)
                np.testing.assert_allclose(edges(shown.mean(-1) < 128), [x, y, x + w, y + h], atol=1, err_msg=video)


def test_actors_stay_inside_the_frame_at_every_phase(scenes):
    for scene in scenes.values():
        for actor in scene.actors:
            for frame in range(actor.start - 8, actor.stop + 4):
                alpha = actor.layer(frame, scene.width, scene.height)[..., 3]
                assert not (alpha[[0, -1]].any() or alpha[:, [0, -1]].any())


def test_figures_at_one_time_do_not_overlap(annotation):
    pairs = 0
    for entry in annotation.values():
        for one, two in zip(entry["annotations"], entry["annotations"][1:], strict=False):
            shared = range(max(one["sf"], two["sf"]), min(one["ef"], two["ef"]))
            pairs += bool(shared)
            for frame in shared:
                left, right = sorted(
                    [one["boxes"][frame - one["sf"]].tolist(), two["boxes"][frame - two["sf"]].tolist()]
                )
                assert left[0] + left[2] <= right[0]
    assert pairs == 4  # one video of each class


def test_every_video_has_frames_without_action_and_some_have_a_gap(annotation):
    gaps = 0
    for entry in annotation.values():
        acting = np.zeros(entry["numf"], bool)
        for tube in entry["annotations"]:
            acting[tube["sf"] : tube["ef"]] = True
        assert not acting[:12].any()
        assert not acting[-6:].any()
        gaps += int(np.diff(acting.astype(int)).clip(min=0).sum()) - 1
    assert gaps == 4  # one video of each class


def test_a_figure_shows_its_motion_for_eight_frames_before_it_is_annotated(scenes):
    for scene in scenes.values():
        for actor in scene.actors:
            opacity = [actor.opacity(frame) for frame in range(actor.start - 9, actor.stop + 5)]
            np.testing.assert_allclose(opacity[:10], np.arange(10) / 9)
            assert opacity[9:-5] == [1.0] * (actor.stop - actor.start)
            np.testing.assert_allclose(opacity[-5:], [0.8, 0.6, 0.4, 0.2, 0])


def test_class_enters_only_through_motion(make_videos):
    """The four classes start from the same random numbers: at frame 0 their pictures are equal, later none are."""
    scenes = [
        make_videos.make_scene(np.random.default_rng(7), make_videos.TRAIN, label, "single") for label in range(4)
    ]
    layers = {frame: [scene.actors[0].layer(frame, 160, 128) for scene in scenes] for frame in (0, 5)}
    for one in range(4):
        assert np.array_equal(layers[0][one], layers[0][0])
        for two in range(one):
            assert np.abs(layers[5][one] - layers[5][two])[..., 3].sum() > 100


def test_each_class_moves_in_its_own_way(make_videos):
    """Over one period Hop changes only y, Sway only x, Pulse only the size; Spin keeps the covered area and turns."""
    wide, moved = 400, {}
    for label, name in enumerate(make_videos.CLASSES):
        room = np.array([[0.0, 0.0], [wide, wide]])
        actor = make_videos.make_actor(np.random.default_rng(3), make_videos.TRAIN, label, (20, 60), room, 100.0)
        actor = dataclasses.replace(actor, path=np.full((2, 2), wide / 2))
        alphas = [actor.layer(frame, wide, wide)[..., 3] for frame in range(20, 36)]
        boxes = np.array([edges(alpha >= 0.5) for alpha in alphas])
        centres, sides = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
        areas = np.sqrt([alpha.sum() for alpha in alphas])
        moved[name] = (*np.ptp(centres, axis=0), *np.ptp(sides, axis=0), np.ptp(areas) / areas.mean())
    swing = pytest.approx(2 * 0.32 * 100, abs=4)  # twice the amplitude, for a figure of 100 pixels
    still = pytest.approx(0, abs=2)
    growth = np.exp(0.25) - np.exp(-0.25)
    assert moved["Hop"] == (still, swing, still, still, pytest.approx(0, abs=0.01))
    assert moved["Sway"] == (swing, still, still, still, pytest.approx(0, abs=0.01))
    assert moved["Pulse"][4] == pytest.approx(growth, abs=0.1)
    assert moved["Spin"][4] == pytest.approx(0, abs=0.01)
    assert min(moved["Spin"][2:4]) > 5


def test_splits_share_no_look(out, make_videos):
    train, test = make_videos.TRAIN, make_videos.TEST
    for key in ("patterns", "corners"):
        assert not set(getattr(train, key)) & set(getattr(test, key))
    assert {(height, width) for width, height in train.sizes} >= frame_sizes(out, split(out, "train"))
    assert {(height, width) for width, height in test.sizes} >= frame_sizes(out, split(out, "test"))
    assert not frame_sizes(out, split(out, "train")) & frame_sizes(out, split(out, "test"))


def test_the_same_scene_is_shown_with_every_class(scenes):
    """A background cannot give a class away: the n-th videos of all classes share it."""
    for scene in scenes.values():
        same = [other for other in scenes.values() if np.array_equal(other.backdrop, scene.backdrop)]
        assert {other.actors[0].label for other in same} == {0, 1, 2, 3}


def test_same_seed_same_files_and_second_run_replaces_the_first(out, make_videos, tmp_path):
    make_videos.generate(tmp_path, TRAIN, TEST, seed=1)
    assert read_labels(tmp_path) != read_labels(out)
    make_videos.generate(tmp_path, TRAIN, TEST, seed=0)
    assert read_labels(tmp_path) == read_labels(out)
    for name in ("splitfiles/pyannot.pkl", "rgb-images/Spin/v_Spin_g21_c01/00020.jpg"):
        assert (tmp_path / name).read_bytes() == (out / name).read_bytes()
    assert len(list(tmp_path.glob("videos/*/*.mp4"))) == TRAIN + TEST


@pytest.mark.parametrize("entry", ["rgb-images/mine.jpg", "labels/mine.txt", "classes.txt"])
def test_a_data_set_of_another_origin_is_left_alone(make_videos, tmp_path, entry):
    (tmp_path / entry).parent.mkdir(exist_ok=True)
    (tmp_path / entry).write_text("mine")
    with pytest.raises(FileExistsError, match=rf"{tmp_path}.*\.generated.*{entry.split('/')[0]}.*-o"):
        make_videos.generate(tmp_path, 4, 4)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / entry]
    assert (tmp_path / entry).read_text() == "mine"


def test_committed_class_names_are_those_of_the_script(out, make_videos):
    assert (FOLDER / "classes.txt").read_text() == (out / "classes.txt").read_text() == "Hop\nPulse\nSpin\nSway\n"
    assert list(make_videos.CLASSES) == sorted(make_videos.CLASSES)


def test_a_fresh_clone_with_its_class_names_is_accepted(make_videos, tmp_path):
    (tmp_path / "classes.txt").write_bytes((FOLDER / "classes.txt").read_bytes())
    make_videos.clear(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".generated", "classes.txt"]


def test_command_names_a_folder_that_cannot_be_written(make_videos, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert make_videos.main(["-o", str(tmp_path / "file" / "out"), "--train", "4", "--test", "4"]) == 1
    assert f"error: {tmp_path / 'file' / 'out'}: cannot write into this folder" in capsys.readouterr().err
    with pytest.raises(PermissionError, match="file"):
        make_videos.generate(tmp_path / "file", 4, 4)


@pytest.mark.parametrize(("train", "test", "seed"), [(3, 4, 0), (4, 3, 0), (4, 4, -1)])
def test_too_few_videos_are_refused_before_anything_is_written(make_videos, tmp_path, train, test, seed):
    with pytest.raises(ValueError, match=f"at least 4 .* got --train {train} --test {test} --seed {seed}"):
        make_videos.generate(tmp_path / "out", train, test, seed)
    assert not (tmp_path / "out").exists()


def test_interactions_are_labels_of_their_own_that_one_frame_shows(make_videos, tmp_path):
    make_videos.generate(tmp_path, 16, 4, seed=0, interactions=True)
    index = read_index(tmp_path / "train.jsonl")
    assert index.classes == (*make_videos.CLASSES, *make_videos.INTERACTIONS)
    assert not (tmp_path / "labels").exists()
    assert all((video.source / "00001.jpg").is_file() for video in index.videos)
    rows = np.concatenate([np.insert(video.boxes, 0, n, axis=1) for n, video in enumerate(index.videos)])
    boxes, actor = np.unique(rows[:, [0, 1, 3, 4, 5, 6]], axis=0, return_inverse=True)
    labels = np.zeros((len(boxes), len(index.classes)), int)
    labels[actor.ravel(), rows[:, 2].astype(int)] = 1
    assert (labels[:, :4].sum(1) == 1).all()  # one action each
    assert labels[:, 4:].any(0).all()  # each interaction is there,
    assert not labels[:, 4:].all(0).any()  # and neither in every box
    assert {video.id.partition("/")[0] for video in index.videos} == set(make_videos.CLASSES)


@pytest.mark.parametrize("number", [0, 1])
def test_each_interaction_is_drawn(make_videos, number):
    plain, drawn = (
        make_videos.paint_figure(np.random.default_rng(0), make_videos.TRAIN, things) for things in ((), (number,))
    )
    changed = (plain != drawn).any(-1)
    assert changed.sum() > 800
    assert (drawn[make_videos.draw_thing(number) > 0] == (255, 255, 255, 1)).all()
