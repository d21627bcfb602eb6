from __future__ import annotations

import math

import numpy as np
import paddle
import pytest

from paddlevideo.modeling.losses import RegionLoss

ANCHORS = [[1.0, 1.0], [2.0, 3.0]]


def targets(*samples: list[tuple[int, float, float, float, float]]) -> dict[str, paddle.Tensor]:
    rows = max(1, *(len(sample) for sample in samples))
    boxes = np.zeros((len(samples), rows, 4), np.float32)
    labels = np.full((len(samples), rows), -1)
    for b, sample in enumerate(samples):
        for n, (label, *box) in enumerate(sample):
            labels[b, n], boxes[b, n] = label, box
    return {"boxes": paddle.to_tensor(boxes), "labels": paddle.to_tensor(labels)}


@pytest.fixture
def raw() -> paddle.Tensor:
    paddle.seed(3)
    raw = paddle.randn([2, 2, 5 + 3, 4, 4])
    raw.stop_gradient = False
    return raw


def test_every_part_of_one_box_by_hand() -> None:
    raw = paddle.zeros([1, 2, 8, 4, 4])
    losses = RegionLoss(ANCHORS)(raw, targets([(1, 0.25, 0.25, 0.5, 0.5)]))  # centre (1.5, 1.5), size 1 x 1 cells
    # Anchor 0 has the shape; its prediction there is exactly the box, so the target confidence is 1.
    assert [losses[k].item() for k in "xywh"] == pytest.approx([0, 0, 0, 0], abs=1e-6)
    others = 2 * 4 * 4 - 1  # each says 1/2; anchor 1 of the cell overlaps by 1/6 only, the neighbours not at all
    assert losses["confidence"].item() == pytest.approx(0.5 * (5 * 0.25 + others * 0.25))
    assert losses["class"].item() == pytest.approx((1 - 1 / 3) ** 2 * math.log(3))
    assert losses["recall"].item() == 1.0


def test_box_terms_by_hand() -> None:
    raw = paddle.zeros([1, 2, 8, 4, 4])
    # centre (1.75, 2.0): offsets 0.75 and 0 against 1/2; size (1, e) cells against anchor (1, 1): 0 and 1 against 0
    x, y, half = 1.75, 2.0, math.e / 2
    box = (0, (x - 0.5) / 4, (y - half) / 4, (x + 0.5) / 4, (y + half) / 4)
    losses = RegionLoss([[1.0, 1.0], [9.0, 0.1]])(raw, targets([box]))
    assert losses["x"].item() == pytest.approx(0.5 * 0.5 * 0.25**2, rel=1e-4)
    assert losses["y"].item() == pytest.approx(0.5 * 0.5 * 0.5**2, rel=1e-4)
    assert losses["w"].item() == pytest.approx(0, abs=1e-9)
    assert losses["h"].item() == pytest.approx(0.5 * 0.5, rel=1e-4)


def test_total_is_the_sum_of_the_parts(raw: paddle.Tensor) -> None:
    losses = RegionLoss(ANCHORS)(raw, targets([(0, 0.1, 0.1, 0.4, 0.6)], []))
    parts = [losses[k].item() for k in ("x", "y", "w", "h", "confidence", "class")]
    assert losses["loss"].item() == pytest.approx(sum(parts))


def test_no_boxes_leave_only_the_confidence_and_a_finite_gradient(raw: paddle.Tensor) -> None:
    losses = RegionLoss(ANCHORS)(raw, targets([], []))
    losses["loss"].backward()
    assert losses["loss"].item() == pytest.approx(losses["confidence"].item())
    gradient = raw.grad.numpy()
    assert np.isfinite(gradient).all()
    assert np.abs(np.delete(gradient, 4, axis=2)).max() == 0


