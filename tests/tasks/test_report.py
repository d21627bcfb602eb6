from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from paddlevideo.config import Config, load_config
from paddlevideo.loader.datasets import VideoDataset
from paddlevideo.loader.datasets.base import Place
from paddlevideo.tasks import report_page as html
from paddlevideo.tasks.answers import Answers, BoxAnswers
from paddlevideo.tasks.answers.box_report import MATRIX_CLASSES, PICTURES
from paddlevideo.tasks.evaluation import test as run_test
from paddlevideo.tasks.parts import build_dataset, build_model
from paddlevideo.tasks.report import write_report
from paddlevideo.tasks.report_counts import (
    best_threshold,
    confusion,
    curve,
    judge,
    missed,
    reason,
    video_counts,
    worst_false,
    worst_misses,
)

HOSTILE = '<script src="https://evil.example/x.js">&amp;"\''
LEFT, MIDDLE, RIGHT = [0.0, 0.0, 0.2, 0.4], [0.4, 0.0, 0.6, 0.4], [0.7, 0.5, 1.0, 1.0]


def prediction(*rows: tuple[list[float], int, float]) -> dict[str, np.ndarray]:
    return {
        "boxes": np.array([row[0] for row in rows], np.float32).reshape(-1, 4),
        "labels": np.array([row[1] for row in rows], np.int64),
        "scores": np.array([row[2] for row in rows], np.float32),
    }


def target(*rows: tuple[list[float], int]) -> dict[str, np.ndarray]:
    return {
        "boxes": np.array([*(row[0] for row in rows), [0, 0, 0, 0]], np.float32),
        "labels": np.array([*(row[1] for row in rows), -1]),  # the last one is padding
    }


# Frame 0: Run is found, Sit is taken for Run, Run on the right is missed. Frame 1: nothing is there but a detection.
# Frame 2: Sit is found twice.
PREDICTIONS = [
    prediction((LEFT, 0, 0.9), (MIDDLE, 0, 0.8), (RIGHT, 0, 0.01)),
    prediction((MIDDLE, 1, 0.7)),
    prediction((MIDDLE, 1, 0.95), (MIDDLE, 1, 0.6)),
]
TARGETS = [target((LEFT, 0), (MIDDLE, 1), ([0.7, 0.5, 0.8, 0.6], 0)), target(), target((MIDDLE, 1))]


def test_confusions_by_hand() -> None:
    assert judge(PREDICTIONS, TARGETS).threshold == pytest.approx(0.9)  # both detections from there on are right
    alike = [{**p, "scores": np.where(p["scores"] > 0.1, 1.0, 0.01)} for p in PREDICTIONS]
    outcome = judge(alike, TARGETS)
    assert outcome.threshold == 1.0
    #                                       as Run, as Sit, not found
    assert confusion(outcome, 2).tolist() == [[1, 0, 1], [1, 1, 0], [0, 2, 0]]
    assert missed(outcome).tolist() == [2]


