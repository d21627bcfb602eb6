"""BMN: Boundary-Matching Network (Lin, Liu, Li, Ding and Wen 2019)."""

from __future__ import annotations

from collections.abc import Sequence

from paddle import nn

from paddlevideo.modeling.models.base import InputTransform, Postprocess, VideoModel
from paddlevideo.registry import BACKBONES, HEADS, INPUTS, LOSSES, MODELS, NECKS, POSTPROCESS
from paddlevideo.types import Node, Tensors


@MODELS.register
class BMN(VideoModel):
    """Propose the segments of a video in which something happens, from the features of its snippets."""

    def __init__(
        self,
        backbone: nn.Layer,
        neck: nn.Layer,
        head: nn.Layer,
        criterion: nn.Layer,
        input: InputTransform,
        postprocess: Postprocess,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.neck = neck
        self.head = head
        self.criterion = criterion
        self.input = input
        self.postprocess = postprocess

    @classmethod
    def from_nodes(
        cls, classes: Sequence[str], backbone: Node, neck: Node, head: Node, loss: Node, input: Node, postprocess: Node
    ) -> BMN:
        """Build the parts and let their widths follow from each other; proposals have no class."""
        features = INPUTS.build(input)
        snippets = BACKBONES.build(backbone, in_channels=features.channels)
        matching = NECKS.build(neck, in_channels=snippets.out_channels, num_snippets=features.num_snippets)
        return cls(
            snippets,
            matching,
            HEADS.build(head, in_channels=snippets.out_channels, map_channels=matching.out_channels),
            LOSSES.build(loss),
            features,
            POSTPROCESS.build(postprocess),
        )

    def forward(self, inputs: Tensors, targets: Tensors | None = None) -> Tensors:
        """`features [B, channels, T]` to probabilities `start [B, T]`, `end [B, T]`, `map [B, 2, D, T]`."""
        snippets = self.backbone(inputs["features"])  # [B, C, T]
        return self.head(snippets, self.neck(snippets))

    def loss(self, outputs: Tensors, targets: Tensors) -> Tensors:
        """The loss against `segments [B, N, 2]` and `duration [B]` in seconds, `labels [B, N]`."""
        return self.criterion(outputs, targets)
