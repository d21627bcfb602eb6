from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from paddlevideo.config import load_config
from paddlevideo.loader.index import VideoEntry
from paddlevideo.registry import HEADS
from paddlevideo.tasks.anchors import box_shapes, describe_fit, fit_anchors, improve, propose_anchors, shape_iou
from paddlevideo.tasks.parts import build_model, scan_dataset
from tests.conftest import REPOSITORY, load_script

CONFIGS = REPOSITORY / "configs" / "localization"
REAL = REPOSITORY.parent / "shared" / "data" / "ucf24_annotations"


def random_shapes(seed: int, count: int = 300) -> np.ndarray:
    return np.random.default_rng(seed).uniform(2, 200, (count, 2)).round()


def mean_best_iou(shapes: np.ndarray, anchors: np.ndarray) -> float:
    return float(shape_iou(shapes, anchors).max(1).mean())


def test_iou_of_shapes_with_one_corner() -> None:
    a = np.array([[2.0, 1.0], [4.0, 4.0]])
    b = np.array([[1.0, 2.0], [2.0, 1.0], [4.0, 2.0]])
    np.testing.assert_allclose(shape_iou(a, b), [[1 / 3, 1, 1 / 4], [1 / 8, 1 / 8, 1 / 2]])


def test_boxes_are_measured_on_the_resized_frame_and_labels_of_one_box_count_once() -> None:
    boxes = np.array([[1, 0, 10, 10, 30, 20], [1, 1, 10, 10, 30, 20], [2, 0, 10, 10, 30, 20.0]])
    videos = [VideoEntry("a", Path("a"), 2, (48, 64), boxes), VideoEntry("b", Path("b"), 2, (48, 64), boxes[:0])]
    np.testing.assert_allclose(box_shapes(videos, (96, 192)), [[60, 20], [60, 20]])


@pytest.mark.parametrize("seed", range(3))
def test_planted_clusters_are_found(seed: int) -> None:
    centres = np.array([[10.0, 30], [80, 20], [60, 150]])
    rng = np.random.default_rng(seed)
    shapes = np.repeat(centres, [50, 400, 120], axis=0) * rng.uniform(0.9, 1.1, (570, 2))
    np.testing.assert_allclose(fit_anchors(shapes, 3, seed), centres, rtol=0.03)


def test_one_anchor_is_the_median() -> None:
    shapes = np.array([[1.0, 9], [2, 4], [50, 5], [3, 5], [3, 6]])
    np.testing.assert_array_equal(fit_anchors(shapes, 1, 0), [[3, 5]])


def test_a_shape_counts_as_often_as_it_occurs() -> None:
    shapes, start = np.array([[10.0, 10], [12, 12], [13, 13]]), np.array([[5.0, 5]])
    for weights, expected in (([3, 1, 1], 10), ([1, 1, 1], 12), ([1, 1, 3], 13)):
        anchors, _ = improve(shapes, np.array(weights), start)
        np.testing.assert_array_equal(anchors, [[expected, expected]])


@pytest.mark.parametrize("seed", range(5))
def test_anchors_never_get_worse_than_their_start(seed: int) -> None:
    shapes = random_shapes(seed)
    start = np.random.default_rng(seed + 100).uniform(2, 200, (4, 2))
    anchors, score = improve(shapes, np.ones(len(shapes), np.int64), start)
    assert score == pytest.approx(mean_best_iou(shapes, anchors))
    assert score > mean_best_iou(shapes, start)


def test_an_anchor_that_no_box_is_like_stays() -> None:
    shapes = np.array([[10.0, 10], [11, 11], [12, 12]])
    anchors, _ = improve(shapes, np.ones(3, np.int64), np.array([[9.0, 9], [500, 500]]))
    np.testing.assert_array_equal(anchors, [[11, 11], [500, 500]])


def test_order_of_boxes_does_not_matter_and_scale_goes_through() -> None:
    shapes = random_shapes(7)
    anchors = fit_anchors(shapes, 4, 1)
    np.testing.assert_array_equal(fit_anchors(shapes[::-1], 4, 1), anchors)
    stretched = fit_anchors(shapes * [2, 8], 4, 1)
    np.testing.assert_allclose(stretched, anchors * [2, 8])
    assert (np.diff(anchors.prod(1)) >= 0).all()


def test_shapes_that_differ_by_rounding_are_no_obstacle() -> None:
    shapes = np.concatenate([np.array([[50.0, 70], [20, 30]]) * (1 + k * np.finfo(float).eps) for k in range(6)])
    for count in range(1, len(np.unique(shapes, axis=0)) + 1):
        assert fit_anchors(shapes, count, 0).shape == (count, 2)


@pytest.mark.parametrize("count", [0, 3])
def test_as_many_shapes_as_anchors_are_needed(count: int) -> None:
    with pytest.raises(ValueError, match=f"between 1 and 2 anchors, .* got {count}"):
        fit_anchors(np.array([[1.0, 2], [3, 4], [1, 2]]), count, 0)


@pytest.mark.parametrize("name", ["yowo_sample", "yowo_plus_sample"])
def test_what_is_printed_fits_into_the_config(name: str, sample_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(CONFIGS / f"{name}.yaml")
    overrides = [f"classes={sample_data / 'classes.txt'}", f"DATASET.train.index={sample_data / 'train.jsonl'}"]
    arguments = [word for override in overrides for word in ("-o", override)]
    assert load_script("tools/fit_anchors.py").main(["-c", path, *arguments, "--count", "3"]) == 0
    said = capsys.readouterr().out
    anchors = yaml.safe_load(said[said.index("anchors: #") :])["anchors"]
    config = load_config(path, [*overrides, f"MODEL.head.anchors={anchors}"])
    model = build_model(config)
    assert model.anchors.shapes == anchors
    pixels = np.array(anchors) * model.anchors.unit
    shapes = box_shapes(scan_dataset(config, "train").index.videos, model.input.size)
    np.testing.assert_allclose(pixels, fit_anchors(shapes, 3, 0), rtol=1e-3)
    assert describe_fit("fitted", shapes, model.anchors) in said


def test_a_wrong_annotation_is_refused(sample_data: Path, tmp_path: Path) -> None:
    text = (sample_data / "train.jsonl").read_text()
    (tmp_path / "train.jsonl").write_text(text + "{\n")
    overrides = [f"classes={sample_data / 'classes.txt'}", f"DATASET.train.index={tmp_path / 'train.jsonl'}"]
    with pytest.raises(ValueError, match=r"train\.jsonl:10: not a line of JSON.*check_dataset\.py names all 1"):
        propose_anchors(load_config(CONFIGS / "yowo_sample.yaml", overrides), 2, 0)


@pytest.mark.skipif(not REAL.is_dir(), reason="the real annotation is not here")
def test_the_published_anchors_of_ucf24_do_not_fit_better() -> None:
    script = load_script("data/ucf24/build_split.py")
    annotation = script.read_tubes(REAL / "pyannot.pkl")
    names = script.complement(annotation, script.read_list(REAL / "testlist01.txt"))
    videos = [VideoEntry(n, Path(n), annotation[n].num_frames, (240, 320), annotation[n].boxes) for n in names]
    shapes = box_shapes(videos, (224, 224))
    fitted = mean_best_iou(shapes, fit_anchors(shapes, 5, 0))
    for name in ("yowo", "yowo_plus"):
        node = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())["MODEL"]["head"]
        head = HEADS.build(node, in_channels=1, num_classes=24)
        published = mean_best_iou(shapes, np.array(head.anchors) * head.anchor_unit)
        assert 0.7 < published <= fitted