def test_confusions_add_up() -> None:
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 0.5, (40, 6, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(0.1, 0.5, (40, 6, 2))], axis=-1)
    labels = rng.integers(0, 3, (40, 6))
    predictions = [
        {"boxes": b + rng.normal(0, 0.03, b.shape), "labels": rng.permutation(one), "scores": rng.uniform(size=6)}
        for b, one in zip(boxes, labels, strict=True)
    ]
    outcome = judge(predictions, [{"boxes": b, "labels": one} for b, one in zip(boxes, labels, strict=True)])
    table = confusion(outcome, 3)
    assert table[:-1].sum(1).tolist() == np.bincount(labels.ravel()).tolist()  # every truth once
    detected = outcome.detections.label[outcome.counted]
    assert table[:, :-1].sum(0).tolist() == np.bincount(detected).tolist()  # every counted detection once
    assert np.trace(table) == outcome.right.sum()
    partners = outcome.partner[outcome.partner >= 0]
    assert len(np.unique(partners)) == len(partners)
    videos = video_counts(outcome, np.arange(40) // 10)
    assert videos.sum(0).tolist() == [240, outcome.right.sum(), len(detected) - outcome.right.sum()]


def test_several_labels_a_box() -> None:
    """A box with labels 0 and 2 is detected as 0 and 1: one is right, and 2 is taken for 1."""
    outcome = judge(
        [prediction((LEFT, 0, 0.9), (LEFT, 1, 0.9))],
        [{"boxes": np.array([LEFT, RIGHT]), "labels": np.array([[1, 0, 1], [-1, -1, -1]])}],
    )
    assert confusion(outcome, 3).tolist() == [[1, 0, 0, 0], [0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]


def test_who_comes_too_late_takes_what_is_left() -> None:
    outcome = judge(
        [prediction((LEFT, 2, 0.9), (LEFT, 3, 0.8), (RIGHT, 0, 0.7))], [target((LEFT, 0), (LEFT, 1), (RIGHT, 0))]
    )
    assert outcome.threshold == pytest.approx(0.7)
    assert outcome.partner.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("scores", "hits", "num_truths", "expected"),
    [
        ([0.9, 0.5, 0.4], [True, True, False], 2, 0.5),  # F 2/3, 1, 4/5
        ([0.9, 0.5, 0.4], [True, False, False], 1, 0.9),
        ([0.2, 0.5, 0.9], [True, True, False], 2, 0.2),  # F 4/5 with all three, 2/4 with two
        ([0.9, 0.5, 0.5, 0.5, 0.5], [True, True, False, False, False], 2, 0.9),  # F 2/3, and 4/7 with all of 0.5
        ([0.5, 0.4], [False, False], 1, 0.0),
        ([], [], 1, 0.0),
    ],
)
def test_threshold_of_the_best_f_score(scores: list[float], hits: list[bool], num_truths: int, expected: float) -> None:
    assert best_threshold(np.array(scores), np.array(hits, bool), num_truths) == expected


def test_curve_by_hand() -> None:
    outcome = judge(PREDICTIONS, TARGETS)
    np.testing.assert_allclose(curve(outcome, 0), [[0.5, 1], [0.5, 0.5], [0.5, 1 / 3]])
    np.testing.assert_allclose(curve(outcome, 1), [[0.5, 1], [0.5, 0.5], [0.5, 1 / 3]])
    assert curve(outcome, 1, num_points=2).tolist() == [[0.5, 1], [0.5, pytest.approx(1 / 3)]]
    assert curve(outcome, 5).shape == (0, 2)


def test_counts_of_videos_by_hand() -> None:
    outcome = judge(PREDICTIONS, TARGETS)  # from a score of 0.9 on
    assert video_counts(outcome, np.array([0, 0, 1])).tolist() == [[3, 1, 0], [1, 1, 0]]


def test_the_worst_of_each_video() -> None:
    outcome = judge(PREDICTIONS, TARGETS)
    scores = outcome.detections.score
    assert scores[worst_false(outcome, np.array([0, 1, 2]), 9)] == pytest.approx([0.8, 0.7, 0.6])
    assert scores[worst_false(outcome, np.array([0, 0, 1]), 9)] == pytest.approx([0.8, 0.6])
    assert scores[worst_false(outcome, np.array([0, 0, 1]), 1)] == pytest.approx([0.8])
    assert worst_misses(outcome, np.array([0, 0, 1]), 9).tolist() == [1]  # row 2 is smaller and of the same video


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (1, "annotated as Sit"),
        (2, "overlaps a truth by 0.07 only"),  # 0.1 x 0.1 of 0.3 x 0.5
        (3, "no truth is there"),
        (5, "a surer detection has this truth"),
    ],
)
def test_reasons(row: int, expected: str) -> None:
    assert reason(judge(PREDICTIONS, TARGETS), row, ["Run", "Sit"]) == expected


def test_no_detection_and_no_truth() -> None:
    outcome = judge([prediction()], [target()])
    assert confusion(outcome, 2).sum() == 0
    assert worst_false(outcome, np.zeros(1, int), 9).tolist() == worst_misses(outcome, np.zeros(1, int), 9).tolist()


