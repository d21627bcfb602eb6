"""What is shown of scores: report, pictures and curves for VisualDL."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from paddlevideo.config import Config
from paddlevideo.tasks.answers import ScoreAnswers
from paddlevideo.tasks.answers.score_report import score_sections
from paddlevideo.tasks.board import Board, Shown
from paddlevideo.tasks.parts import build_annotations, build_dataset, build_model
from paddlevideo.tasks.report import write_report
from paddlevideo.tasks.result_file import Labelled
from tests.tasks.test_board import shown_in
from tests.tasks.test_report import Page

CLASSES = ["Down", "Left", "Right", "Up"]


def answered(config: Config, wrong: int) -> list[Labelled]:
    """Samples of a test set; the first `wrong` of them are taken for the class after theirs."""
    dataset = build_annotations(config, "test")
    samples = []
    for number in range(len(dataset)):
        sample = dataset.annotation(number)
        label = int(sample["targets"]["labels"][0])
        guess = (label + 1) % len(CLASSES) if number < wrong else label
        scores = np.full(len(CLASSES), 0.1, np.float32)
        scores[guess] = 0.7 - 0.01 * number
        samples.append((sample["meta"], {"scores": scores}))
    return samples


def test_a_report_shows_confusions_and_the_worst_mistakes(motion_config: Config, tmp_path: Path) -> None:
    dataset = build_dataset(motion_config, "test", build_model(motion_config).input)
    samples = answered(motion_config, wrong=2)
    page = Page(write_report(tmp_path, motion_config, dataset, samples, {"top1": 0.75}).read_text())
    said = "".join(page.texts)
    assert "Confusions" in said and "0.7500" in said
    mistakes = [text for text in page.texts if "taken for" in text]
    assert ["Down 0.10, taken for Left 0.70" in mistakes[0], "Left 0.10, taken for Right 0.69" in mistakes[1]] == [
        True
    ] * 2
    assert len(mistakes) == 2
    assert (tmp_path / "report.html").read_text().count("data:image/jpeg") == 2


def test_pictures_that_cannot_be_read_have_a_reason(motion_config: Config, tmp_path: Path) -> None:
    """One line of a list names media that are not there."""
    dataset = build_annotations(motion_config, "test")
    dataset.videos[0] = type(dataset.videos[0])(dataset.videos[0].name, tmp_path / "gone.mp4", None, 0, 1)
    shown = "".join(score_sections(dataset, answered(motion_config, wrong=1)))
    assert "no picture: " in shown and "gone.mp4: no such video" in shown


def test_samples_of_another_test_set_are_refused(motion_config: Config) -> None:
    strange = [({"id": "x", "video": "x", "view": 0}, {"scores": np.zeros(4, np.float32)})]
    with pytest.raises(ValueError, match="1 samples, such as x, are not in the test set"):
        "".join(score_sections(build_annotations(motion_config, "test"), strange))


def test_many_classes_are_told_by_their_confusions(motion_config: Config) -> None:
    dataset = build_annotations(motion_config, "test")
    dataset.classes = [*CLASSES, *(f"class{number}" for number in range(60))]
    samples = [(meta, {"scores": np.pad(one["scores"], (0, 60))}) for meta, one in answered(motion_config, wrong=8)]
    shown = "".join(score_sections(dataset, samples))
    assert "Down, taken for Left</td><td>2</td>" in shown
    assert "class59" not in shown


def test_visualdl_gets_curves_and_pictures(motion_config: Config, tmp_path: Path) -> None:
    dataset = build_dataset(motion_config, "test", build_model(motion_config).input)
    predictions = {meta["id"]: prediction for meta, prediction in answered(motion_config, wrong=2)}
    with Board(tmp_path, Shown(images=2, pr_curves=True), ScoreAnswers(CLASSES)) as board:
        board.measurement(dataset, predictions, 7)
    reader = shown_in(tmp_path)
    (curve,) = reader.get_data("pr_curve", "test/all")
    assert (curve.pr_curve.TP[50], curve.pr_curve.FP[50], curve.pr_curve.FN[50]) == (6, 2, 2)  # at a score of one half
    assert len(reader.get_tags()["image"]) == 2
