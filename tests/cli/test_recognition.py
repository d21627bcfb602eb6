"""A clip classifier through every command: train, test, measure again, export, predict, extract features."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import main
from paddlevideo.config import Config
from paddlevideo.tasks.evaluation import test as measure
from paddlevideo.tasks.score_file import read_scores
from tests.cli.test_main import fails, flags
from tests.conftest import REPOSITORY, load_script
from tests.tasks.launched import launch
from tests.tasks.streams import read_lines, read_pictures

CONFIG = str(REPOSITORY / "configs" / "recognition" / "tsm_sample.yaml")


def numbers_in(folder: Path) -> dict[str, float]:
    numbers: dict[str, float] = json.loads((folder / "test" / "metrics.json").read_text())
    return numbers


def scores_of(folder: Path) -> dict[str, Any]:
    return {meta["id"]: answer["scores"] for meta, answer in read_scores(folder / "test" / "scores.jsonl").samples}


def test_test_export_predict_and_extract(
    recogniser: Path, motion_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = ["-w", str(recogniser / "best.pdparams")]
    assert main.main(["--test", *weights]) == 0
    numbers = numbers_in(recogniser)
    assert {"top1", "top2", "accuracy/Down", "accuracy/Up"} <= set(numbers)
    assert "Confusions" in (recogniser / "test" / "report.html").read_text()

    evaluate = load_script("tools/evaluate.py")
    config = ["-c", str(recogniser / "config.yaml")]
    assert evaluate.main([*config, str(recogniser / "test" / "scores.jsonl"), "--output", str(tmp_path / "again")]) == 0
    assert json.loads((tmp_path / "again" / "metrics.json").read_text()) == numbers

    assert main.main(["--export", *weights]) == 0
    exported = ["-m", str(recogniser / "inference")]
    assert main.main(["--test", *exported, *config, "-o", f"output_dir={tmp_path / 'm'}", "--engine", "paddle"]) == 0
    assert numbers_in(tmp_path / "m") == pytest.approx(numbers)

    predict, videos = load_script("tools/predict.py"), sorted((motion_data / "videos").glob("*/test_*.mp4"))
    pattern = str(motion_data / "videos" / "*" / "test_*.mp4")
    said = []
    for network, folder in ((weights, tmp_path / "a"), (exported, tmp_path / "b")):
        assert predict.main([*network, "-i", pattern, "-o", str(folder), "--top", "2", "--batch_size", "3"]) == 0
        assert {path.name for path in folder.iterdir()} == {
            f"{v.stem}.{kind}" for v in videos for kind in ("mp4", "jsonl")
        }
        said.append([read_lines(folder / f"{video.stem}.jsonl") for video in videos])
    tested = {
        meta["id"]: answer["scores"] for meta, answer in read_scores(recogniser / "test" / "scores.jsonl").samples
    }
    for video, (one,), (two,) in zip(videos, *said, strict=True):
        assert (one["frame"], one["time"], len(one["classes"])) == (1, 0.0, 2)
        assert [row["label"] for row in one["classes"]] == [row["label"] for row in two["classes"]]
        scores = [row["score"] for row in one["classes"]]
        assert scores == pytest.approx(np.sort(tested[str(video.relative_to(motion_data))])[:-3:-1], abs=2e-4)
    drawn, plain = (read_pictures(path) for path in (tmp_path / "a" / f"{videos[0].stem}.mp4", videos[0]))
    assert len(drawn) == len(plain)
    assert np.abs(drawn[-1][:12, :30].astype(int) - plain[-1][:12, :30]).mean() > 20  # the text


def test_features_of_videos(
    recogniser: Path, motion_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    extract = load_script("tools/extract_features.py").main
    video = motion_data / "videos" / "Up" / "test_0003.mp4"
    count = len(read_pictures(video))
    weights = ["-w", str(recogniser / "best.pdparams")]
    assert extract([*weights, "-i", str(video), "-o", str(tmp_path / "f"), "--every", "6"]) == 0
    features, about = (
        np.load(tmp_path / "f" / "test_0003.npy"),
        json.loads((tmp_path / "f" / "test_0003.json").read_text()),
    )
    assert features.dtype == np.float32
    assert features.shape == (-(-count // 6), about["width"])
    assert np.ptp(features, axis=0).max() > 0
    assert about == {
        "video": "test_0003.mp4", "fps": 25.0, "num_frames": count, "duration": count / 25, "every": 6,
        "snippets": len(features), "width": about["width"],
    }  # fmt: skip
    whole = extract([*weights, "-i", str(video), "-o", str(tmp_path / "g"), "--every", str(count)])
    assert whole == 0
    assert np.load(tmp_path / "g" / "test_0003.npy").shape == (1, about["width"])
    assert extract([*weights, "-i", str(video), "-o", str(tmp_path / "h"), "--every", "0"]) == 1
    assert "a snippet should have at least 1 frame, got 0" in capsys.readouterr().err
    assert extract([*weights, "-i", str(tmp_path / "none.mp4"), "-o", str(tmp_path / "h")]) == 1
    assert "none.mp4: no such file" in capsys.readouterr().err


def test_videos_are_described_for_a_network_that_reads_features(
    recogniser: Path, motion_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what a network of features would be given is looked at; BMN's own tests have one."""
    predict, given = load_script("tools/predict.py"), []

    class Reader:
        reads_frames = False

        def sources(self, text: str, *_: object) -> list[str]:
            given.append(text)
            return [text]

    monkeypatch.setattr(predict, "load_predictor", lambda *_: Reader())
    monkeypatch.setattr(predict, "predict_streams", lambda predictor, streams, *_: given.append(len(streams)))
    pattern = str(motion_data / "videos" / "Up" / "*.mp4")
    extractor = ["--extractor", str(recogniser / "best.pdparams"), "--every", "10"]
    assert predict.main(["-i", pattern, "-o", str(tmp_path), *extractor]) == 0
    names = sorted(path.stem for path in (motion_data / "videos" / "Up").glob("*.mp4"))
    assert given == [*(str(tmp_path / "features" / f"{name}.npy") for name in names), len(names)]
    assert all(2 <= len(np.load(path)) <= 4 for path in given[:-1])


