"""Region loss, decoding and suppression against the official implementation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import paddle
import pytest

from paddlevideo.modeling.heads import YOWOHead
from paddlevideo.modeling.losses import RegionLoss
from paddlevideo.modeling.losses.assignment import assign
from paddlevideo.modeling.postprocess import DetectionNMS
from tests.conftest import golden_arrays, golden_roots, read_npz

PARTS = {"x": "x", "y": "y", "w": "w", "h": "h", "conf": "confidence", "cls": "class"}
ROWS = 50


def loss_files() -> list[str]:
    """Names of the loss cases in the first folder that has any."""
    for root in golden_roots():
        names = sorted(f"yowo/{path.name}" for path in Path(root).glob("yowo/loss_[0-9]*.npz"))
        if names:
            return names
    return ["yowo/loss_cases"]


def pairs(anchors: npt.NDArray[np.float32]) -> list[tuple[float, float]]:
    """Anchors as the decimal numbers that float32 rounded."""
    return [(round(float(w), 5), round(float(h), 5)) for w, h in anchors.reshape(-1, 2)]


def official_rows(target: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Centre boxes and labels; rows from the first whose centre x is 0 on do not exist."""
    rows = target.reshape(len(target), ROWS, 5)
    exists = np.cumprod(rows[..., 1] != 0, axis=1).astype(bool)
    return rows[..., 1:].astype(np.float32), np.where(exists, rows[..., 0], -1).astype(np.int64)


@pytest.fixture(params=loss_files())
def case(request: pytest.FixtureRequest) -> dict[str, npt.NDArray[np.float32]]:
    return golden_arrays(request.param)


