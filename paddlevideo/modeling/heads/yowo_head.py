"""YOLOv2-style prediction at every cell and anchor (YOWO, sec. 3.1.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import paddle
from paddle import Tensor, nn
from paddle.nn import functional as F

from paddlevideo.modeling.boxes import cxcywh_to_xyxy
from paddlevideo.registry import HEADS
from paddlevideo.types import IntArray, Tensors


class ClassProbabilities:
    """Class scores to probabilities.

    Args:
        num_classes: how many actions there are.
        exclusive: of the classes, the first so many exclude each other and share a softmax, such as AVA's 14 poses;
            the others are independent of each other, so that a box has several labels. None where all exclude each
            other, and a box has one.
    """

    def __init__(self, num_classes: int, exclusive: int | None = None) -> None:
        if num_classes < 1:
            raise ValueError("the head needs at least one class; is `classes` set in the config?")
        if exclusive is not None and not 0 <= exclusive <= num_classes:
            raise ValueError(f"the head: exclusive should be null or in 0..{num_classes}, got {exclusive}")
        self.num_classes, self.exclusive = num_classes, exclusive

    @property
    def loss_arguments(self) -> Mapping[str, Any]:
        """What a loss has to know, beside the anchors."""
        return {} if self.exclusive is None else {"probabilities": self}

    def __call__(self, logits: Tensor) -> Tensor:
        """`[..., C]` to the same shape, 0..1."""
        if self.exclusive is None:
            return F.softmax(logits, axis=-1)
        if self.exclusive == 0:
            return F.sigmoid(logits)
        together, apart = logits[..., : self.exclusive], logits[..., self.exclusive :]
        return paddle.concat([F.softmax(together, axis=-1), F.sigmoid(apart)], axis=-1)


def check_anchors(anchors: Sequence[Sequence[float]], where: str) -> list[list[float]]:
    """The anchors as lists of numbers.

    Raises:
        ValueError: they are no pairs of positive numbers.
    """
    if not anchors or any(len(anchor) != 2 or min(anchor) <= 0 for anchor in anchors):
        raise ValueError(f"{where}: anchors should be pairs of positive width and height, got {anchors}")
    return [list(map(float, anchor)) for anchor in anchors]


@HEADS.register
class YOWOHead(nn.Layer):
    """One linear 1x1 convolution and the meaning of its output.

    Args:
        in_channels: channels of the fused features.
        num_classes: how many actions there are.
        anchors: `[A, 2]`, width and height in grid cells.
        exclusive: see `ClassProbabilities`.
    """

    anchor_unit = 32.0  # pixels of the network's input: a grid cell

    def __init__(
        self, in_channels: int, num_classes: int, anchors: Sequence[Sequence[float]], exclusive: int | None = None
    ) -> None:
        super().__init__()
        self.anchors = check_anchors(anchors, "YOWOHead")
        self.num_classes = num_classes
        self.probabilities = ClassProbabilities(num_classes, exclusive)
        bound = in_channels**-0.5
        self.conv = nn.Conv2D(
            in_channels, len(anchors) * (5 + num_classes), 1, bias_attr=False,
            weight_attr=paddle.ParamAttr(initializer=nn.initializer.Uniform(-bound, bound)),
        )  # fmt: skip

    @property
    def loss_arguments(self) -> Mapping[str, Any]:
        """What a loss has to know of this head."""
        return {"anchors": self.anchors, **self.probabilities.loss_arguments}

    def spoken_classes(self, rows: int) -> IntArray | None:
        """The class of each of the convolution's rows, -1 for boxes and objects; None if it cannot have so many."""
        if rows % len(self.anchors) or rows // len(self.anchors) < 6:
            return None
        one_anchor = np.arange(rows // len(self.anchors)) - 5
        return np.tile(one_anchor.clip(min=-1), len(self.anchors))

    def forward(self, x: Tensor) -> Tensor:
        """Features `[B, in_channels, H, W]` to raw predictions `[B, A, 5 + C, H, W]`: x, y, w, h, object, classes."""
        y = self.conv(x)
        return y.reshape([-1, len(self.anchors), 5 + self.num_classes, *y.shape[2:]])

    def decode(self, raw: Tensor) -> Tensors:
        """What raw predictions `[B, A, 5 + C, H, W]` say, in the order rows, columns, anchors (M = H * W * A).

        Returns:
            `boxes [B, M, 4]` as fractions of the frame, `objectness [B, M]`, `probabilities [B, M, C]`.
        """
        height, width = raw.shape[3:]
        cells = raw.transpose([0, 3, 4, 1, 2])  # [B, H, W, A, 5 + C]
        boxes = decode_boxes(cells[..., :4], self.anchors) / paddle.to_tensor([width, height, width, height], "float32")
        cells = cells.flatten(1, 3)
        return {
            "boxes": cxcywh_to_xyxy(boxes.flatten(1, 3)),
            "objectness": F.sigmoid(cells[..., 4]),
            "probabilities": self.probabilities(cells[..., 5:]),
        }


def decode_boxes(raw: Tensor, anchors: Sequence[Sequence[float]]) -> Tensor:
    """Boxes in grid cells from raw x, y, w, h (YOLOv2, sec. 2).

    Args:
        raw: `[B, H, W, A, 4]`.
        anchors: `[A, 2]`, width and height in grid cells.

    Returns:
        `[B, H, W, A, 4]`, centre x, centre y, width, height in grid cells.
    """
    height, width = raw.shape[1:3]
    rows, columns = paddle.meshgrid(paddle.arange(height), paddle.arange(width))
    corner = paddle.stack([columns, rows], axis=-1).astype("float32").unsqueeze(2)  # [H, W, 1, 2]
    centre = F.sigmoid(raw[..., :2]) + corner
    size = paddle.exp(raw[..., 2:4]) * paddle.to_tensor(anchors, "float32")
    return paddle.concat([centre, size], axis=-1)
