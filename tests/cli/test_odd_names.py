"""Commands on files, folders and classes whose names are no plain text: a right answer, or a line that names them."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

import main
from paddlevideo.loader.index import read_index
from paddlevideo.loader.media.video_file import VideoFile
from paddlevideo.tasks.predictor import Predictor
from tests.cli.test_main import CONFIG, flags
from tests.conftest import EVERY, load_script

SIZE = (64, 96)
LATIN = os.fsdecode(b"caf\xe9")  # as a zip from Windows unpacks on Linux
GBK = os.fsdecode("打球".encode("gbk"))
FRAMES = 8


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The content of a small mp4."""
    path = tmp_path_factory.mktemp("plain") / "plain.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, SIZE[::-1])
    for number in range(FRAMES):
        writer.write(np.full((*SIZE, 3), 20 * number, np.uint8))
    writer.release()
    return path.read_bytes()


def write_index(folder: Path, source: str, classes: list[str], frames: int = FRAMES) -> str:
    """An index of one video with a box on its third frame."""
    header = {"format": "action-boxes", "version": 1, "classes": classes, "root": "."}
    video = {"id": "one", "source": source, "num_frames": frames, "size": SIZE, "boxes": [[3, 0, 10, 10, 50, 50]]}
    path = folder / "all.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in (header, video)))
    return str(path)


def training(overrides: list[str], index: str, output: Path, *more: str) -> list[str]:
    own = [f"DATASET.{phase}.index={index}" for phase in ("train", "test")]
    steps = ["DATASET.train.step=1", "DATASET.train.background=0", "epochs=1", "batch_size=1", f"output_dir={output}"]
    return ["-c", CONFIG, *flags([*overrides, *own, *steps, *more]), "--device", "cpu"]


def test_videos_and_folders_that_are_not_utf8_are_predicted(trained: Path, plain: bytes, tmp_path: Path) -> None:
    predict = load_script("tools/predict.py")
    folder, output = tmp_path / f"in{LATIN}", tmp_path / f"out{LATIN}"
    folder.mkdir()
    for name in (LATIN, GBK, "plain"):
        (folder / f"{name}.mp4").write_bytes(plain)
    arguments = ["-w", str(trained / "best.pdparams"), "-i", str(folder), "-o", str(output), "--threshold", "0.01"]
    assert predict.main([*arguments, "--device", "cpu", "--csv"]) == 0
    names = {"caf%E9", "%B4%F2%C7%F2", "plain"}
    kinds = ("mp4", "jsonl", "tubes.json", "csv")
    assert {path.name for path in output.iterdir()} == {f"{name}.{kind}" for name in names for kind in kinds}
    for name in names:
        assert len(VideoFile(output / f"{name}.mp4")) == FRAMES
        assert len((output / f"{name}.jsonl").read_text().splitlines()) == FRAMES


def test_a_folder_of_such_a_name_takes_an_export(trained: Path, plain: bytes, tmp_path: Path) -> None:
    folder = tmp_path / LATIN
    export = load_script("tools/export_model.py")
    assert export.main(["-p", str(trained / "best.pdparams"), "-o", str(folder), "--device", "cpu"]) == 0
    (folder / "a.mp4").write_bytes(plain)
    arguments = ["-m", str(folder), "-i", str(folder / "a.mp4"), "-o", str(tmp_path / "out"), "--engine", "paddle"]
    assert load_script("tools/predict.py").main([*arguments, "--device", "cpu"]) == 0
    assert len((tmp_path / "out" / "a.jsonl").read_text().splitlines()) == FRAMES


@pytest.mark.parametrize(("engine", "precision"), EVERY)
def test_every_engine_reads_from_such_a_folder(exported: Path, tmp_path: Path, engine: str, precision: str) -> None:
    folder = tmp_path / LATIN
    shutil.copytree(exported, folder)
    predictor = Predictor.from_export(folder, engine, precision, threads=1)
    assert "boxes" in predictor.network({"clip": np.zeros((1, 3, 4, 64, 64), np.float32)})


