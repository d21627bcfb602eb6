"""Networks that say what happens in a clip: TSN (Wang et al. 2016), TSM (Lin, Gan and Han 2019)."""

from __future__ import annotations

from collections.abc import Sequence

from paddle import Tensor, nn
from paddle.nn import functional as F

from paddlevideo.modeling.models.base import InputTransform, Postprocess, VideoModel
from paddlevideo.registry import BACKBONES, HEADS, INPUTS, LOSSES, MODELS, POSTPROCESS
from paddlevideo.types import IntArray, Node, Tensors


@MODELS.register
class ClipClassifier(VideoModel):
    """A backbone that looks at frames, which may know of each other there, and a head that answers for all of them.

    TSN's backbone looks at each frame alone; TSM's shifts channels between them.
    """

    shares = frozenset({"accuracy"})

    def __init__(
        self,
        backbone: nn.Layer,
        head: nn.Layer,
        criterion: nn.Layer,
        input: InputTransform,
        postprocess: Postprocess,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.criterion = criterion
        self.input = input
        self.postprocess = postprocess

    @classmethod
    def from_nodes(
        cls, classes: Sequence[str], backbone: Node, head: Node, loss: Node, input: Node, postprocess: Node
    ) -> ClipClassifier:
        """Build the parts and let their widths follow from each other."""
        features = BACKBONES.build(backbone)
        return cls(
            features,
            HEADS.build(head, in_channels=features.out_channels, num_classes=len(classes)),
            LOSSES.build(loss),
            INPUTS.build(input),
            POSTPROCESS.build(postprocess),
        )

    def forward(self, inputs: Tensors, targets: Tensors | None = None) -> Tensors:
        """`clip [B, 3, T, H, W]` to `logits [B, C]`."""
        clip = inputs["clip"]
        return {"logits": self.head(self.backbone(clip), clip.shape[2])}

    def describe(self, inputs: Tensors) -> Tensor:
        """Mean over frames and positions of what the head classifies, `[B, D]`."""
        clip = inputs["clip"]
        return self.head.pool(self.backbone(clip), clip.shape[2]).mean(1)

    def loss(self, outputs: Tensors, targets: Tensors) -> Tensors:
        """The loss of `logits` against `labels [B, 1]`."""
        return self.criterion(outputs["logits"], targets)

    def spoken_classes(self, name: str, rows: int) -> IntArray | None:
        """Those of the head."""
        return self.head.spoken_classes(rows) if name.startswith("head.fc.") else None

    def decode(self, outputs: Tensors) -> Tensors:
        """`logits` to `scores [B, C]`, which sum up to 1."""
        return {"scores": F.softmax(outputs["logits"], axis=1)}
