"""The loss of YOWO-Plus and YOWO-Nano (Yang 2022, sec. 3; weights and reductions as in the published networks)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import paddle
from paddle import Tensor, nn
from paddle.nn import functional as F

from paddlevideo.modeling.boxes import giou
from paddlevideo.modeling.heads.yowo_head import ClassProbabilities
from paddlevideo.modeling.heads.yowo_plus_head import STRIDE, decode_boxes, split
from paddlevideo.modeling.losses.class_terms import (
    balanced_focal,
    class_shares,
    exists,
    focal,
    full_precision,
)
from paddlevideo.registry import LOSSES
from paddlevideo.types import Tensors

SHAPE_IOU = 0.5  # an anchor answers for the boxes whose shape overlaps its own by more than this
MIN_SIDE = 1.0  # pixels; smaller boxes are left out


@dataclass(frozen=True)
class AnchorMatch:
    """Which predictions answer for which boxes: a row for every box and anchor, R = B * N * A."""

    index: Tensor  # [R] into the flattened (sample, row, column, anchor) axis; 0 where `owns` is 0
    owns: Tensor  # bool [R], whether the anchor answers for the box and no later box took it


@LOSSES.register
class YOWOPlusLoss(nn.Layer):
    """GIoU on boxes, weighted squares on confidence, focal loss on the class; sums, divided by the batch size.

    Args:
        anchors: `[A, 2]`, width and height in pixels of the network's input.
        probabilities: of a head whose boxes have several labels; None where they have one.
        class_ratio: with several labels, share of each class among those of the training boxes, or a file with one
            number a line; None if all classes are rare.
        coord_scale: weight of the box term.
        object_scale: weight of the confidence where a prediction answers for a box.
        noobject_scale: weight of the confidence elsewhere.
        class_scale: weight of the class term.
        focal_gamma: exponent of the focal loss; 2 with one label and 0.5 with several, as published.
    """

    def __init__(
        self,
        anchors: Sequence[Sequence[float]],
        probabilities: ClassProbabilities | None = None,
        class_ratio: str | Sequence[float] | None = None,
        coord_scale: float = 1.0,
        object_scale: float = 5.0,
        noobject_scale: float = 1.0,
        class_scale: float = 1.0,
        focal_gamma: float = 2.0,
    ) -> None:
        super().__init__()
        self.anchors = anchors
        self.probabilities = probabilities
        if probabilities is not None:
            self.class_ratio = class_shares(class_ratio, probabilities.num_classes, "YOWOPlusLoss")
        elif class_ratio is not None:
            raise ValueError(
                "YOWOPlusLoss: class_ratio is for boxes with several labels; set head.exclusive, or remove it"
            )
        self.coord_scale = coord_scale
        self.object_scale = object_scale
        self.noobject_scale = noobject_scale
        self.class_scale = class_scale
        self.focal_gamma = focal_gamma

    def forward(self, raw: Tensor, targets: Tensors) -> Tensors:
        """The loss and its parts.

        Args:
            raw: `[B, A * (5 + C), H, W]`.
            targets: `boxes [B, N, 4]` corners as fractions of the frame; `labels [B, N]`, or `[B, N, C]` with 0 and 1
                if boxes have several; -1 for padding; N >= 1.

        Returns:
            Scalars: `loss`, its summands `confidence, class, box`, and the share of matched predictions that overlap
            their box by more than a half, `recall`.
        """
        with paddle.amp.auto_cast(enable=False):
            raw = full_precision(raw)
            batch, _, height, width = raw.shape
            frame = STRIDE * paddle.to_tensor([width, height, width, height], "float64")
            boxes = targets["boxes"].astype("float64") * frame  # [B, N, 4], pixels
            match = self.match(boxes, exists(targets["labels"]), height, width)

            said = split(raw, len(self.anchors))
            decoded = decode_boxes(said["boxes"], self.anchors, width).flatten(0, 1)  # [B * M, 4]
            truth = boxes.astype(raw.dtype).flatten(0, 1).repeat_interleave(len(self.anchors), 0)  # [R, 4]
            owns = match.owns.astype(raw.dtype)
            overlap = giou(paddle.gather(decoded, match.index), truth)  # [R]
            labels = targets["labels"].flatten(0, 1).repeat_interleave(len(self.anchors), 0)
            logits = paddle.gather(said["classes"].flatten(0, 1), match.index)
            parts = {
                "confidence": self._confidence(said["confidence"].flatten(), match.index, owns, overlap.detach())
                / batch,
                "class": self.class_scale * (self._classes(logits, labels) * owns).sum() / batch,
                "box": self.coord_scale * ((1 - overlap) * owns).sum() / batch,
            }
            found = ((overlap > 0.5).astype(raw.dtype) * owns).sum() / owns.sum().clip(min=1)
            return {"loss": paddle.add_n(list(parts.values())), **parts, "recall": found}

    @paddle.no_grad()
    def match(self, boxes: Tensor, is_box: Tensor, height: int, width: int) -> AnchorMatch:
        """Give each box the anchors of a like shape in the cell of its centre, or the nearest one if there is none.

        Of several boxes that claim an anchor of a cell, the last one gets it.

        Args:
            boxes: `[B, N, 4]`, corners in pixels, float64: a centre on the edge of a cell belongs to the next one.
            is_box: `[B, N]`, False for padding.
            height: of the grid.
            width: of the grid.
        """
        size = boxes[..., 2:] - boxes[..., :2]  # [B, N, 2]
        chosen = self._like_shapes(size)  # [B, N, A]
        cell = (
            (boxes[..., :2] + boxes[..., 2:]) / 2 / STRIDE
        ).trunc()  # a centre just left of the frame counts as in it
        column, row = cell[..., 0], cell[..., 1]
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        valid = is_box & inside & (size >= MIN_SIDE).all(-1)
        place = (row * width + column).astype("int64")  # [B, N]
        wants = chosen & valid.unsqueeze(-1)
        wants &= ~_is_taken_later(place, wants)

        sample, anchor = paddle.arange(len(boxes)).reshape([-1, 1, 1]), paddle.arange(len(self.anchors))
        index = (sample * height * width + place.unsqueeze(-1)) * len(self.anchors) + anchor
        index = paddle.where(wants, index, paddle.zeros_like(index))
        return AnchorMatch(index.flatten(), wants.flatten())

    def _like_shapes(self, size: Tensor) -> Tensor:
        """Anchors of a shape like boxes of `size [B, N, 2]`: bool `[B, N, A]`, at least one each."""
        anchors = paddle.to_tensor(self.anchors, size.dtype)
        shared = paddle.minimum(size.unsqueeze(2), anchors).prod(-1)
        iou = shared / (size.prod(-1).unsqueeze(-1) + anchors.prod(-1) - shared)
        like = iou > SHAPE_IOU
        best = F.one_hot(iou.argmax(-1), len(self.anchors)) > 0
        return like | (best & ~like.any(-1, keepdim=True))

    def _confidence(self, raw: Tensor, index: Tensor, owns: Tensor, overlap: Tensor) -> Tensor:
        said = F.sigmoid(raw)
        is_object = paddle.scatter_nd(index.unsqueeze(1), owns, said.shape)
        target = paddle.scatter_nd(index.unsqueeze(1), owns * overlap.clip(min=0), said.shape)
        weight = self.object_scale * is_object + self.noobject_scale * (1 - is_object)
        return (weight * (said - target) ** 2).sum()

    def _classes(self, logits: Tensor, labels: Tensor) -> Tensor:
        if self.probabilities is None:
            return focal(logits, labels, self.focal_gamma)
        ratio = paddle.to_tensor(self.class_ratio, logits.dtype)
        return balanced_focal(self.probabilities(logits), labels, ratio, self.focal_gamma)


def _is_taken_later(place: Tensor, wants: Tensor) -> Tensor:
    """Whether a later box wants the same anchor of the same cell: `[B, N]`, `[B, N, A]` to `[B, N, A]`."""
    count = place.shape[1]
    later = paddle.triu(paddle.ones([count, count]), 1).astype("bool")
    same_cell = (place.unsqueeze(2) == place.unsqueeze(1)) & later  # [B, N, N]
    return (same_cell.unsqueeze(-1) & wants.unsqueeze(1)).any(2)
