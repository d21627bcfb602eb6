"""The prediction layer of YOWO-Plus and YOWO-Nano (Yang 2022, sec. 3)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import paddle
from paddle import Tensor, nn
from paddle.nn import functional as F

from paddlevideo.modeling.boxes import cxcywh_to_xyxy
from paddlevideo.modeling.heads.yowo_head import ClassProbabilities, check_anchors
from paddlevideo.registry import HEADS
from paddlevideo.types import IntArray, Tensors

STRIDE = 32  # pixels of a grid cell
PRIOR = 0.01  # confidence and class probability that training starts with


@HEADS.register
class YOWOPlusHead(nn.Layer):
    """One 1x1 convolution whose channels are grouped by kind: confidences, then classes, then boxes.

    Args:
        in_channels: channels of the fused features.
        num_classes: how many actions there are.
        anchors: `[A, 2]`, width and height in pixels of the network's input.
        exclusive: of the classes, the first so many exclude each other and the others are independent of each other;
            None where all exclude each other.
    """

    anchor_unit = 1.0  # pixels of the network's input

    def __init__(
        self, in_channels: int, num_classes: int, anchors: Sequence[Sequence[float]], exclusive: int | None = None
    ) -> None:
        super().__init__()
        self.anchors = check_anchors(anchors, "YOWOPlusHead")
        self.num_classes = num_classes
        self.probabilities = ClassProbabilities(num_classes, exclusive)
        bound = in_channels**-0.5
        uniform = nn.initializer.Uniform(-bound, bound)
        count = len(anchors)
        self.conv = nn.Conv2D(in_channels, count * (5 + num_classes), 1, weight_attr=uniform, bias_attr=uniform)
        bias = self.conv.bias.numpy()
        bias[: count * (1 + num_classes)] = -math.log((1 - PRIOR) / PRIOR)
        self.conv.bias.set_value(bias)

    @property
    def loss_arguments(self) -> Mapping[str, Any]:
        """What a loss has to know of this head."""
        return {"anchors": self.anchors, **self.probabilities.loss_arguments}

    def spoken_classes(self, rows: int) -> IntArray | None:
        """The class of each of the convolution's rows, -1 for boxes and objects; None if it cannot have so many."""
        if rows % len(self.anchors) or rows // len(self.anchors) < 6:
            return None
        count = len(self.anchors)
        classes = np.tile(np.arange(rows // count - 5), count)
        return np.concatenate([np.full(count, -1), classes, np.full(4 * count, -1)])

    def forward(self, x: Tensor) -> Tensor:
        """Features `[B, in_channels, H, W]` to raw predictions `[B, A * (5 + C), H, W]`."""
        return self.conv(x)

    def decode(self, raw: Tensor) -> Tensors:
        """What raw predictions `[B, A * (5 + C), H, W]` say, in the order rows, columns, anchors (M = H * W * A).

        Returns:
            `boxes [B, M, 4]` as fractions of the frame and within it, `objectness [B, M]`, `probabilities [B, M, C]`.
        """
        height, width = raw.shape[2:]
        said = split(raw, len(self.anchors))
        frame = STRIDE * paddle.to_tensor([width, height, width, height], raw.dtype)
        boxes = decode_boxes(said["boxes"], self.anchors, width)
        return {
            "boxes": (boxes / frame).clip(0, 1),
            "objectness": F.sigmoid(said["confidence"]),
            "probabilities": self.probabilities(said["classes"]),
        }


def split(raw: Tensor, num_anchors: int) -> Tensors:
    """Raw predictions `[B, A * (5 + C), H, W]` by kind: `confidence [B, M]`, `classes [B, M, C]`, `boxes [B, M, 4]`."""
    num_classes = raw.shape[1] // num_anchors - 5
    channels = [num_anchors, num_anchors * num_classes, num_anchors * 4]
    parts = raw.transpose([0, 2, 3, 1]).split(channels, axis=-1)  # [B, H, W, A * ...]
    rows = raw.shape[2] * raw.shape[3] * num_anchors
    confidence, classes, boxes = (part.reshape([0, rows, part.shape[-1] // num_anchors]) for part in parts)
    return {"confidence": confidence.squeeze(-1), "classes": classes, "boxes": boxes}


def decode_boxes(raw: Tensor, anchors: Sequence[Sequence[float]], width: int) -> Tensor:
    """Boxes in pixels of the network's input from raw x, y, w, h.

    Args:
        raw: `[B, M, 4]`, in the order rows, columns, anchors.
        anchors: `[A, 2]`, width and height in pixels.
        width: cells in a row of the grid.

    Returns:
        `[B, M, 4]`, corners.
    """
    count = len(anchors)
    cell = paddle.arange(raw.shape[1] // count).repeat_interleave(count)  # [M]
    corner = paddle.stack([cell % width, cell // width], axis=-1).astype(raw.dtype)
    anchor = paddle.to_tensor(anchors, raw.dtype).tile([raw.shape[1] // count, 1])  # [M, 2]
    centre = (F.sigmoid(raw[..., :2]) + corner) * STRIDE
    return cxcywh_to_xyxy(paddle.concat([centre, paddle.exp(raw[..., 2:]) * anchor], axis=-1))
