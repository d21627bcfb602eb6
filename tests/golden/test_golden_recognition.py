from __future__ import annotations

import numpy as np
import paddle
import pytest
from paddle.nn import functional as F

from paddlevideo.config import load_config
from paddlevideo.loader.crops import CenterCrop, ScaleShortSide
from paddlevideo.loader.samplers import SegmentFrames
from paddlevideo.metrics.top_k_accuracy import TopKAccuracy
from paddlevideo.modeling.inputs.segment_input import SegmentInput
from paddlevideo.tasks.parts import build_model
from paddlevideo.tasks.predictor import eager_network
from paddlevideo.utils.cpu import use_onednn
from tests.conftest import REPOSITORY
from tests.golden.weights import assert_close_to_max
from tests.golden.zoo import draw, load_zoo, load_zoo_weights, zoo_weight

TOLERANCE = 1e-3  # of the largest logit, as the README of the reference suggests


@pytest.mark.parametrize(
    ("name", "config", "suffix", "overrides"),
    [
        ("tsn_r50", "tsn", "", []),
        ("tsm_r50", "tsm", "_upscale", []),
        ("tsm_r50", "tsm", "_downscale", ["MODEL.head.dropout_mode=downscale_in_infer"]),
    ],
)
def test_networks_answer_as_the_reference(name: str, config: str, suffix: str, overrides: list[str]) -> None:
    expected, meta = load_zoo(name)
    facts = meta["config"]
    settings = [
        f"MODEL.input.num_frames={facts['seg_num']}",
        f"MODEL.input.size={facts['size']}",
        f"classes={[f'class {k}' for k in range(facts['num_classes'])]}",
        *overrides,
    ]
    model = build_model(load_config(REPOSITORY / "configs" / "recognition" / f"{config}.yaml", settings))
    load_zoo_weights(model, meta)
    use_onednn(model)
    first = next(iter(meta["params_check"]))
    shape = next(one["shape"] for one in meta["params"] if one["name"] == first)
    assert zoo_weight(first, shape, "weight", meta["seed"]).ravel()[:3] == pytest.approx(meta["params_check"][first])
    shape = [facts["batch"], facts["seg_num"], 3, facts["size"], facts["size"]]
    clip = draw("input:image", meta["seed"]).standard_normal(shape).astype(np.float32).transpose(0, 2, 1, 3, 4)
    model.eval()
    with paddle.no_grad():
        logits = model({"clip": paddle.to_tensor(np.ascontiguousarray(clip))})["logits"].numpy()
    assert_close_to_max(logits, expected[f"logit{suffix}"], TOLERANCE, "logits")
    scores = eager_network(model)({"clip": np.ascontiguousarray(clip)})["scores"]
    np.testing.assert_allclose(scores, expected[f"prob{suffix}"], atol=TOLERANCE)


def test_the_shift_is_the_reference_s() -> None:
    expected, meta = load_zoo("temporal_shift")
    x = draw("input:shift", meta["seed"]).standard_normal([8, 16, 3, 3]).astype(np.float32)
    shifted = F.temporal_shift(paddle.to_tensor(x), 4, 1 / 8).numpy()
    np.testing.assert_array_equal(shifted, expected["paddle_op"])
    # The original release exchanges the two groups of channels, before and after.
    swap = [2, 3, 0, 1, *range(4, 16)]
    swapped = F.temporal_shift(paddle.to_tensor(x[:, swap]), 4, 1 / 8).numpy()[:, swap]
    np.testing.assert_array_equal(swapped, expected["original_release"])


def test_segments_are_those_of_the_reference() -> None:
    _, meta = load_zoo("sampling_transforms")
    assert meta["sampling"]
    for case in meta["sampling"]:
        count, run = case["seg_num"] * case["seg_len"], case["seg_len"]
        sampler = SegmentFrames(num_frames=count, train_frames=count, run=run)
        length = case["frames"]
        assert sampler(length, length - 1, None).tolist() == case["pkl_eval"], case
        if run == 1:
            assert case["pkl_eval"] == case["mp4_eval"]
        for extreme in ("low", "high"):
            assert sampler(length, length - 1, Extreme(extreme)).tolist() == case[f"train_{extreme}"], case


class Extreme:
    """Stands for a generator that draws the least or the largest number each time."""

    def __init__(self, which: str) -> None:
        self.which = which

    def integers(self, low: int, high: int, size: int, endpoint: bool) -> np.ndarray:
        assert endpoint
        return np.full(size, low if self.which == "low" else high)


def test_sizes_are_those_of_the_reference() -> None:
    _, meta = load_zoo("sampling_transforms")
    for given, (width, height) in meta["scaled_size"].items():
        before = [int(side) for side in given.split("x")]
        assert ScaleShortSide(256).target(before[1], before[0]) == (height, width), given


@pytest.mark.parametrize("shape", ["wide", "tall"])
def test_test_pictures_are_those_of_the_reference(shape: str) -> None:
    arrays, _ = load_zoo("sampling_transforms")
    sample = {"frames": arrays[f"frames_{shape}"], "meta": {"id": "v"}}
    for transform in (ScaleShortSide(32), CenterCrop(28)):
        sample = transform(sample, None)
    clip = SegmentInput(num_frames=2, size=28)(sample)["clip"].transpose(1, 0, 2, 3)
    grey = np.abs(clip - arrays[f"eval_{shape}"]) * 255 * np.array([0.229, 0.224, 0.225])[:, None, None]
    assert grey.max() <= 1.01  # grey levels, as the README of the reference allows


def test_views_are_joined_as_in_the_reference() -> None:
    arrays, meta = load_zoo("multiview_accuracy")
    _, views, classes = arrays["prob"].shape
    metric = TopKAccuracy([f"class {k}" for k in range(classes)], top=[1, 5])
    for place in arrays["order"].tolist():
        video, view = divmod(place, views)
        info = {"id": f"{video}#{view}", "video": str(video), "view": view}
        target = {"labels": arrays["gt"][video : video + 1]}
        metric.update([{"scores": arrays["prob"][video, view]}], [target], [info])
    numbers = metric.accumulate()
    assert [f"top-{k} accuracy: {100 * numbers[f'top{k}']:.2f} percent" for k in (1, 5)] == meta["log"][-2:]