def test_a_damaged_video_of_such_a_name_is_named(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / f"{LATIN}.mp4").write_bytes(b"\0" * 5000)
    arguments = ["-w", str(trained / "best.pdparams"), "-i", str(tmp_path), "-o", str(tmp_path / "out")]
    assert load_script("tools/predict.py").main([*arguments, "--device", "cpu"]) == 1
    said = capsys.readouterr()
    assert r"caf\udce9.mp4: cannot be opened as a video" in said.err
    assert "Traceback" not in said.err + said.out


def test_media_that_are_not_utf8_are_converted_checked_and_trained_on(
    tiny_overrides: list[str], plain: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    media = tmp_path / f"vid{LATIN}"
    media.mkdir()
    (media / f"{LATIN}.mp4").write_bytes(plain)
    index = write_index(media, f"{LATIN}.mp4", ["Hop", "Pulse", "Spin", "Sway"])
    convert = load_script("tools/convert_dataset.py")
    arguments = ["--from", "neutral", index, "--media", str(media), "-o", str(tmp_path / "out")]
    assert convert.main(arguments) == 0, capsys.readouterr().err
    converted = tmp_path / "out" / "all.jsonl"
    assert read_index(converted).videos[0].source == media / f"{LATIN}.mp4"
    arguments = training(tiny_overrides, str(converted), tmp_path / "run")
    assert main.main(arguments) == 0
    check = load_script("tools/check_dataset.py")
    capsys.readouterr()
    assert check.main(arguments[:-2]) == 1  # as both splits have the video
    said = capsys.readouterr().out
    assert "error: video in two splits: 1" in said
    assert said.count("error:") == 1


def test_a_class_with_a_per_cent_sign_is_trained(tiny_overrides: list[str], plain: bytes, tmp_path: Path) -> None:
    from visualdl import LogReader

    (tmp_path / "plain.mp4").write_bytes(plain)
    classes = ["Speed up 50%", "Speed up 50\uff05", 'Say "hi", <b>&</b>', " "]
    output = tmp_path / "run"
    settings = [f"classes={json.dumps(classes)}", "visualdl={images: 1, pr_curves: true, histograms: true}"]
    index = write_index(tmp_path, "plain.mp4", classes)
    assert main.main(training(tiny_overrides, index, output, *settings)) == 0
    assert (output / "best.pdparams").is_file()
    (file,) = (output / "visualdl").glob("vdlrecords.*")
    tags = LogReader(file_path=str(file)).get_tags()["scalar"]
    assert "test/AP/Speed up 50\uff05" in tags
    assert main.main(["--test", "-w", str(output / "best.pdparams"), "--device", "cpu"]) == 0


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ([r'classes=["\ud800", b, c, d]'], "expected text that can be written as UTF-8"),
        ([r'classes=["a\0", b, c, d]'], "expected text without NUL characters"),
        ([r'output_dir="a\0b"'], "expected text without NUL characters"),
        ([f"output_dir=out{LATIN}"], "-o should be text that can be written as UTF-8"),
    ],
)
def test_settings_that_no_file_can_hold_are_refused(
    tiny_overrides: list[str], settings: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["-c", CONFIG, *flags([*tiny_overrides, *settings])]) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("option", ["-i", "-o"])
def test_paths_with_nul_are_refused(
    trained: Path, plain: bytes, tmp_path: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.mp4").write_bytes(plain)
    arguments = {"-i": str(tmp_path / "a.mp4"), "-o": str(tmp_path / "out"), option: str(tmp_path / "a\0b")}
    words = [word for pair in arguments.items() for word in pair]
    assert load_script("tools/predict.py").main(["-w", str(trained / "best.pdparams"), *words]) == 1
    assert "the path should be text without NUL characters" in capsys.readouterr().err
