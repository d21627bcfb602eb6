"""YOWO: You Only Watch Once (Köpüklü, Wei and Rigoll 2019)."""

from __future__ import annotations

from collections.abc import Sequence

import paddle
from paddle import Tensor, nn

from paddlevideo.modeling.backbones.clip_backbone import ClipBackbone
from paddlevideo.modeling.models.base import Anchors, InputTransform, Postprocess, VideoModel
from paddlevideo.modeling.sliding import Sliding
from paddlevideo.registry import BACKBONES, HEADS, INPUTS, LOSSES, MODELS, NECKS, POSTPROCESS
from paddlevideo.types import IntArray, Node, Tensors


@MODELS.register
class YOWO(VideoModel):
    """Detect actions on the last frame of a clip: 3-D motion and 2-D appearance, fused by channel attention.

    Either branch may be left out, which gives the one-branch networks of the paper's ablation. With `context` the fused
    features also attend to features of the whole video (YOWO, sec. 3.3), and the model is no longer causal.
    """

    def __init__(
        self,
        backbone_2d: nn.Layer | None,
        backbone_3d: nn.Layer | None,
        neck: nn.Layer,
        head: nn.Layer,
        criterion: nn.Layer,
        input: InputTransform,
        postprocess: Postprocess,
        context: nn.Layer | None = None,
    ) -> None:
        super().__init__()
        self.backbone_2d = backbone_2d
        self.backbone_3d = backbone_3d
        self.neck = neck
        self.context = context
        self.head = head
        self.criterion = criterion
        self.input = input
        self.postprocess = postprocess

    @classmethod
    def from_nodes(
        cls,
        classes: Sequence[str],
        backbone_2d: Node | None,
        backbone_3d: Node | None,
        neck: Node,
        head: Node,
        loss: Node,
        input: Node,
        postprocess: Node,
        context: Node | None = None,
    ) -> YOWO:
        """Build the parts and let their widths follow from each other.

        Raises:
            TypeError: neither branch is there, or context without a 3-D branch.
        """
        if backbone_2d is None and backbone_3d is None:
            raise TypeError("model YOWO: backbone_2d and backbone_3d are both null; it needs at least one")
        if context is not None and backbone_3d is None:
            raise TypeError("model YOWO: context needs the features of backbone_3d, which is null")
        appearance = BACKBONES.build(backbone_2d) if backbone_2d else None
        motion = BACKBONES.build(backbone_3d) if backbone_3d else None
        in_channels = sum(branch.out_channels for branch in (motion, appearance) if branch is not None)
        fusion = NECKS.build(neck, in_channels=in_channels)
        bank = {"bank_channels": motion.out_channels} if context is not None and motion is not None else {}
        prediction = HEADS.build(head, in_channels=fusion.out_channels, num_classes=len(classes))
        return cls(
            appearance,
            motion,
            fusion,
            prediction,
            LOSSES.build(loss, **prediction.loss_arguments),
            INPUTS.build(input, stride=32, **bank),
            POSTPROCESS.build(postprocess),
            None if context is None else NECKS.build(context, in_channels=fusion.out_channels, **bank),
        )

    def forward(self, inputs: Tensors, targets: Tensors | None = None) -> Tensors:
        """`clip [B, 3, T, H, W]`, oldest frame first, to `raw [B, A, 5 + C, H/32, W/32]`."""
        clip = inputs["clip"]
        features = None if self.backbone_3d is None else self.backbone_3d(clip)
        fused = self.fuse(features, clip[:, :, -1])
        if self.context is not None:
            fused = self.context(fused, inputs["bank"], inputs["present"])
        return {"raw": self.head(fused)}

    def fuse(self, features: Tensor | None, frame: Tensor) -> Tensor:
        """3-D features `[B, C3, t, H/32, W/32]` and the key frame `[B, 3, H, W]` to `[B, C, H/32, W/32]`."""
        motion = [] if features is None else [features.mean(2)]
        appearance = [] if self.backbone_2d is None else [self.backbone_2d(frame)]
        return self.neck(paddle.concat(self.join(motion, appearance), axis=1))

    def join(self, motion: list[Tensor], appearance: list[Tensor]) -> list[Tensor]:
        """The branches that there are, in the order of their channels."""
        return motion + appearance

    def describe(self, inputs: Tensors) -> Tensor:
        """Mean of the 3-D features of `clip [B, 3, T, H, W]` over time and space, `[B, C3]`."""
        if self.backbone_3d is None:
            return super().describe(inputs)
        return self.backbone_3d(inputs["clip"]).mean([2, 3, 4])

    @property
    def sliding(self) -> Sliding | None:
        """The model for clips that move on, unless it has context or clips too short to have anything in common."""
        branch = self.backbone_3d
        if self.context is not None or not isinstance(branch, ClipBackbone):
            return None
        sliding = Sliding(self, branch, lambda features, frame: {"raw": self.head(self.fuse(features, frame))})
        _, num_frames, *_ = self.input.spec()["clip"].shape
        return sliding if num_frames is not None and num_frames > 2 * sliding.padding + 1 else None

    @property
    def anchors(self) -> Anchors:
        """The anchors of the head."""
        return Anchors(self.head.anchors, self.head.anchor_unit)

    def loss(self, outputs: Tensors, targets: Tensors) -> Tensors:
        """The loss of `raw` against `boxes [B, N, 4]`, `labels [B, N]`."""
        return self.criterion(outputs["raw"], targets)

    def spoken_classes(self, name: str, rows: int) -> IntArray | None:
        """Those of the head's convolution."""
        return self.head.spoken_classes(rows) if name.startswith("head.conv.") else None

    def decode(self, outputs: Tensors) -> Tensors:
        """`raw` to `boxes [B, M, 4]`, `objectness [B, M]`, `probabilities [B, M, C]`."""
        return self.head.decode(outputs["raw"])
