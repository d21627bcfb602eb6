"""Numbers from a file of detections: the ones that the test gave, or an error that says what does not fit."""

from __future__ import annotations

import dataclasses
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paddlevideo.config import Config, load_config
from paddlevideo.loader.datasets import VideoDataset
from paddlevideo.tasks.detection_file import detection_writer
from paddlevideo.tasks.evaluation import table
from paddlevideo.tasks.evaluation import test as measure
from paddlevideo.tasks.parts import build_annotations
from paddlevideo.tasks.rescoring import rescore
from paddlevideo.types import Sample


def annotated(config: Config) -> list[Sample]:
    dataset = build_annotations(config, "test")
    return [dataset.annotation(number) for number in range(len(dataset))]


def write_truths(path: Path, config: Config, samples: list[Sample], **changes: Any) -> Path:
    """Detections that are the truths, each meta changed."""
    with detection_writer(path, config.classes) as write:
        for sample in samples:
            labels = sample["targets"]["labels"]
            scores = np.ones(len(labels), np.float32)
            probabilities = np.eye(len(config.classes), dtype=np.float32)[labels]
            truths = {"boxes": sample["targets"]["boxes"], "labels": labels, "scores": scores}
            write({**sample["meta"], **changes}, {**truths, "objectness": scores, "probabilities": probabilities})
    return path


def with_frames(config: Config, **choices: Any) -> Config:
    return dataclasses.replace(config, DATASET={**config.DATASET, "test": {**config.DATASET["test"], **choices}})


def test_the_numbers_of_a_test_again(trained: Path, tmp_path: Path) -> None:
    config = dataclasses.replace(load_config(trained / "config.yaml"), output_dir=str(tmp_path))
    numbers = measure(config, trained / "best.pdparams")
    again = rescore(config, tmp_path / "test" / "detections.jsonl", output=tmp_path / "again")
    assert again == numbers
    assert json.loads((tmp_path / "again" / "metrics.json").read_text()) == numbers


@pytest.mark.parametrize("protocol", ["yowo", "yowo_plus", "ucf24_authors"])
def test_perfect_detections_by_every_protocol(
    tiny_config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: str
) -> None:
    """One file of every frame; no media are needed."""
    config = with_frames(tiny_config, every_frame=True, step=1)
    monkeypatch.setattr(VideoDataset, "__getitem__", None)
    numbers = rescore(config, write_truths(tmp_path / "d.jsonl", config, annotated(config)), protocol)
    assert numbers["video_map@0.05"] > 0.99
    if "frame_map@0.5" in numbers:
        assert numbers["frame_map@0.5:0.95"] == 1
        assert numbers["classification_accuracy"] == pytest.approx(1, abs=1e-3)


def test_what_the_samples_do_not_allow_is_said(
    tiny_config: Config, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("paddlevideo"), "propagate", True)
    path = write_truths(tmp_path / "d.jsonl", tiny_config, annotated(tiny_config))
    assert "frame_map@0.5" in rescore(tiny_config, path, "yowo")
    assert "not measured: " in caplog.text
    assert "set DATASET.test.every_frame=true" in caplog.text
    with pytest.raises(ValueError, match=r"not measured: .*set DATASET\.test\.every_frame=true"):
        rescore(tiny_config, path, "ucf24_authors")


def test_files_of_another_test_set_are_refused(tiny_config: Config, tmp_path: Path) -> None:
    samples, path = annotated(tiny_config), tmp_path / "d.jsonl"
    first = samples[0]["meta"]["id"]
    with pytest.raises(ValueError, match=rf"d\.jsonl: 1 samples of DATASET\.test are not in the file: {first}; give"):
        rescore(tiny_config, write_truths(path, tiny_config, samples[1:]))
    fewer = with_frames(tiny_config, step=1000)
    with pytest.raises(ValueError, match=r"samples are not in DATASET\.test: .*, \.\.\.; give the config and the -o"):
        rescore(fewer, write_truths(path, tiny_config, samples))
    with pytest.raises(ValueError, match=r"d\.jsonl:2: expected what the annotation has, .*got .*'num_frames': 7"):
        rescore(tiny_config, write_truths(path, tiny_config, samples, num_frames=7))
    other = dataclasses.replace(tiny_config, classes=("Hop", "Spin"))
    with pytest.raises(ValueError, match=r"d\.jsonl:1: its 4 classes \(Hop, .*are not the config's 2 \(Hop, Spin\)"):
        rescore(other, write_truths(path, tiny_config, samples))


def test_two_metrics_of_one_name_would_hide_each_other(tiny_config: Config, tmp_path: Path) -> None:
    twice = dataclasses.replace(tiny_config, METRIC=[{"name": "FrameMAP"}, {"name": "FrameMAP", "background": False}])
    with pytest.raises(ValueError, match=r"METRIC: FrameMAP stands there twice, .*leave one out"):
        rescore(twice, tmp_path / "d.jsonl")


def test_an_unknown_protocol(tiny_config: Config, tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="no protocol called 'yow'; did you mean 'yowo'"):
        rescore(tiny_config, tmp_path / "d.jsonl", "yow")


def test_a_dataset_of_annotations_reads_no_frames(tiny_config: Config) -> None:
    with pytest.raises(RuntimeError, match="built for its annotations alone"):
        build_annotations(tiny_config, "test")[0]
    with pytest.raises(KeyError, match=r"DATASET\.test is missing"):
        build_annotations(dataclasses.replace(tiny_config, DATASET={}), "test")
    with pytest.raises(KeyError, match=r"DATASET\.test is missing"):
        build_annotations(dataclasses.replace(tiny_config, DATASET={"test": None}), "test")


def test_the_table_has_a_column_for_each_number_of_a_class() -> None:
    numbers = {"frame_map@0.5": 0.5, "AP/sit/stand": 0.25, "AP/run": 1.0, "video_map@0.5": 0.0, "video_AP/run": 0.75}
    assert table(numbers).splitlines() == [
        "results",
        "  frame_map@0.5  0.5000",
        "  video_map@0.5  0.0000",
        "                        AP   video_AP",
        "  sit/stand         0.2500          -",
        "  run               1.0000     0.7500",
    ]