def raw_of(pred: npt.NDArray[np.float32], num_anchors: int) -> paddle.Tensor:
    batch, channels, height, width = pred.shape
    return paddle.to_tensor(pred.reshape(batch, num_anchors, channels // num_anchors, height, width))


def test_loss_parts_total_and_gradient(case: dict[str, npt.NDArray[np.float32]]) -> None:
    anchors = pairs(case["anchors"])
    boxes, labels = official_rows(case["target"])
    raw = raw_of(case["pred"], len(anchors))
    raw.stop_gradient = False
    losses = RegionLoss(anchors).from_centres(raw, boxes, labels)
    losses["loss"].backward()
    for theirs, ours in PARTS.items():
        expected = float(case[f"loss_{theirs}"])
        assert losses[ours].item() == pytest.approx(expected, rel=1e-4, abs=1e-6), theirs
    assert losses["loss"].item() == pytest.approx(float(case["loss_total"]), rel=1e-5)
    np.testing.assert_allclose(raw.grad.numpy().reshape(case["pred"].shape), case["grad_pred"], atol=1e-5, rtol=0)
    boxes_found, boxes_there = int(case["nCorrect"]), int(case["nGT"])
    assert losses["recall"].item() == pytest.approx(boxes_found / max(boxes_there, 1))


def test_assignment(case: dict[str, npt.NDArray[np.float32]]) -> None:
    anchors = pairs(case["anchors"])
    boxes, labels = official_rows(case["target"])
    raw = raw_of(case["pred"], len(anchors)).numpy()
    found = assign(raw, boxes, labels >= 0, np.array(anchors, np.float32), ignore_threshold=0.6)

    def dense(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Values of matched boxes on the grid `[B, A, H, W]`, 0 elsewhere."""
        grid = np.zeros(case["coord_mask"].shape, np.float32)
        grid.reshape(-1)[found.index] = values
        return grid

    for name, ours in zip(("tx", "ty", "tw", "th"), found.xywh.T, strict=True):
        np.testing.assert_allclose(dense(ours), case[name], atol=2e-5, err_msg=name)
    np.testing.assert_array_equal(dense(labels.ravel()[found.box]), case["tcls"])
    is_object = dense(np.ones(len(found.index), np.float32))
    np.testing.assert_array_equal(is_object, case["coord_mask"])
    np.testing.assert_array_equal(is_object, case["cls_mask"])
    np.testing.assert_array_equal(np.where(found.is_ignored, 0, 1) + 4 * is_object, case["conf_mask"])
    np.testing.assert_allclose(found.confidence, case["tconf"], atol=1e-5)


def decode_cases() -> list[str]:
    """Cases of the decoding file that have one label a box."""
    for root in golden_roots():
        path = Path(root) / "yowo/decode_nms.npz"
        if path.exists():
            names = sorted({key.partition("/")[0] for key in read_npz(path)})
            return [name for name in names if not name.startswith("ava")]
    return ["none"]


@pytest.fixture(params=decode_cases())
def decoded(request: pytest.FixtureRequest) -> dict[str, npt.NDArray[np.float32]]:
    golden = golden_arrays("yowo/decode_nms.npz")
    prefix = request.param + "/"
    case = {key.removeprefix(prefix): golden[key] for key in golden if key.startswith(prefix)}
    anchors = pairs(case["anchors"])
    head = YOWOHead(8, int(case["num_classes"]), anchors)
    outputs = head.decode(raw_of(case["pred"], len(anchors)))
    return {**case, **{f"our_{key}": value.numpy() for key, value in outputs.items()}}


def test_decode(decoded: dict[str, npt.NDArray[np.float32]]) -> None:
    batch, boxes = decoded["our_boxes"].shape[:2]
    every = decoded["all"].reshape(batch, boxes, -1)
    centre, size = every[..., 1:3], every[..., 3:5]
    corners = np.concatenate([centre - size / 2, centre + size / 2], -1)
    np.testing.assert_allclose(decoded["our_boxes"], corners, atol=1e-5)
    np.testing.assert_allclose(decoded["our_objectness"], every[..., 5], atol=1e-5)
    np.testing.assert_allclose(decoded["our_probabilities"], every[..., 6:], atol=1e-5)


def predictions(decoded: dict[str, npt.NDArray[np.float32]], rows: str) -> list[dict[str, npt.NDArray[np.float32]]]:
    nms = DetectionNMS(iou_threshold=float(decoded["nms_thresh"]), rows=rows)  # type: ignore[arg-type]
    ours = {key.removeprefix("our_"): value for key, value in decoded.items() if key.startswith("our_")}
    return nms(ours, [{} for _ in ours["boxes"]])


def test_suppression_keeps_the_official_boxes_in_order(decoded: dict[str, npt.NDArray[np.float32]]) -> None:
    expected = decoded["post_nms"].reshape(-1, 8)
    answers = predictions(decoded, "best")
    assert [len(answer["labels"]) for answer in answers] == [
        int((expected[:, 0] == sample).sum()) for sample in range(len(answers))
    ]
    rows = np.concatenate(
        [np.column_stack([a["boxes"], a["objectness"], a["scores"] / a["objectness"], a["labels"]]) for a in answers]
    )
    centre, size = expected[:, 1:3], expected[:, 3:5]
    corners = np.concatenate([centre - size / 2, centre + size / 2], -1)
    np.testing.assert_allclose(rows, np.concatenate([corners, expected[:, 5:]], 1), atol=2e-5)


def test_result_rows_of_the_official_writer(decoded: dict[str, npt.NDArray[np.float32]]) -> None:
    expected = decoded["result_rows"].reshape(-1, 7)
    rows = []
    for sample, answer in enumerate(predictions(decoded, "official")):
        pixels = np.round(answer["boxes"].astype(np.float64) * [320, 240, 320, 240])
        samples = np.full(len(pixels), sample)
        rows.append(np.column_stack([samples, answer["labels"] + 1, answer["scores"], pixels]))
    ours = np.concatenate(rows)
    np.testing.assert_array_equal(ours[:, [0, 1, 3, 4, 5, 6]], expected[:, [0, 1, 3, 4, 5, 6]])
    np.testing.assert_allclose(ours[:, 2], expected[:, 2], atol=1e-5)
