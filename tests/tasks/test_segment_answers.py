"""Segments from a trained network to files: the same whoever computes them, read again, and drawn."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from threading import Event
from typing import Any

import cv2
import numpy as np
import pytest

import main
from paddlevideo.config import Config, load_config
from paddlevideo.loader.datasets.feature_file import FeatureSource
from paddlevideo.tasks.answers import SegmentAnswers, StreamOptions
from paddlevideo.tasks.evaluation import test as measure
from paddlevideo.tasks.trainer import Trainer
from paddlevideo.types import Prediction
from tests.conftest import REPOSITORY, load_script
from tests.tasks.launched import launch

CONFIG = REPOSITORY / "configs" / "localization" / "bmn_sample.yaml"
CLASSES = ["Diving", "Surfing"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small data set; seven videos to measure on do not fill batches of 3, nor two processes evenly."""
    folder = tmp_path_factory.mktemp("segments")
    make = load_script("data/segments/make_features.py")
    assert make.main(["-o", str(folder), "--train", "8", "--test", "7"]) == 0
    return folder


@pytest.fixture(scope="module")
def config(folder: Path) -> Config:
    """`bmn_sample.yaml` made tiny, on `folder`."""
    paths = [
        f"DATASET.{phase}.{key}={folder / place}"
        for phase in ("train", "test")
        for key, place in (("annotation", "annotations.json"), ("features", "features"))
    ]
    sizes = ["input.num_snippets=20", "backbone.channels=16", "neck.channels=8", "neck.reduced_channels=16"]
    numbers = [
        "batch_size=4",
        "num_workers=0",
        "epochs=2",
        "val_interval=2",
        f"METRIC.1.video_labels={folder / 'video_labels.json'}",
    ]
    return load_config(CONFIG, [*paths, *(f"MODEL.{size}" for size in sizes), *numbers])


