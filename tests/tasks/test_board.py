from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paddlevideo.config import Config
from paddlevideo.tasks.answers import BoxAnswers
from paddlevideo.tasks.board import Board, Shown
from paddlevideo.tasks.board_writer import BoardWriter, board_tag
from paddlevideo.tasks.parts import build_dataset, build_model
from paddlevideo.tasks.trainer import Trainer


def shown_in(folder: Path) -> Any:
    from visualdl import LogReader

    (file,) = (folder / "board").glob("vdlrecords.*")
    return LogReader(file_path=str(file))


def test_curves_count_what_is_found_false_and_missed(tiny_config: Config, tmp_path: Path) -> None:
    dataset = build_dataset(tiny_config, "test", build_model(tiny_config).input)
    predictions, truths = {}, 0
    for index in range(len(dataset)):
        sample = dataset.annotation(index)
        targets = sample["targets"]
        boxes = targets["boxes"] if index else np.concatenate([targets["boxes"], [[0, 0, 0.01, 0.01]]])  # a false one
        labels = targets["labels"] if index else np.append(targets["labels"], targets["labels"][0])
        rows = slice(None) if index < len(dataset) - 1 else slice(0)  # the boxes of the last sample are missed
        scores = np.full(len(labels), 0.9, np.float32)
        predictions[sample["meta"]["id"]] = {"boxes": boxes[rows], "labels": labels[rows], "scores": scores[rows]}
        truths += len(targets["labels"])
    missed = len(dataset.annotation(len(dataset) - 1)["targets"]["labels"])
    with Board(tmp_path, Shown(images=3, pr_curves=True), BoxAnswers(tiny_config.classes)) as board:
        board.measurement(dataset, predictions, 7)
    reader = shown_in(tmp_path)
    (curve,) = reader.get_data("pr_curve", "test/all")
    counts = curve.pr_curve
    sure = counts.TP[50], counts.FP[50], counts.FN[50]  # at a score of one half
    assert curve.id == 7
    assert sure == (truths - missed, 1, missed)
    assert len(reader.get_tags()["image"]) == 3
    assert not hasattr(np, "float")


def test_a_run_shows_what_it_is_asked_for(tiny_config: Config, tmp_path: Path) -> None:
    wanted = {"images": 1, "histograms": True, "graph": True}
    config = dataclasses.replace(tiny_config, visualdl=wanted, epochs=1, output_dir=str(tmp_path))
    trainer = Trainer(config)
    trainer.fit()
    tags = shown_in(tmp_path).get_tags()
    assert set(tags["histogram"]) == {name for name, _ in trainer.model.named_parameters()}
    assert len(tags["image"]) == 1
    with pytest.raises(TypeError, match="visualdl has no argument 'image'; did you mean 'images'"):
        Trainer(dataclasses.replace(config, visualdl={"image": 1}))
    with pytest.raises(ValueError, match="images should be at least 0, got -1"):
        Trainer(dataclasses.replace(config, visualdl={"images": -1}))


def test_every_name_has_a_tag_of_its_own() -> None:
    names = ["50%", "50\uff05", "50~25", "50~FF05", "50~7EFF05", "50~", "", " ", "a/b", "a\nb", "跑步", "x" * 1000]
    tags = [board_tag(name) for name in names]
    assert len(set(tags)) == len(names)
    assert not any("%" in tag for tag in tags)
    assert board_tag("test/AP/Speed up 50%") == "test/AP/Speed up 50\uff05"


def test_tags_are_what_visualdl_gives_back(tmp_path: Path) -> None:
    names = ["test/50%", "test/", "/x", "test/ ", "test/x\ny", "test/跑步", "test/..", "test/" + "x" * 1000]
    with BoardWriter(tmp_path / "board") as writer:
        for number, name in enumerate(names):
            writer.scalar(name, float(number), 1)
    assert set(shown_in(tmp_path).get_tags()["scalar"]) == set(map(board_tag, names))


def test_a_board_that_fails_costs_no_epoch(
    tiny_config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from visualdl import LogWriter

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("% can't appear in tag!")

    for name in ("add_scalar", "add_image", "add_pr_curve", "add_histogram"):
        monkeypatch.setattr(LogWriter, name, fail)
    monkeypatch.setattr(BoxAnswers, "picture", fail)
    monkeypatch.setattr(logging.getLogger("paddlevideo"), "propagate", True)
    wanted = {"images": 1, "pr_curves": True, "histograms": True}
    config = dataclasses.replace(tiny_config, visualdl=wanted, epochs=1, output_dir=str(tmp_path))
    assert Trainer(config).fit()
    assert (tmp_path / "best.pdparams").is_file()
    assert "test" in (tmp_path / "metrics.jsonl").read_text()
    said = {record.getMessage() for record in caplog.records if "VisualDL" in record.getMessage()}
    assert len(said) == 2  # once for each folder
    assert all("% can't appear in tag!" in text for text in said)
