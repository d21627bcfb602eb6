"""The commands, run in this process on a tiny dataset: what they write, and what they say of bad input."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest

import main
from paddlevideo.utils.files import output_folder
from tests.conftest import REPOSITORY, load_script

CONFIG = str(REPOSITORY / "configs" / "localization" / "yowo_sample.yaml")


def flags(overrides: list[str]) -> list[str]:
    return [word for override in overrides for word in ("-o", override)]


def fails(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> str:
    """The one line that a command ends with."""
    assert main.main(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert "Traceback" not in error
    return error


def test_train_test_export_and_predict(
    tiny_overrides: list[str], sample_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "output"
    arguments = ["-c", CONFIG, *flags([*tiny_overrides, f"output_dir={output}"])]
    assert main.main([*arguments, "--max_iters", "3", "--seed", "5", "--device", "cpu"]) == 0
    assert "seed: 5" in (output / "config.yaml").read_text()
    assert "loss" in (output / "train.log").read_text()

    assert main.main(["--test", "-w", str(output / "best.pdparams")]) == 0
    numbers = json.loads((output / "test" / "metrics.json").read_text())
    named = {"frame_map@0.5", "localization_recall", "classification_accuracy", *(f"AP/{n}" for n in ("Hop", "Sway"))}
    assert named <= set(numbers)

    evaluate = load_script("tools/evaluate.py")
    detections = ["-c", str(output / "config.yaml"), str(output / "test" / "detections.jsonl")]
    assert evaluate.main([*detections, "--output", str(tmp_path / "again")]) == 0
    assert json.loads((tmp_path / "again" / "metrics.json").read_text()) == numbers
    assert evaluate.main([*detections, "-o", "DATASET.test.step=1"]) == 1

    assert main.main(["--export", "-w", str(output / "best.pdparams")]) == 0
    by_tool = load_script("tools/export_model.py")
    assert by_tool.main(["-p", str(output / "best.pdparams"), "-o", str(tmp_path / "inference")]) == 0
    for folder in (output / "inference", tmp_path / "inference"):
        written = {"model.json", "model.pdiparams", "inference.yaml", "reference.npz", "export_report.json"}
        assert {path.name for path in folder.iterdir()} == written

    config = ["-c", str(output / "config.yaml"), "-o", f"output_dir={tmp_path / 'measured'}"]
    assert main.main(["--test", "-m", str(output / "inference"), "--engine", "paddle", *config]) == 0
    measured = json.loads((tmp_path / "measured" / "test" / "metrics.json").read_text())
    assert measured == pytest.approx(numbers, abs=1e-3, nan_ok=True)

    predict = load_script("tools/predict.py")
    videos = sorted((sample_data / "videos").glob("*/*_g2*_c01.mp4"))
    pattern = str(sample_data / "videos" / "*" / "*_g2*_c01.mp4")
    from_export = ["-m", str(tmp_path / "inference"), "-i", pattern, "-o", str(tmp_path / "a"), "--threshold", "0.01"]
    assert predict.main(from_export) == 0
    written = {path.name for path in (tmp_path / "a").iterdir()}
    assert written == {name for v in videos for name in (f"{v.stem}.mp4", f"{v.stem}.jsonl", f"{v.stem}.tubes.json")}
    from_weights = ["-w", str(output / "best.pdparams"), "-i", str(videos[0]), "-o", str(tmp_path / "b")]
    assert predict.main([*from_weights, "--threshold", "0.01", "--batch_size", "4"]) == 0
    first, second = (
        [json.loads(line) for line in (tmp_path / folder / f"{videos[0].stem}.jsonl").read_text().splitlines()]
        for folder in "ab"
    )
    assert len(first) == len(second)
    for one, two in zip(first, second, strict=True):
        assert [d["label"] for d in one["detections"]] == [d["label"] for d in two["detections"]]
        for a, b in zip(one["detections"], two["detections"], strict=True):
            assert a["box"] == pytest.approx(b["box"], abs=0.1)
            assert a["score"] == pytest.approx(b["score"], abs=1e-3)


def test_summary_prints_the_published_size(capsys: pytest.CaptureFixture[str]) -> None:
    full = str(REPOSITORY / "configs" / "localization" / "yowo.yaml")
    assert main.main(["--summary", "-c", full, "-o", f"classes={REPOSITORY / 'data' / 'ucf24' / 'classes.txt'}"]) == 0
    rows = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert rows["backbone_2d"] == ["50,962,889", "4.271"]
    assert rows["backbone_3d"] == ["47,521,216", "38.039"]
    assert rows["neck"] == ["22,462,465", "1.100"]
    assert rows["head"] == ["148,480", "0.007"]
    assert rows["total"] == ["121,095,050", "43.418"]


def test_no_config(capsys: pytest.CaptureFixture[str]) -> None:
    assert "give a config with -c" in fails(capsys, [])
    assert "nowhere.yaml: no such file" in fails(capsys, ["-c", "nowhere.yaml"])


def test_unknown_key(capsys: pytest.CaptureFixture[str], tiny_overrides: list[str]) -> None:
    said = fails(capsys, ["-c", CONFIG, *flags(tiny_overrides), "-o", "MODEL.input.siz=3"])
    assert "no key 'siz'" in said


def test_precision_is_chosen_by_flags_and_by_the_config(tiny_overrides: list[str]) -> None:
    arguments = ["-c", CONFIG, *flags([*tiny_overrides, "amp={dtype: bfloat16}"])]
    assert main.resolve(main.parse([*arguments, "--amp_level", "O2"])).amp == {"dtype": "bfloat16", "level": "O2"}
    assert main.resolve(main.parse([*arguments, "--amp"])).amp == {"dtype": "bfloat16", "level": "O1"}
    assert main.resolve(main.parse(arguments)).amp == {"dtype": "bfloat16"}


def test_wrong_type_below_a_section(
    capsys: pytest.CaptureFixture[str], tiny_overrides: list[str], tmp_path: Path
) -> None:
    wrong = [*tiny_overrides, f"output_dir={tmp_path}", "MODEL.neck.dropout=a lot"]
    assert "neck CFAM: dropout should be float, got 'a lot'" in fails(capsys, ["-c", CONFIG, *flags(wrong)])


def test_no_dataset_names_both_ways_to_get_one(
    capsys: pytest.CaptureFixture[str], tiny_overrides: list[str], tmp_path: Path
) -> None:
    overrides = [*tiny_overrides, f"DATASET.train.index={tmp_path / 'gone.jsonl'}", f"output_dir={tmp_path}"]
    said = fails(capsys, ["-c", CONFIG, *flags(overrides)])
    for word in ("gone.jsonl", "build_split.py", "rgb-images", "pyannot.pkl"):
        assert word in said


def test_other_classes_than_the_index_are_named(
    capsys: pytest.CaptureFixture[str], tiny_overrides: list[str], tmp_path: Path
) -> None:
    overrides = [*tiny_overrides, "classes=[Hop, Spin]", f"output_dir={tmp_path}"]
    said = fails(capsys, ["-c", CONFIG, *flags(overrides)])
    assert "its 4 classes (Hop, Pulse, Spin, Sway) are not the config's 2 (Hop, Spin)" in said


def test_weights_of_another_class_count(capsys: pytest.CaptureFixture[str], trained: Path, tmp_path: Path) -> None:
    arguments = ["--test", "-w", str(trained / "best.pdparams"), "-o", "classes=[a, b]", "-o", f"output_dir={tmp_path}"]
    said = fails(capsys, arguments)
    assert "head.conv.weight is [9, 16, 1, 1], the model has [7, 16, 1, 1]" in said
    assert "another number of classes" in said


@pytest.fixture
def damaged(sample_data: Path, tmp_path: Path) -> Path:
    """A copy of the sample data that a test may break."""
    folder = tmp_path / "data"
    shutil.copytree(sample_data / "rgb-images", folder / "rgb-images")
    for name in ("train.jsonl", "test.jsonl", "classes.txt"):
        shutil.copy(sample_data / name, folder)
    return folder


@pytest.mark.parametrize("workers", [0, 2])
def test_damaged_frames_are_named(
    capsys: pytest.CaptureFixture[str], tiny_overrides: list[str], damaged: Path, tmp_path: Path, workers: int
) -> None:
    indexes = [f"DATASET.{split}.index={damaged / split}.jsonl" for split in ("train", "test")]
    arguments = [
        "-c",
        CONFIG,
        *flags([*tiny_overrides, *indexes, f"output_dir={tmp_path / 'o'}", f"num_workers={workers}"]),
    ]
    for picture in (damaged / "rgb-images").glob("*/*/000[123]*.jpg"):
        picture.write_bytes(picture.read_bytes()[:500])
    said = fails(capsys, arguments)
    assert re.search(r"rgb-images/\w+/v_\w+/000\d\d\.jpg: not a complete JPEG", said)
    for folder in (damaged / "rgb-images").glob("*/*"):
        (folder / "00020.jpg").unlink()
    said = fails(capsys, arguments)
    assert re.search(r"00020\.jpg: no such frame", said)


def test_device_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert "expected cpu, gpu or gpu:N" in fails(capsys, ["-c", CONFIG, "--summary", "--device", "tpu"])
    assert "sees no GPU" in fails(capsys, ["-c", CONFIG, "--summary", "--device", "gpu:3"])


def test_test_without_weights(capsys: pytest.CaptureFixture[str]) -> None:
    assert "need trained weights" in fails(capsys, ["-c", CONFIG, "--test"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--test", "-w", "x.pdparams", "--engine", "paddle"], "an exported network has --engine; name its folder"),
        (["--threads", "2", "--precision", "bf16"], "an exported network has --precision and --threads; name"),
        (["-m", "inference"], "-m names an export folder to --test instead of weights"),
        (["--test", "-m", "inference", "-w", "x.pdparams"], "instead of weights; leave it out, or -w"),
    ],
)
def test_engines_run_exported_networks_only(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert said in fails(capsys, ["-c", CONFIG, *arguments])


def test_an_export_of_other_classes(capsys: pytest.CaptureFixture[str], exported: Path, trained: Path) -> None:
    arguments = ["--test", "-m", str(exported), "-c", str(trained / "config.yaml"), "-o", "classes=[a, b]"]
    assert "knows the classes Hop, Pulse, Spin, Sway, the config a, b" in fails(capsys, arguments)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(0o555)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # root may write anywhere
    try:
        with pytest.raises(PermissionError, match="locked: cannot write into this folder"):
            output_folder(locked)
    finally:
        os.seteuid(user)
    (tmp_path / "file").write_text("")
    with pytest.raises(PermissionError, match="file: cannot write into this folder"):
        output_folder(tmp_path / "file")


@pytest.mark.parametrize("content", [b"", b"this is no video", bytes(1000)])
def test_unreadable_videos_are_named(
    capsys: pytest.CaptureFixture[str], trained: Path, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "clip.mp4").write_bytes(content)
    predict = load_script("tools/predict.py")
    weights = ["-w", str(trained / "best.pdparams"), "-o", str(tmp_path / "out")]
    assert predict.main([*weights, "-i", str(tmp_path / "clip.mp4")]) == 1
    assert "clip.mp4" in capsys.readouterr().err
    assert predict.main([*weights, "-i", str(tmp_path / "*.avi")]) == 1
    assert "nothing matches it" in capsys.readouterr().err
    assert predict.main([*weights, "-i", str(tmp_path / "out")]) == 1
    assert "neither a video nor a picture" in capsys.readouterr().err


def test_videos_whose_answers_would_have_one_name_are_refused(
    capsys: pytest.CaptureFixture[str], trained: Path, tmp_path: Path
) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "clip.mp4").write_bytes(b"")
    weights = ["-w", str(trained / "best.pdparams"), "-o", str(tmp_path / "out")]
    assert load_script("tools/predict.py").main([*weights, "-i", str(tmp_path / "*" / "clip.mp4")]) == 1
    assert "would both be written as clip.mp4" in capsys.readouterr().err


def test_resume_and_weights_exclude_each_other(
    capsys: pytest.CaptureFixture[str], trained: Path, tmp_path: Path
) -> None:
    arguments = ["-w", str(trained / "best.pdparams"), "--resume", "-o", f"output_dir={tmp_path}"]
    assert main.main(arguments) == 1
    assert "leave out -w" in capsys.readouterr().err


@pytest.mark.parametrize(("flag", "said"), [("--seed", "seed should be at least 0"), ("--max_iters", "at least 1")])
def test_numbers_that_cannot_be_are_refused(
    capsys: pytest.CaptureFixture[str], trained: Path, flag: str, said: str
) -> None:
    assert main.main(["-c", str(trained / "config.yaml"), flag, "-1"]) == 1
    assert said in capsys.readouterr().err
