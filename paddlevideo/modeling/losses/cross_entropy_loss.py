"""The loss of clip classifiers."""

from __future__ import annotations

import paddle
from paddle import Tensor, nn

from paddlevideo.registry import LOSSES
from paddlevideo.types import Tensors


@LOSSES.register
class CrossEntropyLoss(nn.Layer):
    """Mean negative log probability of the true class over the samples that have one.

    Args:
        label_smoothing: share of the truth that is spread evenly over all classes.

    Raises:
        ValueError: a share that is none.
    """

    def __init__(self, label_smoothing: float = 0.0) -> None:
        super().__init__()
        if not 0 <= label_smoothing < 1:
            raise ValueError(
                f"CrossEntropyLoss: label_smoothing should be at least 0 and below 1, got {label_smoothing}"
            )
        self.label_smoothing = label_smoothing

    def forward(self, logits: Tensor, targets: Tensors) -> Tensors:
        """The loss, and the share of samples whose true class is the surest.

        Args:
            logits: `[B, C]`.
            targets: `labels [B, 1]`; a sample labelled -1 has no class and does not count.
        """
        logits, labels = logits.astype("float32"), targets["labels"][:, 0]
        counted = (labels >= 0).astype("float32")  # [B]
        number = counted.sum().clip(min=1.0)
        # not `log_softmax`, which is cut off at -64
        log_probabilities = logits - paddle.logsumexp(logits, axis=1, keepdim=True)
        own = paddle.take_along_axis(log_probabilities, labels.clip(min=0).unsqueeze(1), 1).squeeze(1)
        mixed = (1 - self.label_smoothing) * own + self.label_smoothing * log_probabilities.mean(1)
        right = (logits.argmax(1) == labels).astype("float32")
        return {"loss": -(mixed * counted).sum() / number, "accuracy": (right * counted).sum() / number}
