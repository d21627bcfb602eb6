"""Tube annotations: `gttubes` pickles, and UCF101-24's pickle and .mat file."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from paddlevideo.formats import ucf24
from paddlevideo.formats.ucf24 import read_tubes
from paddlevideo.loader.index import read_index
from tests.formats.files import convert, converted, write_frames, write_text

GTTUBES: dict[str, Any] = {
    "labels": ["catch", "wave"],
    "gttubes": {
        "wave/v1": {1: [np.array([[1, 10, 20, 30, 40], [2, 11, 20, 31, 40]], np.float32)]},
        "catch/v2": {
            0: [np.array([[3, 1, 2, 3, 4.5]]), np.array([[3, 5, 6, 7, 8]])],
            1: [np.array([[4, 1, 2, 3, 4]], np.int32)],
        },
    },
    "nframes": {"wave/v1": 5, "catch/v2": 4},
    "resolution": {"wave/v1": (240, 320), "catch/v2": (100, 200)},
    "train_videos": [["wave/v1"], ["catch/v2"]],
    "test_videos": [["catch/v2"], ["wave/v1"]],
}


class Python2Pickler(pickle._Pickler):  # type: ignore[name-defined]
    """Writes text and bytes as Python 2 does: as strings without an encoding."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)  # type: ignore[attr-defined]

    def save_string(self, value: str | bytes) -> None:
        data = value if isinstance(value, bytes) else value.encode("latin1")
        self.write(pickle.BINSTRING + len(data).to_bytes(4, "little") + data)  # type: ignore[attr-defined]
        self.memoize(value)  # type: ignore[attr-defined]

    dispatch[str] = dispatch[bytes] = save_string


def write_pickle(path: Path, content: Any, python: int = 3) -> Path:
    with path.open("wb") as file:
        pickler = Python2Pickler(file, 2) if python == 2 else pickle.Pickler(file, 4)
        pickler.dump(content)
    return path