@pytest.fixture(scope="module")
def several(motion_config: Config) -> Config:
    """Three views of each video; batches of three, and shares of two processes, do not end with a video."""
    pipeline = [*motion_config.PIPELINE["test"]["transform"][:1], {"name": "ViewCrop", "size": 32, "places": 3}]
    test = {**motion_config.PIPELINE["test"], "transform": pipeline}
    dataset = {**motion_config.DATASET["test"], "views": 3}
    return dataclasses.replace(
        motion_config,
        PIPELINE={**motion_config.PIPELINE, "test": test},
        DATASET={**motion_config.DATASET, "test": dataset},
        batch_size=3,
    )


def test_neither_batches_nor_workers_nor_processes_change_a_test(
    recogniser: Path, several: Config, tmp_path: Path
) -> None:
    weights, found = recogniser / "best.pdparams", []
    for name, changes in {"three": {}, "one": {"batch_size": 1}, "workers": {"num_workers": 2}}.items():
        config = dataclasses.replace(several, output_dir=str(tmp_path / name), **changes)
        found.append(measure(config, weights))
    launch(several, tmp_path / "both", "--test", "-w", str(weights))
    found.append(numbers_in(tmp_path / "both"))
    assert found[1:] == found[:1] * 3
    three, *others = (scores_of(tmp_path / name) for name in ("three", "one", "workers", "both"))
    assert len(three) == 8 * 3
    for other in others:
        assert list(other) == list(three)
        for name, scores in three.items():
            np.testing.assert_allclose(other[name], scores, atol=1e-6, err_msg=name)


def test_bad_input_is_named(
    recogniser: Path,
    motion_overrides: list[str],
    motion_data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    broken = tmp_path / "broken.list"
    chosen = ["-c", CONFIG, *flags([*motion_overrides, f"DATASET.train.list_path={broken}", f"output_dir={tmp_path}"])]
    assert "broken.list: no such list of videos" in fails(capsys, chosen)
    broken.write_text("videos/Up/train_0003.mp4 9\n")
    assert "broken.list:1: label should be below 4" in fails(capsys, chosen)
    lines = (motion_data / "train.list").read_text().splitlines()
    gone = [f"{motion_data}/{lines[0]}", f"{motion_data}/gone.mp4 1", *(f"{motion_data}/{line}" for line in lines[2:])]
    broken.write_text("".join(f"{line}\n" for line in gone))
    for workers in ("0", "1"):
        said = fails(capsys, [*chosen, "-o", f"num_workers={workers}"])
        assert "broken.list:2: " in said and "gone.mp4: no such video file" in said
    wrong = ["--test", "-w", str(recogniser / "best.pdparams"), "-o", "METRIC=[{name: FrameMAP}]"]
    assert main.main([*wrong, "-o", f"output_dir={tmp_path}"]) == 1
