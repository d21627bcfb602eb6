"""What a wrong class costs, a box: the terms that losses of detectors share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import paddle
from paddle import Tensor
from paddle.nn import functional as F

from paddlevideo.utils.text_files import read_text

MARGIN = 1e-4  # probabilities of independent classes are kept this far from 0 and 1


def full_precision(x: Tensor) -> Tensor:
    """Half precision becomes float32; float32 and float64 stay."""
    return x if x.dtype == paddle.float64 else x.astype("float32")


def exists(labels: Tensor) -> Tensor:
    """Which rows are boxes and no padding: `labels [B, N]` or `[B, N, C]` to bool `[B, N]`."""
    return (labels if labels.ndim == 2 else labels[..., 0]) >= 0


def focal(logits: Tensor, labels: Tensor, gamma: float) -> Tensor:
    """Focal loss of one label a box (Lin et al. 2017): `logits [R, C]`, `labels [R]`, -1 read as 0, to `[R]`."""
    is_label = F.one_hot(labels.clip(min=0), logits.shape[-1]).astype(logits.dtype)
    # Not F.log_softmax, which Paddle cuts off at -64.
    log_p = (logits * is_label).sum(-1) - paddle.logsumexp(logits, axis=-1)
    return (1 - log_p.exp()) ** gamma * -log_p


def balanced_focal(probabilities: Tensor, is_label: Tensor, class_ratio: Tensor, gamma: float) -> Tensor:
    """Focal loss of any number of labels a box, where a rare class weighs more (YOWO, sec. 3.2).

    Args:
        probabilities: `[R, C]`; exclusive classes are charged for each of their probabilities like the others.
        is_label: `[R, C]`, 0 or 1.
        class_ratio: `[C]`, which share of the training boxes' labels is of each class.
        gamma: exponent.

    Returns:
        `[R]`, summed over the classes.
    """
    p = probabilities.clip(MARGIN, 1 - MARGIN)
    yes = (1 - p) ** gamma * -paddle.log(p) * paddle.exp(1 - class_ratio)
    no = p**gamma * -paddle.log(1 - p) * paddle.exp(class_ratio)
    return paddle.where(is_label > 0, yes, no).sum(-1)


def class_shares(source: str | Sequence[float] | None, num_classes: int, where: str) -> list[float]:
    """The shares of the classes: from a file with one number a line, as they are, or 0 for None.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not one number in 0..1 for each class.
    """
    if source is None:
        return [0.0] * num_classes
    if isinstance(source, str) and not Path(source).is_file():
        raise FileNotFoundError(f"{where}: class_ratio: no such file {source}; it has one number in 0..1 a class")
    try:
        given = read_text(Path(source)).split() if isinstance(source, str) else source
        shares = [float(share) for share in given]
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: class_ratio: {source}: expected numbers, one a class, got {error}") from error
    if len(shares) != num_classes or not all(0 <= share <= 1 for share in shares):
        raise ValueError(
            f"{where}: class_ratio: {source}: expected {num_classes} numbers in 0..1, got {len(shares)}: {shares[:5]}"
        )
    return shares
