"""BMN's mask, network, targets, loss and proposals against the original code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import paddle
import pytest

from paddlevideo.config import load_config
from paddlevideo.modeling.losses import BMNLoss
from paddlevideo.modeling.losses.bmn_loss import MatchingMaps, matching_maps
from paddlevideo.modeling.models import VideoModel
from paddlevideo.modeling.necks.boundary_matching import sampling_shares
from paddlevideo.modeling.postprocess import ProposalSoftNMS
from paddlevideo.modeling.postprocess.proposal_soft_nms import pair_boundaries
from paddlevideo.modeling.segments import soft_nms
from paddlevideo.tasks.parts import build_model
from tests.conftest import REPOSITORY, golden_names, read_npz
from tests.golden.temporal import FOLDER, fill_bmn, rand, randn, read_arrays, read_json
from tests.golden.weights import assert_same_rows

PARTS = ("loss", "tem", "pem_reg", "pem_cls")
Arrays = dict[str, npt.NDArray[Any]]


def network(*overrides: str) -> VideoModel:
    model = build_model(load_config(REPOSITORY / "configs" / "localization" / "bmn.yaml", overrides))
    fill_bmn(model)
    model.eval()
    return model


def mask(snippets: int, durations: int, samples: int, points: int = 3, margin: float = 0.5) -> npt.NDArray[np.float32]:
    """The published mask `[T, N, D, T]`."""
    duration, start = np.divmod(np.arange(durations * snippets), snippets)
    shares = sampling_shares(start, duration + 1, snippets, samples, points, margin)  # [D * T, N, T]
    shares[duration + start >= snippets] = 0
    return shares.transpose(2, 1, 0).reshape(snippets, samples, durations, snippets)


def test_small_masks() -> None:
    golden = read_arrays("bmn_mask_small.npz")
    np.testing.assert_allclose(mask(12, 12, 4), golden["small_mask"], atol=1e-6)
    np.testing.assert_allclose(mask(10, 6, 5, 2, 0.5), golden["mask_t10_d6_n5_p2_r05"], atol=1e-6)
    np.testing.assert_allclose(mask(7, 7, 3, 3, 0.2), golden["mask_t7_d7_n3_p3_r02"], atol=1e-6)


def test_full_mask() -> None:
    golden, ours = read_arrays("bmn_mask_small.npz"), mask(100, 100, 32)
    np.testing.assert_allclose(ours[:, [0, 5, 16, 31]].sum(0), golden["full_mask_sum_over_time"], atol=1e-6)
    np.testing.assert_allclose(ours[:, :, 9].sum(1), golden["full_mask_sum_over_samples_d9"], atol=1e-5)
    for duration, start in ((0, 0), (24, 40), (99, 0), (3, 97)):
        expected = golden[f"full_mask_col_d{duration}_s{start}"]
        np.testing.assert_allclose(ours[:, :, duration, start], expected, atol=1e-6)
    assert ours.sum(dtype=np.float64) == pytest.approx(float(golden["full_mask_total"]), rel=1e-6)


def test_small_network() -> None:
    golden = read_arrays("bmn_mask_small.npz")
    model = network("MODEL.input.channels=8", "MODEL.input.num_snippets=12", "MODEL.neck.num_samples=4")
    outputs = model({"features": paddle.to_tensor(golden["small_input"])})
    for ours, theirs in (("map", "small_bm"), ("start", "small_start"), ("end", "small_end")):
        np.testing.assert_allclose(outputs[ours].numpy(), golden[theirs], atol=1e-6, err_msg=ours)


def test_full_network() -> None:
    golden, features = read_arrays("bmn_forward.npz"), randn("bmn.input", (1, 400, 100))
    np.testing.assert_array_equal(features[0, :4, :4], golden["input_check"])
    model = network()
    assert sum(parameter.size for parameter in model.parameters()) == 2_782_980
    with paddle.no_grad():
        outputs = model({"features": paddle.to_tensor(features)})
    for ours, theirs in (("map", "bm"), ("start", "start"), ("end", "end")):
        np.testing.assert_allclose(outputs[ours].numpy(), golden[theirs], atol=1e-5, err_msg=ours)


def test_targets() -> None:
    golden = read_arrays("anet_labels.npz")
    for video, node in read_json("anet_toy_annotations.json").items():
        if not node["annotations"]:
            continue
        segments = paddle.to_tensor([[row["segment"] for row in node["annotations"]]], dtype="float64")
        present = paddle.ones(segments.shape[:2], dtype="bool")
        maps = matching_maps(segments / node["duration_second"], present, 100, 100)
        for ours, theirs in ((maps.start, "start"), (maps.end, "end"), (maps.iou, "iou")):
            expected = golden[f"{video}.bmn_{theirs}"].astype(np.float32)
            np.testing.assert_allclose(ours.numpy()[0], expected, atol=1e-6, err_msg=f"{video} {theirs}")


def loss_cases(path: Path) -> list[str]:
    return [name.removeprefix("videos_") for name in read_npz(path) if name.startswith("videos_")]


@pytest.mark.parametrize("case", golden_names(f"{FOLDER}/bmn_loss.npz", loss_cases))
def test_loss(case: str) -> None:
    golden, labels = read_arrays("bmn_loss.npz"), read_arrays("anet_labels.npz")
    videos = golden[f"videos_{case}"]
    maps = MatchingMaps(*(paddle.to_tensor(_stacked(labels, videos, part)) for part in ("start", "end", "iou")))
    if f"iou_{case}" in golden:
        maps = MatchingMaps(maps.start, maps.end, paddle.to_tensor(golden[f"iou_{case}"]))
    shapes = {"bm": (len(videos), 2, 100, 100), "start": (len(videos), 100), "end": (len(videos), 100)}
    made = {name: _predicted(f"bmn.loss.{name}.{case}", shape) for name, shape in shapes.items()}
    loss = BMNLoss()
    draws = _draws(case)
    loss.draw = lambda shape: next(draws)
    losses = loss.of_maps({"map": made["bm"], "start": made["start"], "end": made["end"]}, maps)
    losses["loss"].backward()
    np.testing.assert_allclose([losses[part].item() for part in PARTS], golden[f"loss_{case}"], rtol=1e-5)
    for name in ("start", "end"):
        np.testing.assert_allclose(made[name].grad.numpy(), golden[f"grad_{name}_{case}"], rtol=1e-5, atol=1e-8)
    gradient = made["bm"].grad.numpy()
    np.testing.assert_array_equal(np.packbits(gradient[:, 0] != 0), golden[f"grad_bm_reg_nonzero_{case}"])
    np.testing.assert_allclose(np.abs(gradient).sum((2, 3)), golden[f"grad_bm_absum_{case}"], rtol=1e-5)


def _stacked(labels: Arrays, videos: npt.NDArray[Any], part: str) -> npt.NDArray[np.float32]:
    return np.stack([labels[f"{video}.bmn_{part}"] for video in videos]).astype(np.float32)


def _predicted(name: str, shape: tuple[int, ...]) -> paddle.Tensor:
    values = np.float32(0.98) * rand(name, shape) + np.float32(0.01)
    return paddle.to_tensor(values, stop_gradient=False)


def _draws(case: str) -> Iterator[paddle.Tensor]:
    for group in ("mid", "low"):
        yield paddle.to_tensor(rand(f"bmn.loss.u_{group}.{case}", (100, 100)))


def test_proposals() -> None:
    golden, annotations = read_arrays("bmn_postprocess.npz"), read_json("anet_toy_annotations.json")
    videos = sorted({name.partition(".")[0] for name in golden})
    assert videos
    for video in videos:
        start, end, quality = (golden[f"{video}.{part}"] for part in ("start", "end", "bm"))
        segments, scores = pair_boundaries(start, end, quality[0, 0] * quality[0, 1])
        assert len(scores) == golden[f"{video}.n_props"]
        rows = np.linspace(0, len(scores) - 1, 200).astype(int)
        np.testing.assert_allclose(np.column_stack([segments, scores])[rows], golden[f"{video}.props"], atol=1e-6)
        meta = {"id": video, "duration": annotations[video]["duration_second"]}
        (found,) = ProposalSoftNMS()({"start": start[None], "end": end[None], "map": quality}, [meta])
        final = np.column_stack([found["scores"], found["segments"]])
        assert_same_rows(final, golden[f"{video}.final"], 1e-6)


def test_soft_suppression_with_the_constants_of_bsn() -> None:
    golden = read_arrays("bsn_softnms.npz")
    for case in (name.removeprefix("in_") for name in golden if name.startswith("in_")):
        rows = golden[f"in_{case}"]
        chosen, scores = soft_nms(rows[:, :2], rows[:, 2:].prod(1), 0.75, (0.65, 0.9), 101)
        np.testing.assert_allclose(np.column_stack([scores, rows[chosen, :2]]), golden[f"out_{case}"], atol=1e-9)
