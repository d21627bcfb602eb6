"""What trainer, tester, exporter and predictor may ask of any model."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from paddle import Tensor, nn

from paddlevideo.modeling.sliding import Sliding
from paddlevideo.types import Arrays, InputTransform, IntArray, Meta, Prediction, Tensors


class Postprocess(Protocol):
    """Turns decoded arrays into predictions; numpy only, shared by eager and exported networks."""

    answers: str  # name of the kind of its predictions, see `tasks/answers/`

    def __call__(self, decoded: Arrays, meta: list[Meta]) -> list[Prediction]:
        """One prediction for each sample of the batch."""


@dataclass(frozen=True)
class Anchors:
    """The shapes that a model's boxes start from, as its config has them.

    Args:
        shapes: `[A, 2]`, width and height.
        unit: pixels of the network's input that a width or height of 1 stands for.
    """

    shapes: Sequence[Sequence[float]]
    unit: float


class VideoModel(nn.Layer):
    """A complete unit: what it eats, the network, its loss, and what it answers."""

    input: InputTransform
    postprocess: Postprocess
    shares: frozenset[str] = frozenset({"recall"})  # numbers of `loss` that are shares of a batch, not parts of its sum

    @abstractmethod
    def forward(self, inputs: Tensors, targets: Tensors | None = None) -> Tensors:
        """Raw outputs; `targets` come only while training."""

    @abstractmethod
    def loss(self, outputs: Tensors, targets: Tensors) -> Tensors:
        """Scalars: `loss` is a tensor and minimised, the others are tensors or numbers of numpy and logged."""

    def describe(self, inputs: Tensors) -> Tensor:
        """What a bank of long-term features keeps of each sample, `[B, D]`.

        Raises:
            NotImplementedError: the model keeps nothing.
        """
        raise NotImplementedError(f"{type(self).__name__} has no features for a bank; use a model with a 3-D branch")

    def spoken_classes(self, name: str, rows: int) -> IntArray | None:
        """Which class each row of a tensor speaks of, `[rows]`, -1 where it is about none in particular.

        Fine-tuning keeps what weights for other classes have in common with this model.

        Args:
            name: of the tensor in the state dict.
            rows: length of its first axis, for any number of classes.

        Returns:
            None for a tensor whose rows do not depend on the classes.
        """
        return None

    @property
    def anchors(self) -> Anchors | None:
        """The shapes that boxes start from; None for a model without such shapes."""
        return None

    @property
    def sliding(self) -> Sliding | None:
        """The model for clips that share work with the clip before; None for one that has none in common."""
        return None

    def decode(self, outputs: Tensors) -> Tensors:
        """Tensor arithmetic between raw outputs and postprocess, part of the exported graph."""
        return outputs
