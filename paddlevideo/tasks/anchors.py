"""How well anchors fit the shapes of boxes, and anchors that fit them better."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias, cast

import numpy as np
import numpy.typing as npt

from paddlevideo.config import Config
from paddlevideo.loader.index import VideoEntry
from paddlevideo.modeling.models import Anchors
from paddlevideo.tasks.parts import build_model, scan_dataset
from paddlevideo.types import FrameInput
from paddlevideo.utils.logging import logger

Float64Array: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]
RESTARTS = 10
SAME = 1e-12  # distance of shapes that are one but for rounding


def propose_anchors(config: Config, count: int, seed: int) -> Float64Array:
    """Fit anchors to the boxes of a config's training set, and print them as the config needs them.

    Args:
        config: of a model with anchors.
        count: how many anchors.
        seed: of the starts.

    Returns:
        `[count, 2]`, width and height in the unit of the config's anchors.

    Raises:
        ValueError: a model without anchors, a wrong annotation, or fewer shapes than anchors.
    """
    model = build_model(config)
    configured = model.anchors
    if configured is None:
        raise ValueError("the model of this config has no anchors, so there is nothing to fit")
    scan = scan_dataset(config, "train")
    if scan.defects:
        raise ValueError(f"{scan.defects[0].text}; tools/check_dataset.py names all {len(scan.defects)} defects")
    shapes = box_shapes(scan.index.videos, cast(FrameInput, model.input).size)
    fitted = (fit_anchors(shapes, count, seed) / configured.unit).round(5)
    logger.info("%d boxes of %d videos", len(shapes), len(scan.index.videos))
    for name, anchors in (("configured", configured), ("fitted", Anchors(fitted.tolist(), configured.unit))):
        logger.info("%s", describe_fit(name, shapes, anchors))
    rows = [f"    - [{width:g}, {height:g}]" for width, height in fitted]
    head = f"anchors: # width, height in units of {configured.unit:g} px of the input"
    logger.info("%s", "\n".join(["put into the config:", head, *rows]))
    return fitted


def describe_fit(name: str, shapes: Float64Array, anchors: Anchors) -> str:
    """One line about how well anchors fit shapes `[N, 2]` in pixels of the input."""
    best = shape_iou(shapes, np.array(anchors.shapes) * anchors.unit).max(1)
    share = (best >= 0.5).mean()
    return f"{name} anchors ({len(anchors.shapes)}): mean best IoU {best.mean():.4f}, of {share:.1%} at least 0.5"


def box_shapes(videos: Sequence[VideoEntry], size: tuple[int, int]) -> Float64Array:
    """Width and height `[N, 2]` of all boxes on frames resized to `size`; one with several labels counts once."""
    height, width = size
    shapes: list[Float64Array] = [np.zeros((0, 2))]
    for video in videos:
        boxes = np.unique(video.boxes[:, [0, 2, 3, 4, 5]], axis=0)
        shapes.append((boxes[:, 3:] - boxes[:, 1:3]) * [width / video.size[1], height / video.size[0]])
    return np.concatenate(shapes)


def shape_iou(a: Float64Array, b: Float64Array) -> Float64Array:
    """Intersection over union `[N, M]` of shapes `a [N, 2]` and `b [M, 2]` whose corners are laid on each other."""
    shared = np.minimum(a[:, None], b).prod(-1)
    union = a.prod(-1)[:, None] + b.prod(-1) - shared
    return np.asarray(shared / union)


def fit_anchors(shapes: Float64Array, count: int, seed: int) -> Float64Array:
    """Anchors for shapes: k-means with 1 - IoU as the distance (YOLOv2, sec. 2), the best of several starts.

    A centre is the median of its shapes and not their mean, which gives a higher IoU.

    Args:
        shapes: `[N, 2]`, width and height above 0 in any unit; their order does not matter.
        count: how many anchors.
        seed: of the starts.

    Returns:
        `[count, 2]` in the unit of the shapes, the smallest first.

    Raises:
        ValueError: fewer different shapes than anchors.
    """
    distinct, weights = np.unique(shapes, axis=0, return_counts=True)
    if not 1 <= count <= len(distinct):
        raise ValueError(
            f"expected between 1 and {len(distinct)} anchors, as many as the boxes have different shapes, got {count}; "
            "choose another count"
        )
    rng = np.random.default_rng(seed)
    fits = [improve(distinct, weights, _start(distinct, weights, count, rng)) for _ in range(RESTARTS)]
    best, _ = max(fits, key=lambda fit: fit[1])
    return best[np.argsort(best.prod(1))]


def improve(shapes: Float64Array, weights: IntArray, anchors: Float64Array) -> tuple[Float64Array, float]:
    """Move anchors to the middle of their shapes until that no longer raises the mean IoU.

    Args:
        shapes: `[N, 2]`.
        weights: `[N]`, how often each shape occurs.
        anchors: `[A, 2]`, the start.

    Returns:
        The anchors and their mean best IoU, never below that of the start.
    """
    iou = shape_iou(shapes, anchors)
    score = np.average(iou.max(1), weights=weights)
    while True:
        moved = _medians(shapes, weights, iou.argmax(1), anchors)
        iou = shape_iou(shapes, moved)
        reached = np.average(iou.max(1), weights=weights)
        if reached <= score:
            return anchors, float(score)
        anchors, score = moved, reached


def _start(shapes: Float64Array, weights: IntArray, count: int, rng: np.random.Generator) -> Float64Array:
    """Shapes `[count, 2]` that are likely to be far from each other (k-means++)."""
    distance = np.ones(len(shapes))
    chosen: list[int] = []
    for _ in range(count):
        chance = weights * distance
        chosen.append(int(rng.choice(len(shapes), p=chance / chance.sum())))
        distance = (1 - shape_iou(shapes, shapes[chosen]).max(1)).clip(min=SAME)
    return shapes[chosen]


def _medians(shapes: Float64Array, weights: IntArray, owner: IntArray, anchors: Float64Array) -> Float64Array:
    """Median width and median height of the shapes of each anchor; an anchor without shapes stays as it is."""
    share = weights[:, None] * (owner[:, None] == np.arange(len(anchors)))  # [N, A]
    medians = np.empty_like(anchors)
    for axis, values in enumerate(shapes.T):
        order = np.argsort(values)
        reached = share[order].cumsum(0)
        middle = (2 * reached >= reached[-1]).argmax(0)  # [A], the first that half of the weight reaches
        medians[:, axis] = values[order[middle]]
    return np.where(share.any(0)[:, None], medians, anchors)
