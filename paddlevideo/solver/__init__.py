"""Optimizers and learning rate schedules: Paddle's own, with constructors that a config can be checked against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from paddle import nn, optimizer
from paddle.optimizer import lr

from paddlevideo.registry import OPTIMIZERS, SCHEDULES
from paddlevideo.solver.checks import check_factor
from paddlevideo.solver.clips import Clip
from paddlevideo.solver.groups import freeze, in_groups
from paddlevideo.types import Node

__all__ = ["Clip", "Schedule", "build_optimizer", "freeze"]
BESIDE = ("learning_rate", "groups", "freeze", "clip")  # what a node has beside an optimizer's own arguments


@OPTIMIZERS.register
class Adam(optimizer.Adam):
    """Adam; `weight_decay` is added to the gradient (L2)."""

    def __init__(
        self,
        learning_rate: Any,
        parameters: Any,
        weight_decay: float = 0.0,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
    ) -> None:
        super().__init__(learning_rate, beta1, beta2, epsilon, parameters, weight_decay)


@OPTIMIZERS.register
class AdamW(optimizer.AdamW):
    """Adam with decoupled weight decay."""

    def __init__(
        self,
        learning_rate: Any,
        parameters: Any,
        weight_decay: float = 0.01,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
    ) -> None:
        super().__init__(learning_rate, beta1, beta2, epsilon, parameters, weight_decay)


@OPTIMIZERS.register
class Momentum(optimizer.Momentum):
    """Stochastic gradient descent with momentum; `weight_decay` is added to the gradient (L2)."""

    def __init__(
        self,
        learning_rate: Any,
        parameters: Any,
        weight_decay: float = 0.0,
        momentum: float = 0.9,
        use_nesterov: bool = False,
    ) -> None:
        super().__init__(learning_rate, momentum, parameters, use_nesterov, weight_decay)


class Schedule(lr.LRScheduler):
    """A learning rate that changes from epoch to epoch by `step()`, and may within one."""

    def start_iteration(self, iteration: int) -> None:
        """Called before each batch with its number since training began, from 0."""


@SCHEDULES.register
class MultiStepDecay(lr.MultiStepDecay, Schedule):
    """Multiply the rate by `gamma` after each of the `milestones`, in epochs."""

    def __init__(self, learning_rate: float, milestones: Sequence[int], gamma: float = 0.1) -> None:
        check_factor("OPTIMIZER.learning_rate", learning_rate)
        check_factor("MultiStepDecay: gamma", gamma)
        if any(late <= early for early, late in pairwise(milestones)):
            raise ValueError(f"MultiStepDecay: milestones should rise, got {milestones}")
        super().__init__(learning_rate, list(milestones), gamma)


@SCHEDULES.register
class CosineAnnealingDecay(lr.CosineAnnealingDecay, Schedule):
    """Follow half a cosine from `learning_rate` to `eta_min` over `T_max` epochs."""

    def __init__(self, learning_rate: float, T_max: int, eta_min: float = 0.0) -> None:  # noqa: N803 - Paddle's name
        check_factor("OPTIMIZER.learning_rate", learning_rate)
        check_factor("CosineAnnealingDecay: eta_min", eta_min)
        if T_max < 1:
            raise ValueError(f"CosineAnnealingDecay: T_max should be at least 1, got {T_max}")
        super().__init__(learning_rate, T_max, eta_min)


class _Around(Schedule):
    """A schedule whose state is that of the one underneath, `then`."""

    then: Schedule

    def state_dict(self) -> Any:
        """That of the schedule underneath."""
        return self.then.state_dict()

    def set_state_dict(self, state_dict: Any) -> None:
        """Go on where a run stopped."""
        self.then.set_state_dict(state_dict)


@SCHEDULES.register
class LinearWarmup(_Around):
    """Raise the rate in a straight line over the first batches, on top of another schedule.

    Args:
        then: the schedule.
        iterations: batches until its rate is reached.
        factor: share of its rate at the first batch.
    """

    def __init__(self, then: Schedule, iterations: int, factor: float = 0.0) -> None:
        if iterations < 1 or not 0 <= factor <= 1:
            raise ValueError(
                f"LinearWarmup: expected iterations from 1 and a factor in 0..1, got {iterations} and {factor}"
            )
        self.then, self.iterations, self.factor = then, iterations, factor
        self.share = factor
        super().__init__(then.last_lr)

    @classmethod
    def from_nodes(cls, then: Node, iterations: int, factor: float = 0.0) -> LinearWarmup:
        """Build the schedule that follows."""
        return cls(SCHEDULES.build(then), iterations, factor)

    def get_lr(self) -> float:
        """The rate of the schedule underneath, scaled."""
        return float(self.then.last_lr * self.share)

    def start_iteration(self, iteration: int) -> None:
        """Scale the rate for this batch."""
        self.then.start_iteration(iteration)
        done = min(iteration / self.iterations, 1.0)
        self.share = self.factor * (1 - done) + done
        self.last_lr = self.get_lr()

    def step(self, epoch: int | None = None) -> None:
        """Let an epoch pass."""
        if self.last_epoch >= 0:  # Paddle's constructor makes a first step of its own
            self.then.step()
        self.last_epoch += 1
        self.last_lr = self.get_lr()


@SCHEDULES.register
class PerIteration(_Around):
    """Let another schedule count batches instead of epochs: its milestones and lengths are numbers of batches."""

    def __init__(self, then: Schedule) -> None:
        self.then = then
        super().__init__(then.last_lr)

    @classmethod
    def from_nodes(cls, then: Node) -> PerIteration:
        """Build the schedule that counts."""
        return cls(SCHEDULES.build(then))

    def get_lr(self) -> float:
        """The rate of the schedule underneath."""
        return float(self.then.last_lr)

    def start_iteration(self, iteration: int) -> None:
        """Let the batches pass that came before this one."""
        while self.then.last_epoch < iteration:
            self.then.step()
        self.last_lr = self.get_lr()

    def step(self, epoch: int | None = None) -> None:
        """An epoch changes nothing."""
        self.last_epoch += 1
        self.last_lr = self.get_lr()


def build_optimizer(node: Node, model: nn.Layer) -> Any:
    """An optimizer over all trainable parameters.

    Args:
        node: `name` and arguments of an optimizer; `learning_rate` is a number or the node of a schedule, which is
            stepped after every epoch; `groups` see `in_groups`. `freeze` and `clip` are for others.
        model: whose parameters move.

    Raises:
        TypeError: no learning rate, or one that is not a number.
        ValueError: a group without parameters, or a number that is negative or none.
    """
    rate = node.get("learning_rate")
    if isinstance(rate, Mapping):
        rate = SCHEDULES.build(rate)
    elif not isinstance(rate, (int, float)) or isinstance(rate, bool):
        raise TypeError(f"OPTIMIZER.learning_rate should be a number such as 1.0e-4 or a schedule, got {rate!r}")
    else:
        rate = float(rate)  # Paddle refuses integers
    check_factor("OPTIMIZER.learning_rate", rate.last_lr if isinstance(rate, Schedule) else rate)
    arguments = {key: value for key, value in node.items() if key not in BESIDE}
    for key, value in arguments.items():
        if isinstance(value, (int, float)):
            check_factor(f"OPTIMIZER.{key}", value)
    parameters = in_groups(model, node)
    try:
        return OPTIMIZERS.build(arguments, learning_rate=rate, parameters=parameters)
    except ValueError as error:  # Paddle's, such as of beta1
        raise ValueError(f"OPTIMIZER {node['name']}: {error}") from error