@pytest.fixture(scope="module")
def trained(config: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    Trainer(dataclasses.replace(config, output_dir=str(folder))).fit()
    return folder


@pytest.fixture(scope="module")
def measured(config: Config, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a test writes in one process, sample by sample."""
    folder = tmp_path_factory.mktemp("measured")
    measure(dataclasses.replace(config, batch_size=1, output_dir=str(folder)), trained / "best.pdparams")
    return folder / "test"


def same(folder: Path, expected: Path) -> None:
    """Numbers and segments are the same; scores are so to rounding, which follows the size of a batch."""
    assert (folder / "metrics.json").read_bytes() == (expected / "metrics.json").read_bytes()
    ours, theirs = (json.loads((one / "segments.json").read_text())["results"] for one in (folder, expected))
    assert ours.keys() == theirs.keys()
    for video, rows in theirs.items():
        assert [row["segment"] for row in ours[video]] == [row["segment"] for row in rows], video
        np.testing.assert_allclose([row["score"] for row in ours[video]], [row["score"] for row in rows], rtol=1e-6)


def test_batches_and_workers_change_nothing(config: Config, trained: Path, measured: Path, tmp_path: Path) -> None:
    other = dataclasses.replace(config, batch_size=3, num_workers=2, output_dir=str(tmp_path))
    measure(other, trained / "best.pdparams")
    same(tmp_path / "test", measured)


def test_processes_change_nothing(config: Config, trained: Path, measured: Path, tmp_path: Path) -> None:
    launch(dataclasses.replace(config, batch_size=3), tmp_path / "two", "--test", "-w", str(trained / "best.pdparams"))
    same(tmp_path / "two" / "test", measured)


def test_metrics_come_from_the_file_alone(trained: Path, measured: Path, tmp_path: Path) -> None:
    evaluate = load_script("tools/evaluate.py")
    arguments = ["-c", str(trained / "config.yaml"), str(measured / "segments.json"), "--output", str(tmp_path)]
    assert evaluate.main(arguments) == 0
    assert (tmp_path / "metrics.json").read_bytes() == (measured / "metrics.json").read_bytes()


def test_the_file_has_the_form_of_activitynet(folder: Path, measured: Path) -> None:
    content = json.loads((measured / "segments.json").read_text())
    assert set(content) == {"version", "results", "external_data"}
    annotation = json.loads((folder / "annotations.json").read_text())
    durations = {f"{number:05d}": annotation[f"v_{number:05d}"]["duration_second"] for number in range(8, 15)}
    assert set(content["results"]) == set(durations)
    for video, rows in content["results"].items():
        assert 1 <= len(rows) <= 100
        assert [row["score"] for row in rows] == sorted((row["score"] for row in rows), reverse=True)
        assert all(0 <= row["segment"][0] < row["segment"][1] <= durations[video] for row in rows)


def test_an_exported_network_answers_a_users_file_like_the_test(
    trained: Path, measured: Path, folder: Path, tmp_path: Path
) -> None:
    weights = str(trained / "best.pdparams")
    assert main.main(["--export", "-w", weights, "-o", f"output_dir={tmp_path}"]) == 0
    predict = load_script("tools/predict.py")
    given = ["-i", str(folder / "features" / "v_0001*.npy"), "-o", str(tmp_path / "found"), "--batch_size", "2"]
    assert predict.main([*given, "-m", str(tmp_path / "inference"), "--engine", "paddle"]) == 0
    expected = json.loads((measured / "segments.json").read_text())["results"]
    for number in range(10, 15):
        name = f"v_{number:05d}"
        rows = json.loads((tmp_path / "found" / f"{name}.segments.json").read_text())["results"][name]
        wanted = expected[f"{number:05d}"]
        assert len(rows) == len(wanted)
        np.testing.assert_allclose([row["score"] for row in rows], [row["score"] for row in wanted], rtol=1e-4)
        assert cv2.imread(str(tmp_path / "found" / f"{name}.png")) is not None


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: path.unlink(), "no such file of features"),
        (
            lambda path: np.save(path, np.zeros((90, 31), np.float32)),
            "have 31 numbers each, MODEL.input.channels",
        ),
        (lambda path: np.save(path, np.full((90, 32), np.nan, np.float32)), "row 0 of 90 has nan or inf"),
    ],
)
def test_features_that_are_wrong_end_a_test(
    trained: Path, folder: Path, tmp_path: Path, damage: Any, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "features" / "v_00009.npy"
    content = path.read_bytes()
    try:
        damage(path)
        assert main.main(["--test", "-w", str(trained / "best.pdparams"), "-o", f"output_dir={tmp_path}"]) == 1
    finally:
        path.write_bytes(content)
    error = capsys.readouterr().err
    assert said in error and "00009" in error and "Traceback" not in error


def answers() -> SegmentAnswers:
    return SegmentAnswers(CLASSES)


def found(labels: list[int] | None = None) -> Prediction:
    prediction = {"segments": np.array([[0.5, 2.0], [1.0, 9.25]]), "scores": np.array([0.75, 0.1])}
    return prediction if labels is None else {**prediction, "labels": np.array(labels)}


@pytest.mark.parametrize("labels", [None, [1, 0]])
def test_what_is_written_is_read(tmp_path: Path, labels: list[int] | None) -> None:
    with answers().writer(tmp_path / "s.json") as write:
        write({"id": "a", "duration": 10.0}, found(labels))
        write({"id": "b", "duration": 10.0}, {"segments": np.zeros((0, 2)), "scores": np.zeros(0)})
    (first, prediction), (second, nothing) = answers().read(tmp_path / "s.json").samples
    assert (first, second) == ({"id": "a"}, {"id": "b"})
    assert prediction.keys() == found(labels).keys()
    for name, value in found(labels).items():
        np.testing.assert_array_equal(prediction[name], value)
    assert nothing["segments"].shape == (0, 2)


def test_a_prediction_that_is_not_finite_leaves_no_file(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="a: prediction should be finite"),
        answers().writer(tmp_path / "s.json") as write,
    ):
        write({"id": "a"}, {"segments": np.array([[0, 1.0]]), "scores": np.array([np.nan])})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "expected JSON with `results`"),
        ("{}", "expected JSON with `results`"),
        ('{"results": []}', "results should be by video, got list"),
        ('{"results": {"a": 3}}', "a: expected segments with scores"),
        ('{"results": {"a": [{"segment": [1], "score": 1}]}}', "a: expected segments with scores"),
        ('{"results": {"a": [{"segment": [1, 2]}]}}', "a: expected segments with scores"),
        ('{"results": {"a": [{"segment": [1, 2], "score": NaN}]}}', "a: expected finite numbers"),
        ('{"results": {"a": [{"segment": [1, 2], "score": 1, "label": "Knitting"}]}}', "a: expected segments"),
    ],
)
def test_files_that_are_wrong_are_named(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "s.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=said) as caught:
        answers().read(path)
    assert str(path) in str(caught.value) and "main.py --test" in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"s\.json: no such file of segments"):
        answers().read(tmp_path / "s.json")


def test_the_threshold_leaves_segments_out(tmp_path: Path) -> None:
    source = FeatureSource(tmp_path / "v.npy")
    writer = answers().stream_writer(tmp_path, source, StreamOptions(threshold=0.5), Event())
    writer.write({"meta": {"id": "v", "duration": 10.0}}, found())
    writer.close()
    results = json.loads((tmp_path / "v.segments.json").read_text())["results"]
    assert results == {"v": [{"segment": [0.5, 2.0], "score": 0.75}]}
