"""YOWO's loss: where, how sure, and what (YOWO, sec. 3.2; weights and reductions as in the published network)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import paddle
from paddle import Tensor, nn
from paddle.nn import functional as F

from paddlevideo.modeling.boxes import centred_iou, xyxy_to_cxcywh
from paddlevideo.modeling.heads.yowo_head import decode_boxes
from paddlevideo.modeling.losses.class_terms import exists, focal
from paddlevideo.registry import LOSSES
from paddlevideo.types import Tensors


@dataclass(frozen=True)
class Assignment:
    """Which prediction answers for which box, and what it should have said. Nothing here has a gradient."""

    index: Tensor  # [B * N] into the flattened (sample, row, column, anchor) axis; 0 where `owns` is 0
    owns: Tensor  # [B * N], 1 where the row is a box that was not overwritten by a later one, else 0
    xywh: Tensor  # [B * N, 4]: offset in the cell, logarithm of the size over the anchor's
    iou: Tensor  # [B * N], of the box with what is predicted there now
    is_object: Tensor  # [B * H * W * A], 1 where a prediction answers for a box
    is_free: Tensor  # [B * H * W * A], 1 where nothing is there and saying so is asked for
    confidence: Tensor  # [B * H * W * A], target of the confidence


@LOSSES.register
class RegionLoss(nn.Layer):
    """Smooth L1 on boxes, weighted squares on confidence, focal loss on the class; all are sums over the batch.

    Args:
        anchors: `[A, 2]`, width and height in grid cells.
        coord_scale: weight of the four box terms.
        object_scale: weight of the confidence where a prediction answers for a box.
        noobject_scale: weight of the confidence elsewhere.
        class_scale: weight of the class term.
        ignore_threshold: predictions that overlap any box by more than this need not say "nothing here".
        focal_gamma: exponent of the focal loss.
    """

    def __init__(
        self,
        anchors: Sequence[Sequence[float]],
        coord_scale: float = 1.0,
        object_scale: float = 5.0,
        noobject_scale: float = 1.0,
        class_scale: float = 1.0,
        ignore_threshold: float = 0.6,
        focal_gamma: float = 2.0,
    ) -> None:
        super().__init__()
        self.anchors = anchors
        self.coord_scale = coord_scale
        self.object_scale = object_scale
        self.noobject_scale = noobject_scale
        self.class_scale = class_scale
        self.ignore_threshold = ignore_threshold
        self.focal_gamma = focal_gamma

    def forward(self, raw: Tensor, targets: Tensors) -> Tensors:
        """The loss and its parts.

        Args:
            raw: `[B, A, 5 + C, H, W]`.
            targets: `boxes [B, N, 4]` corners as fractions of the frame, `labels [B, N]`, -1 for padding; N >= 1.

        Returns:
            Scalars: `loss`, its summands `x, y, w, h, confidence, class`, and the share of boxes already found,
            `recall`.
        """
        return self.from_centres(raw, xyxy_to_cxcywh(targets["boxes"]), targets["labels"])

    def from_centres(self, raw: Tensor, boxes: Tensor, labels: Tensor) -> Tensors:
        """As `forward`, for boxes given as centre and size, fractions of the frame."""
        with paddle.amp.auto_cast(enable=False):
            cells = raw.astype("float32").transpose([0, 3, 4, 1, 2])  # [B, H, W, A, 5 + C]
            is_box = exists(labels)
            found = self.assign(cells.detach(), boxes.astype("float32"), is_box)
            said = paddle.gather(cells.flatten(0, 3), found.index)  # [B * N, 5 + C]
            parts = self._coordinates(said, found)
            parts["confidence"] = self._confidence(cells[..., 4].flatten(), found)
            parts["class"] = self._classes(said[:, 5:], labels.flatten(0, 1), found)
            present = is_box.flatten().astype("float32")
            recall = ((found.iou > 0.5).astype("float32") * present).sum() / present.sum().clip(min=1)
            return {"loss": paddle.add_n(list(parts.values())), **parts, "recall": recall}

    @paddle.no_grad()
    def assign(self, cells: Tensor, boxes: Tensor, is_box: Tensor) -> Assignment:
        """Match boxes to predictions: the cell of the centre, and the anchor of nearest shape (YOLOv2, sec. 2).

        Of several boxes with the same cell and anchor the last one stays.

        Args:
            cells: raw predictions `[B, H, W, A, 5 + C]`.
            boxes: `[B, N, 4]`, centre and size as fractions of the frame.
            is_box: `[B, N]`, False for padding.
        """
        batch, height, width, num_anchors = cells.shape[:4]
        count = height * width * num_anchors  # M
        frame = paddle.to_tensor([width, height, width, height], "float32")
        grid = boxes * frame * is_box.unsqueeze(-1).astype("float32")  # padding overlaps nothing
        rows = grid.flatten(0, 1)  # [B * N, 4]
        centre, size = rows[:, :2], rows[:, 2:]
        anchors = paddle.to_tensor(self.anchors, "float32")
        shared = paddle.minimum(size.unsqueeze(1), anchors).prod(-1)  # [B * N, A]
        anchor = (shared / (size.prod(-1, keepdim=True) + anchors.prod(-1) - shared)).argmax(-1)
        cell = paddle.minimum(F.relu(centre.floor()), frame[:2] - 1)

        column, row = cell.astype("int64").unbind(-1)
        place = (row * width + column) * num_anchors + anchor  # [B * N], in the sample
        number = paddle.arange(len(place))
        index = (place + number // is_box.shape[1] * count) * is_box.flatten().astype("int64")
        owns = (is_box & ~_is_overwritten(index.reshape(is_box.shape), is_box)).flatten().astype("float32")

        predicted = decode_boxes(cells[..., :4], self.anchors).flatten(1, 3)  # [B, M, 4]
        overlap = centred_iou(predicted.unsqueeze(1), grid.unsqueeze(2))  # [B, N, M]
        best = overlap.max(1).flatten()
        iou = paddle.gather(overlap.flatten(), number * count + place)
        scale = paddle.log(size.clip(min=1e-9) / paddle.gather(anchors, anchor))
        marks = paddle.scatter_nd(index.unsqueeze(1), paddle.stack([owns, owns * iou], -1), [batch * count, 2])
        is_object, confidence = marks.unbind(-1)
        return Assignment(
            index=index,
            owns=owns,
            xywh=paddle.concat([centre - cell, scale], -1),
            iou=iou,
            is_object=is_object,
            is_free=(best <= self.ignore_threshold).astype("float32") * (1 - is_object),
            confidence=confidence,
        )

    def _coordinates(self, said: Tensor, found: Assignment) -> Tensors:
        xywh = paddle.concat([F.sigmoid(said[:, :2]), said[:, 2:4]], axis=-1)
        error = F.smooth_l1_loss(xywh, found.xywh, reduction="none")  # [B * N, 4]
        x, y, w, h = (0.5 * self.coord_scale * (error * found.owns.unsqueeze(1)).sum(0)).unbind()
        return {"x": x, "y": y, "w": w, "h": h}

    def _confidence(self, raw: Tensor, found: Assignment) -> Tensor:
        weight = self.object_scale * found.is_object + self.noobject_scale * found.is_free
        return 0.5 * (weight * (F.sigmoid(raw) - found.confidence) ** 2).sum()

    def _classes(self, logits: Tensor, labels: Tensor, found: Assignment) -> Tensor:
        return self.class_scale * (focal(logits, labels, self.focal_gamma) * found.owns).sum()


def _is_overwritten(index: Tensor, is_box: Tensor) -> Tensor:
    """Whether a later box has the same index; `[B, N]` in and out."""
    rows = index.shape[1]
    later = paddle.triu(paddle.ones([rows, rows]), 1).astype("bool")
    same = (index.unsqueeze(2) == index.unsqueeze(1)) & is_box.unsqueeze(1) & later
    return same.any(-1)
