"""Target assignment and loss of YOWO, beside the published algorithm read literally: box by box, anchor by anchor.

The published code leaves the numbers of a box in the tensor that it gets and computes with its elements; so do `loops`.
`numbers` are the same loops on numbers of Python, which cost less than elements of a tensor. Both work on whole tensors
where the published code does: all predictions of a sample against one box, and the sums at the end.

All sides get the same tensors, their losses and gradients are compared, and they take turns, so that whatever else the
machine does meets all. `forward` is assignment and loss, the other numbers are with the gradient of the predictions;
all are the processor's time.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import paddle
from paddle import Tensor
from paddle.nn import functional as F

from paddlevideo.config import load_config
from paddlevideo.modeling.boxes import cxcywh_to_xyxy
from paddlevideo.modeling.heads.yowo_head import decode_boxes
from paddlevideo.modeling.losses import RegionLoss
from paddlevideo.types import Tensors
from paddlevideo.utils.command import run_command
from paddlevideo.utils.device import use_device

Loss = Callable[[Tensor], Tensor]
RowsOf = Callable[[Tensor, Tensor, int, int], Iterator[tuple[list[Any], Any]]]
GRID = 7
CLASSES = 24
OBJECT_SCALE, IGNORE_THRESHOLD = 5.0, 0.6
TARGETS = ("x", "y", "w", "h", "confidence")


def loop_loss(
    raw: Tensor, boxes: Tensor, labels: Tensor, anchors: Sequence[Sequence[float]], rows_of: RowsOf
) -> Tensor:
    """The loss as its sum is published, with targets that are put in their cells one by one.

    Args:
        raw: `[B, A, 5 + C, H, W]`.
        boxes: `[B, N, 4]`, centre and size as fractions of the frame.
        labels: `[B, N]`, -1 from the first row on that is padding.
        anchors: `[A, 2]`, width and height in grid cells.
        rows_of: reads the boxes of a sample.
    """
    with paddle.no_grad():
        target, is_object, weight, label = loop_targets(raw, boxes, labels, anchors, rows_of)
    said = {key: raw[:, :, number] for number, key in enumerate(TARGETS)}
    said = {key: value if key in "wh" else F.sigmoid(value) for key, value in said.items()}
    total = (weight * (said["confidence"] - target["confidence"]) ** 2).sum() / 2
    for key in "xywh":
        total += F.smooth_l1_loss(said[key] * is_object, target[key] * is_object, reduction="sum") / 2
    cells = paddle.nonzero(is_object)
    logits = paddle.gather_nd(raw[:, :, 5:].transpose([0, 1, 3, 4, 2]), cells)
    p = F.softmax(logits)[paddle.arange(len(cells)), paddle.gather_nd(label, cells)]
    return total + ((1 - p) ** 2 * -paddle.log(p)).sum()


def loop_targets(
    raw: Tensor, boxes: Tensor, labels: Tensor, anchors: Sequence[Sequence[float]], rows_of: RowsOf
) -> tuple[Tensors, Tensor, Tensor, Tensor]:
    """What every cell should say, which ones answer for a box, the weight of their confidence, and their class."""
    batch, num_anchors, _, height, width = raw.shape
    shape = [batch, num_anchors, height, width]
    target = {key: paddle.zeros(shape) for key in TARGETS}
    is_object, weight, label = paddle.zeros(shape), paddle.ones(shape), paddle.zeros(shape, "int64")
    decoded = decode_boxes(raw[:, :, :4].transpose([0, 3, 4, 1, 2]), anchors).transpose([0, 3, 1, 2, 4])
    for b in range(batch):
        best = paddle.zeros(shape[1:])
        for box, _ in rows_of(boxes[b], labels[b], height, width):
            best = paddle.maximum(best, box_iou(decoded[b], box))
        weight[b] = (best <= IGNORE_THRESHOLD).astype("float32")
        for box, of in rows_of(boxes[b], labels[b], height, width):
            x, y, w, h = box
            i, j = int(x), int(y)
            n = max(range(num_anchors), key=lambda n: shape_iou((w, h), anchors[n]))
            overlap = box_iou(decoded[b, n, j, i], box)
            values: tuple[Any, ...] = (x - i, y - j, math.log(w / anchors[n][0]), math.log(h / anchors[n][1]), overlap)
            for key, value in zip(TARGETS, values, strict=True):
                target[key][b, n, j, i] = value
            is_object[b, n, j, i], weight[b, n, j, i], label[b, n, j, i] = 1.0, OBJECT_SCALE, of
    return target, is_object, weight, label


def elements_of(boxes: Tensor, labels: Tensor, height: int, width: int) -> Iterator[tuple[list[Any], Any]]:
    """The boxes of a sample in grid cells and their labels, up to the first that is padding, as elements of tensors."""
    for n in range(len(labels)):
        if labels[n] < 0:
            return
        yield [boxes[n][k] * side for k, side in enumerate((width, height) * 2)], labels[n]


def numbers_of(boxes: Tensor, labels: Tensor, height: int, width: int) -> Iterator[tuple[list[Any], Any]]:
    """As `elements_of`, but numbers of Python."""
    sides = (width, height) * 2
    for box, label in zip(np.asarray(boxes).tolist(), np.asarray(labels).tolist(), strict=True):
        if label < 0:
            return
        yield [value * side for value, side in zip(box, sides, strict=True)], label


def box_iou(boxes: Tensor, box: Sequence[Any]) -> Tensor:
    """Overlap of boxes `[..., 4]` with one box, all centre x, centre y, width and height."""
    x, y, w, h = boxes.unbind(-1)
    gx, gy, gw, gh = box
    across = F.relu((x + w / 2).clip(max=gx + gw / 2) - (x - w / 2).clip(min=gx - gw / 2))
    down = F.relu((y + h / 2).clip(max=gy + gh / 2) - (y - h / 2).clip(min=gy - gh / 2))
    return across * down / (w * h + gw * gh - across * down)


def shape_iou(a: Sequence[Any], b: Sequence[Any]) -> Any:
    """Overlap of two boxes around one centre, given by width and height."""
    shared = min(a[0], b[0]) * min(a[1], b[1])
    return shared / (a[0] * a[1] + b[0] * b[1] - shared)


def competitors(batch: int, count: int, anchors: Sequence[Sequence[float]]) -> tuple[Tensor, dict[str, Loss]]:
    """Predictions, and all losses on the same boxes, `count` a sample."""
    rng = np.random.default_rng(count)
    raw = paddle.to_tensor(rng.normal(size=(batch, len(anchors), 5 + CLASSES, GRID, GRID)).astype(np.float32))
    raw.stop_gradient = False
    size = rng.uniform(0.1, 0.6, (batch, count, 2))
    centred = np.concatenate([rng.uniform(0.05, 0.95, (batch, count, 2)), size], -1).astype(np.float32)
    boxes, labels = paddle.to_tensor(centred), paddle.to_tensor(rng.integers(0, CLASSES, (batch, count)))
    ours = RegionLoss(anchors)
    targets = {"boxes": cxcywh_to_xyxy(boxes), "labels": labels}
    return raw, {
        "loops": lambda raw: loop_loss(raw, boxes, labels, anchors, elements_of),
        "numbers": lambda raw: loop_loss(raw, boxes, labels, anchors, numbers_of),
        "ours": lambda raw: ours(raw, targets)["loss"],
    }


def compare(raw: Tensor, losses: dict[str, Loss]) -> None:
    """Check that all sides give one loss and one gradient.

    Raises:
        RuntimeError: they do not.
    """
    answers = []
    for loss in losses.values():
        value = loss(raw)
        (gradient,) = paddle.grad(value, raw)
        answers.append((value.item(), gradient.numpy()))
    *theirs, (ours, our_gradient) = answers
    for loops, their_gradient in theirs:
        if abs(ours - loops) > 1e-5 * abs(loops) or np.abs(our_gradient - their_gradient).max() > 1e-4:
            raise RuntimeError(f"the losses differ, {loops} in loops and {ours} here, so their times say nothing")


def milliseconds(raw: Tensor, loss: Loss, repeats: int) -> tuple[float, float]:
    """Time of the loss alone, and with its gradient."""
    start = time.process_time()
    for _ in range(repeats):
        loss(raw)
    middle = time.process_time()
    for _ in range(repeats):
        paddle.grad(loss(raw), raw)
    return 1000 * (middle - start) / repeats, 1000 * (time.process_time() - middle) / repeats


def run(arguments: Sequence[str] | None) -> None:
    """Compare and measure for several numbers of boxes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--boxes", type=int, nargs="+", default=[1, 2, 3, 5, 10, 20, 50], help="of a sample")
    parser.add_argument("--rounds", type=int, default=15, help="turns of each side")
    args = parser.parse_args(arguments)
    use_device("cpu")
    anchors = load_config("configs/localization/yowo.yaml", ["classes=[any]"]).MODEL["head"]["anchors"]
    titles = ("loops, ms", "numbers, ms", "ours, ms", "faster than loops", "than numbers")
    print(f"{'boxes a sample':<16}" + "".join(f"{title:>22}" for title in titles))
    print(f"{'':<16}" + f"{'forward':>11}{'+ gradient':>11}" * len(titles))
    for count in args.boxes:
        raw, losses = competitors(args.batch, count, anchors)
        compare(raw, losses)
        rounds = [
            [milliseconds(raw, loss, 5 if name == "ours" else 1) for name, loss in losses.items()]
            for _ in range(args.rounds)
        ]
        loops, numbers, ours = np.median(np.array(rounds[1:]), axis=0)
        columns = (*loops, *numbers, *ours, *(loops / ours), *(numbers / ours))
        print(f"{count:<16}" + "".join(f"{value:>11.2f}" for value in columns), flush=True)


if __name__ == "__main__":
    sys.exit(run_command(lambda: run(None)))