@pytest.mark.parametrize("python", [2, 3])
def test_gttubes_with_their_splits(tmp_path: Path, python: int) -> None:
    path = write_pickle(tmp_path / "GT.pkl", GTTUBES, python)
    (video,) = converted(tmp_path, "--from", "gttubes", path, split="train").videos
    assert (video.id, video.num_frames, video.size) == ("wave/v1", 5, (240, 320))
    assert video.boxes.tolist() == [[1, 1, 10, 20, 30, 40], [2, 1, 11, 20, 31, 40]]
    test = read_index(tmp_path / "out" / "test.jsonl")
    assert test.classes == ("catch", "wave")
    (video,) = test.videos
    assert video.boxes.tolist() == [[3, 0, 1, 2, 3, 4.5], [3, 0, 5, 6, 7, 8], [4, 1, 1, 2, 3, 4]]
    assert video.actors is not None
    assert video.actors.tolist() == [0, 1, 2]
    second = converted(tmp_path, "--from", "gttubes", path, "--from-option", "split=2", split="train")
    assert [video.id for video in second.videos] == ["catch/v2"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": ["wave", "wave"]}, r"GT\.pkl: labels: the class wave stands in .*labels already"),
        ({"labels": ["catch"]}, r"GT\.pkl: wave/v1, tube 1: expected one of 1 labels, from 0, got 1"),
        ({"nframes": {}}, r"GT\.pkl: wave/v1: expected a dictionary with .*\(KeyError: 'wave/v1'\)"),
        ({"nframes": {"wave/v1": 1, "catch/v2": 4}}, r"wave/v1, tube 1: the frame should be an integer in 1\.\.1"),
        (
            {"resolution": {"wave/v1": (1, 2, 3)}},
            r"wave/v1: expected a resolution of height and width, got \(1, 2, 3\)",
        ),
        (
            {"resolution": {**GTTUBES["resolution"], "wave/v1": (240, 0)}},
            r"wave/v1: expected 1\.\.10000000 frames and a size .* of \(240, 0\)",
        ),
        ({"resolution": {"wave/v1": 3}}, r"GT\.pkl: wave/v1: expected a dictionary with .*TypeError"),
        ({"gttubes": {"wave/v1": []}}, r"GT\.pkl: wave/v1: expected a dictionary with .*AttributeError"),
        ({"gttubes": {"wave/v1": {0: [np.zeros((2, 4))]}}}, r"tube 1: expected rows of frame, x1.*\(2, 4\)"),
        ({"gttubes": {"wave/v1": {0: [np.full((1, 5), np.nan)]}}}, "tube 1: expected rows of frame"),
        ({"gttubes": {"wave/v1": {0: [["a"]]}}}, "tube 1: expected rows of frame"),
        ({"gttubes": {"wave/v1": {0: [np.array([[1.5, 1, 2, 3, 4]])]}}}, "tube 1: the frame should be an integer"),
        ({"gttubes": {"wave/v1": {0: [np.array([[1, 1, 2, 1, 4]])]}}}, "tube 1: x1 should be less than x2"),
        ({"gttubes": {"wave/v1": {0: [np.array([[1, 1, 2, 3, 4]] * 2)]}}}, "tube 1: expected one box of a track on"),
        ({"nframes": {"wave/v1": float("inf"), "catch/v2": 4}}, r"GT\.pkl: wave/v1: expected an integer, got float"),
        (
            {"nframes": {"wave/v1": -3, "catch/v2": 4}},
            r"GT\.pkl: wave/v1: expected 1\.\.10000000 frames .* got -3 frames",
        ),
        ({"resolution": {"wave/v1": ("x", 3)}}, r"GT\.pkl: wave/v1: expected an integer, got str"),
        ({"resolution": {"wave/v1": (3,)}}, r"wave/v1: expected a resolution of height and width, got \(3,\)"),
        ({"gttubes": {"wave/v1": {"one": [np.zeros((1, 5))]}}}, "tube 1: expected an integer, got str"),
        ({"gttubes": {"wave/v1": {0: [[[1.0, 2], [1]]]}}}, "tube 1: expected rows of frame"),
        ({"gttubes": {7: {}}}, r"GT\.pkl: 7: expected a name as text, got int"),
        ({"labels": [["catch"] * 2, "wave"]}, r"GT\.pkl: labels: expected a name as text, got list"),
        ({"train_videos": [["wave/v9"]]}, "the split train: wave/v9 has no annotation"),
        ({"test_videos": [["wave/v1"]]}, "the split test: wave/v1 is in the split train too"),
        ({"train_videos": []}, "expected split 1, got 0; pass --from-option split=N"),
    ],
)
def test_malformed_gttubes(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    content = {**GTTUBES, "train_videos": [["wave/v1"]], "test_videos": [[]], **change}
    with pytest.raises(ValueError, match=message):
        convert("--from", "gttubes", write_pickle(tmp_path / "GT.pkl", content), "-o", tmp_path / "out")
    with pytest.raises(ValueError, match=r"GT\.pkl: expected a dictionary with labels.*TypeError"):
        convert("--from", "gttubes", write_pickle(tmp_path / "GT.pkl", [1]), "-o", tmp_path / "out")


@pytest.mark.parametrize("name", ["gttubes", "ucf24"])
def test_files_that_are_not_there(tmp_path: Path, name: str) -> None:
    for path, got in ((tmp_path, "a folder"), (tmp_path / "gone.mat", "nothing")):
        with pytest.raises(FileNotFoundError, match=f"expected a file, got {got}; check the path"):
            convert("--from", name, path, "-o", tmp_path / "out")


PYANNOT = {
    "Jump/v_Jump_g01_c01": {
        "label": 0,
        "numf": np.uint8(6),
        "annotations": [{"label": 0, "sf": 1, "ef": 3, "boxes": np.array([[250, 5, 50, 20], [1, 1, 8, 8]], np.uint8)}],
    },
    "Run/v_Run_g01_c01": {
        "label": 1,
        "numf": np.uint8(4),
        "annotations": [
            {"label": 1, "sf": 0, "ef": 2, "boxes": np.array([[1, 2, 30, 40], [2, 2, 30, 40]], np.uint8)},
            {"label": 1, "sf": 2, "ef": 4, "boxes": np.array([[9, 9, 9, 9], [8, 9, 9, 9]], np.uint8)},
        ],
    },
}


def test_pyannot_with_lists(tmp_path: Path) -> None:
    path = write_pickle(tmp_path / "pyannot.pkl", PYANNOT)
    for name, video in PYANNOT.items():
        write_frames(tmp_path / "media" / name, int(video["numf"]), (240, 320))
    split = ("--split", f"test={write_text(tmp_path / 'test.txt', 'Run/v_Run_g01_c01')}", "--split", "train")
    base = ("--from", "ucf24", path, "--media", tmp_path / "media", *split)
    (video,) = converted(tmp_path, *base, split="train").videos
    assert video.boxes.tolist() == [[2, 0, 250, 5, 300, 25]]
    (video,) = read_index(tmp_path / "out" / "test.jsonl").videos
    assert video.boxes[:, 0].tolist() == [1, 3]
    (video,) = converted(tmp_path, *base, "--from-option", "tube_ends=keep", split="test").videos
    assert video.boxes[:, 0].tolist() == [1, 2, 3, 4]
    assert video.actors is not None
    assert video.actors.tolist() == [0, 0, 1, 1]


def test_a_tube_may_not_stand_there_endlessly(tmp_path: Path) -> None:
    """A pickle names what it has already in two bytes."""
    tube = np.ones((5000, 5))
    gttubes = {**GTTUBES, "gttubes": {"wave/v1": {1: [tube] * 5000}}}
    with pytest.raises(ValueError, match=r"GT\.pkl: wave/v1: expected at most 2000000 boxes"):
        convert("--from", "gttubes", write_pickle(tmp_path / "GT.pkl", gttubes), "-o", tmp_path / "out")
    node = {"label": 0, "numf": 5000, "annotations": [{"label": 0, "sf": 0, "ef": 5000, "boxes": tube[:, :4]}] * 5000}
    with pytest.raises(ValueError, match=r"a\.pkl: Run/v: .*expected at most 2000000 boxes"):
        read_tubes(write_pickle(tmp_path / "a.pkl", {"Run/v": node}))


def as_mat(content: dict[str, Any]) -> Any:
    """What `scipy.io.savemat` makes into the structs of finalAnnots.mat."""
    videos = np.zeros((1, len(content)), [("name", object), ("num_imgs", object), ("tubes", object)])
    for place, (name, video) in zip(videos[0], content.items(), strict=True):
        tubes = np.zeros((1, len(video["annotations"])), [(k, object) for k in ("boxes", "ef", "sf", "class")])
        for spot, tube in zip(tubes[0], video["annotations"], strict=True):
            spot["boxes"], spot["ef"], spot["sf"] = tube["boxes"], np.uint8(tube["ef"]), np.uint8(tube["sf"] + 1)
            spot["class"] = np.uint8(tube["label"] + 1)
        place["name"], place["num_imgs"], place["tubes"] = name, video["numf"], tubes
    return {"annot": videos}


def test_the_mat_file_says_the_same_as_the_pickle(tmp_path: Path) -> None:
    scipy_io = pytest.importorskip("scipy.io")
    one_box = {"label": 1, "sf": 0, "ef": 1, "boxes": np.array([[1, 2, 3, 4]], np.uint8)}
    content = {**PYANNOT, "Run/v_Run_g02_c01": {"label": 1, "numf": np.uint8(4), "annotations": [one_box]}}
    without = {"Run/v_Run_g03_c01": {"label": 1, "numf": np.uint8(4), "annotations": []}}
    scipy_io.savemat(tmp_path / "finalAnnots.mat", as_mat({**content, **without}))
    one = read_tubes(write_pickle(tmp_path / "pyannot.pkl", content), "keep")
    other = read_tubes(tmp_path / "finalAnnots.mat", "keep")
    assert list(one) == list(other)
    for name, video in one.items():
        assert (video.label, video.num_frames) == (other[name].label, other[name].num_frames)
        np.testing.assert_array_equal(video.boxes, other[name].boxes)
        np.testing.assert_array_equal(video.actors, other[name].actors)
    scipy_io.savemat(tmp_path / "other.mat", {"boxes": np.zeros(3)})
    with pytest.raises(ValueError, match=r"other\.mat: expected the struct `annot` .*KeyError: 'annot'"):
        read_tubes(tmp_path / "other.mat")


def test_mat_files_without_scipy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ucf24, "find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match=r"finalAnnots\.mat: reading \.mat files needs SciPy: pip install scipy"):
        read_tubes(write_text(tmp_path / "finalAnnots.mat", ""))


def test_a_reader_that_crashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_text(tmp_path / "crash.py", "import os\nos.abort()")
    write_text(tmp_path / "a.mat", "x")
    monkeypatch.setattr(ucf24.mat_reader, "__file__", str(tmp_path / "crash.py"))
    with pytest.raises(
        ValueError, match=r"a\.mat: expected the struct `annot` .*\(ended with -6\); get the file again"
    ):
        read_tubes(tmp_path / "a.mat")


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (-1, r"a\.pkl: Jump/v: .*the label should be in 0\.\.9999, got -1"),
        (float("inf"), r"a\.pkl: Jump/v: expected label, numf and tubes \(OverflowError"),
        (10**12, r"a\.pkl: Jump/v: .*the label should be in 0\.\.9999, got 1000000000000"),
    ],
)
def test_labels_that_cannot_be(tmp_path: Path, label: float, message: str) -> None:
    path = write_pickle(tmp_path / "a.pkl", {"Jump/v": {"label": label, "numf": 4, "annotations": []}})
    with pytest.raises(ValueError, match=message):
        convert("--from", "ucf24", path, "-o", tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sf": 0.7}, "sf should be an integer, got 0.7"),
        ({"sf": "0"}, "sf should be an integer, got '0'"),
        ({"boxes": np.array([[1 + 1j, 2, 30, 40]] * 2)}, "boxes of a tube should be real numbers, got complex128"),
        ({"boxes": np.array([["1", "2", "30", "40"]] * 2)}, "boxes of a tube should be real numbers, got <U2"),
    ],
)
def test_numbers_are_not_bent_into_shape(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    tube = {"label": 0, "sf": 0, "ef": 2, "boxes": np.array([[1, 2, 30, 40]] * 2), **change}
    path = write_pickle(tmp_path / "a.pkl", {"Jump/v": {"label": 0, "numf": 4, "annotations": [tube]}})
    with pytest.raises(ValueError, match=message):
        convert("--from", "ucf24", path, "-o", tmp_path / "out")


def test_media_that_go_on_after_the_annotation_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tube = {"label": 0, "sf": 0, "ef": 2, "boxes": np.array([[1, 2, 30, 40]] * 2)}
    path = write_pickle(tmp_path / "a.pkl", {"Jump/v": {"label": 0, "numf": 4, "annotations": [tube]}})
    for count in (4, 8):
        media = tmp_path / f"media{count}"
        write_frames(media / "Jump" / "v", count, (240, 320))
        convert("--from", "ucf24", path, "--media", media, "-o", tmp_path / "out")
        assert ("more frames than their annotation says" in capsys.readouterr().out) == (count == 8)
