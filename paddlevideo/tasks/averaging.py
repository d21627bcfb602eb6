"""A moving average of a model's weights, which is often better than the weights themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import paddle
from paddle import nn


class WeightAverage:
    """The exponential moving average of the weights and running statistics (Polyak and Juditsky 1992).

    The average is what is measured, saved as the weights of a checkpoint and exported; the weights that training goes
    on with are its state.

    Args:
        model: whose weights are averaged.
        decay: share of the average that stays at each step, in 0..1.
    """

    def __init__(self, model: nn.Layer, decay: float) -> None:
        self.model, self.decay = model, decay
        self.hidden = self._copy()  # what is not in the model now: the average, or within `shown` the trained weights

    @paddle.no_grad()
    def update(self) -> None:
        """Take in the weights of a step."""
        for name, value in self.model.state_dict().items():
            self.hidden[name].scale_(self.decay)
            self.hidden[name].add_(value * (1 - self.decay))

    @contextmanager
    def shown(self) -> Iterator[None]:
        """The model has the average within this context."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def state_dict(self) -> dict[str, Any]:
        """The weights that training goes on with, asked for while the average is shown."""
        return {name: value.numpy() for name, value in self.hidden.items()}

    def set_state_dict(self, state: dict[str, Any]) -> None:
        """See `StateHolder`; the model has the average of the checkpoint, and now gets what was trained."""
        names = set(self.hidden)
        if set(state) != names:
            raise ValueError(f"has weights without an average, or the other way round: {min(set(state) ^ names)}")
        self.hidden = {name: paddle.to_tensor(value) for name, value in state.items()}
        self._swap()

    def _copy(self) -> dict[str, Any]:
        return {name: value.detach().clone() for name, value in self.model.state_dict().items()}

    @paddle.no_grad()
    def _swap(self) -> None:
        coming, self.hidden = self.hidden, self._copy()
        for name, value in self.model.state_dict().items():
            value.set_value(coming[name])