class Page(HTMLParser):
    """Checks that a page is well formed, runs nothing and needs nothing from elsewhere."""

    alone = frozenset({"meta", "img", "wbr", "path", "polyline"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert tag not in {"script", "link", "iframe", "object", "embed", "base", "form"}
        for name, value in attributes:
            assert not name.startswith("on")
            assert name not in {"href", "src"} or (value or "").startswith("data:image/jpeg;base64,")
        if tag not in self.alone:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.alone:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.texts.append(data)


@pytest.mark.parametrize(
    "part",
    [
        html.page(HOSTILE, []),
        html.section(HOSTILE, HOSTILE, ""),
        html.cards({HOSTILE: 0.5}),
        html.bars({HOSTILE: 0.5, "other": float("nan")}),
        html.curves({HOSTILE: np.zeros((2, 2))}),
        html.table([HOSTILE], [[HOSTILE]]),
        html.matrix([HOSTILE], [HOSTILE], np.ones((1, 1), np.int64)),
        html.picture(b"jpeg", HOSTILE),
        html.listing(HOSTILE),
    ],
)
def test_every_part_escapes_its_texts(part: str) -> None:
    assert "evil.example" in "".join(Page(part).texts)


def test_bars_are_as_long_as_their_numbers() -> None:
    text = html.bars({"low": 0.25, "none": float("nan"), "high": 0.5, "beyond": 7.0})
    assert [part.split("<")[0] for part in text.split("<span>")[1:]] == ["beyond", "high", "low", "none"]
    assert [part.split('"')[0] for part in text.split("width:")[1:]] == ["100.0%", "50.0%", "25.0%", "0.0%"]


@pytest.fixture(scope="module")
def dataset(tiny_config: Config) -> VideoDataset:
    return build_dataset(tiny_config, "test", build_model(tiny_config).input)


def annotated(dataset: VideoDataset, score: float = 0.9) -> list[tuple[dict, dict]]:
    """Samples whose detections are the truths, but all of label 0."""
    entries = [dataset.annotation(number) for number in range(len(dataset))]
    return [(e["meta"], prediction(*((box, 0, score) for box in e["targets"]["boxes"].tolist()))) for e in entries]


def test_a_test_writes_the_page(trained: Path, tmp_path: Path) -> None:
    config = load_config(trained / "config.yaml", [f"output_dir={tmp_path}"])
    numbers = run_test(config, trained / "best.pdparams")
    text = (tmp_path / "test" / "report.html").read_text()
    said = "".join(Page(text).texts)
    for name, value in numbers.items():
        assert name.rpartition("/")[2].split("_")[0] in said
        assert f"{value:.4f}" in said
    assert "anchors:" in said and "--test" not in said  # the config; the command is that of the tests
    assert "pytest" in said


def test_pictures_and_their_number(tiny_config: Config, dataset: VideoDataset, tmp_path: Path) -> None:
    samples = annotated(dataset)
    path = write_report(tmp_path, tiny_config, dataset, samples, {"frame_map@0.5": 0.25, "AP/Hop": 1.0})
    page = Page(path.read_text())
    videos = {meta["id"].rpartition("/")[0] for meta, _ in samples}
    wrong = [name for name in videos if not name.startswith(dataset.classes[0])]
    assert page.tags.count("img") == min(PICTURES, len(wrong))
    assert page.tags.count("svg") == len(dataset.classes)
    assert sum("annotated as" in text for text in page.texts) == min(PICTURES, len(wrong))
    assert path.stat().st_size < 2_000_000


def test_samples_may_come_in_any_order(tiny_config: Config, dataset: VideoDataset, tmp_path: Path) -> None:
    samples = annotated(dataset)
    first = Page(write_report(tmp_path, tiny_config, dataset, samples, {"a": 1.0}).read_text())
    again = Page(write_report(tmp_path, tiny_config, dataset, samples[::-1], {"a": 1.0}).read_text())
    matrix = "".join(first.texts).split("Confusions")[1].split("Videos")[0]
    assert "".join(again.texts).split("Confusions")[1].split("Videos")[0] == matrix


def test_samples_of_another_test_set_are_refused(tiny_config: Config, dataset: VideoDataset, tmp_path: Path) -> None:
    (meta, answer), *_ = annotated(dataset)
    with pytest.raises(ValueError, match="1 samples, such as strange/1, are not in the test set"):
        write_report(tmp_path, tiny_config, dataset, [({**meta, "id": "strange/1"}, answer)], {"a": 1.0})


def test_a_picture_that_cannot_be_read_is_told(
    tiny_config: Config, dataset: VideoDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(number: int) -> Place:
        raise FileNotFoundError(f"no media of {number}")

    monkeypatch.setattr(dataset, "place", gone)
    page = Page(write_report(tmp_path, tiny_config, dataset, annotated(dataset), {"a": 1.0}).read_text())
    assert "img" not in page.tags
    assert "(no picture: no media of" in "".join(page.texts)


def test_answers_without_sections_show_their_numbers(
    tiny_config: Config, dataset: VideoDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoxAnswers, "sections", Answers.sections)
    samples = [({"id": "a"}, {"scores": np.zeros(3)})]
    page = Page(write_report(tmp_path, tiny_config, dataset, samples, {"top1": 0.75, "area": 66.6}).read_text())
    said = "".join(page.texts)
    assert "0.7500" in said and "66.6000" in said and "Confusions" not in said and "Config" in said


def test_names_that_are_no_text_do_not_stop_the_page(
    tiny_config: Config, dataset: VideoDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoxAnswers, "sections", Answers.sections)
    path = write_report(tmp_path, tiny_config, dataset, [({"id": "a"}, {})], {"broken \ud800": 0.5})
    assert "broken ?" in "".join(Page(path.read_text()).texts)


def test_many_classes_share_a_row(tiny_config: Config, dataset: VideoDataset, tmp_path: Path) -> None:
    class Many:
        classes = tuple(f"class{k}" for k in range(MATRIX_CLASSES + 5))

        def __len__(self) -> int:
            return 1

        def annotation(self, number: int) -> dict:
            return {"targets": target(*((LEFT, k) for k in range(MATRIX_CLASSES))), "meta": {"id": "v/1"}}

        def place(self, number: int) -> Place:
            raise FileNotFoundError("there are no media")

    path = write_report(tmp_path, tiny_config, Many(), [({"id": "v/1"}, prediction((LEFT, 41, 0.5)))], {"a": 1.0})
    texts = Page(path.read_text()).texts
    assert texts.count("5 others") == 2  # a row and a column
    assert texts.count("class39") == 2
    assert "class41" not in texts