def test_padding_changes_nothing(raw: paddle.Tensor) -> None:
    loss = RegionLoss(ANCHORS)
    some = targets([(0, 0.1, 0.1, 0.4, 0.6), (2, 0.5, 0.5, 0.9, 0.9)], [(1, 0.2, 0.2, 0.3, 0.9)])
    padded = {
        "boxes": paddle.concat([some["boxes"], paddle.zeros([2, 3, 4])], 1),
        "labels": paddle.concat([some["labels"], paddle.full([2, 3], -1, "int64")], 1),
    }
    assert loss(raw, padded)["loss"].item() == pytest.approx(loss(raw, some)["loss"].item(), rel=1e-6)


def test_a_batch_is_the_sum_of_its_samples(raw: paddle.Tensor) -> None:
    loss = RegionLoss(ANCHORS)
    first, second = [(0, 0.1, 0.1, 0.4, 0.6)], [(1, 0.2, 0.2, 0.3, 0.9), (2, 0.5, 0.5, 0.9, 0.9)]
    both = loss(raw, targets(first, second))["loss"].item()
    alone = loss(raw[:1], targets(first))["loss"].item() + loss(raw[1:], targets(second))["loss"].item()
    assert both == pytest.approx(alone, rel=1e-5)


def test_of_two_boxes_with_one_cell_and_anchor_the_later_counts(raw: paddle.Tensor) -> None:
    loss = RegionLoss(ANCHORS)
    early, late = (0, 0.26, 0.26, 0.48, 0.48), (2, 0.27, 0.27, 0.49, 0.49)
    both, alone = loss(raw[:1], targets([early, late])), loss(raw[:1], targets([late]))
    for part in ("x", "y", "w", "h", "class"):
        assert both[part].item() == pytest.approx(alone[part].item(), rel=1e-5), part


SCALED = {  # which parts a weight multiplies, and which numbers of a prediction that concerns
    "coord_scale": (("x", "y", "w", "h"), slice(0, 4)),
    "class_scale": (("class",), slice(5, None)),
    "object_scale": ((), slice(4, 5)),
    "noobject_scale": ((), slice(4, 5)),
}


@pytest.mark.parametrize("scale", SCALED)
def test_a_weight_multiplies_its_terms_and_their_gradient_alone(scale: str, raw: paddle.Tensor) -> None:
    boxes = targets([(0, 0.1, 0.1, 0.4, 0.6), (2, 0.5, 0.5, 0.9, 0.9)], [(1, 0.2, 0.2, 0.3, 0.9)])
    parts, numbers = SCALED[scale]
    none, once, thrice = (RegionLoss(ANCHORS, **{scale: factor})(raw, boxes) for factor in (0.0, 1.0, 3.0))
    for part in parts:
        assert none[part].item() == 0 < once[part].item()
        assert thrice[part].item() == pytest.approx(3 * once[part].item())
    without, one, three = (paddle.grad(losses["loss"], raw)[0].numpy() for losses in (none, once, thrice))
    np.testing.assert_allclose(three - without, 3 * (one - without), atol=1e-5)
    assert np.abs(one - without)[:, :, numbers].max() > 0.01
    assert np.abs(np.delete(one - without, np.arange(8)[numbers], axis=2)).max() == 0


def test_a_prediction_that_is_no_number_makes_the_loss_none_and_a_huge_one_stays_finite(raw: paddle.Tensor) -> None:
    broken, boxes = raw.detach(), targets([(0, 0.1, 0.1, 0.3, 0.3)], [])
    broken[:, :, 2] = 1e4  # the width of every box overflows
    assert math.isfinite(RegionLoss(ANCHORS)(broken, boxes)["loss"].item())
    broken[1, 0, 4, 0, 0] = float("nan")
    assert math.isnan(RegionLoss(ANCHORS)(broken, boxes)["loss"].item())


def test_saturated_logits_stay_finite() -> None:
    raw = paddle.zeros([1, 2, 8, 4, 4])
    raw[:, :, 5] = 300.0  # class 0 has probability 1, so that of class 1 underflows
    losses = RegionLoss(ANCHORS)(raw, targets([(1, 0.25, 0.25, 0.5, 0.5)]))
    assert losses["class"].item() == pytest.approx(300.0, rel=1e-5)
