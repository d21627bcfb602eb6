"""Which parameters move and how fast, chosen by patterns of their names.

A pattern is a name with `*` and `?`, or the name of a part, which means all that is in it: `backbone_2d`,
`backbone_3d.*`, `*.bias`.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from paddle import Tensor, nn

from paddlevideo.registry import OPTIMIZERS, construct, suggestion
from paddlevideo.solver.checks import check_factor
from paddlevideo.types import Node
from paddlevideo.utils.norms import norms_of


@dataclass(frozen=True)
class Group:
    """Parameters whose learning rate and weight decay are multiples of the optimizer's."""

    match: str
    learning_rate: float = 1.0
    weight_decay: float = 1.0

    def __post_init__(self) -> None:
        check_factor(f"OPTIMIZER.groups: learning_rate of {self.match!r}", self.learning_rate)
        check_factor(f"OPTIMIZER.groups: weight_decay of {self.match!r}", self.weight_decay)


def freeze(model: nn.Layer, patterns: Sequence[str]) -> None:
    """Let parameters stay as they are, and normalisations whose statistics match use and keep them.

    Args:
        model: its parameters are marked.
        patterns: of their names, see the top of this file.

    Raises:
        TypeError: the patterns are no list of words.
        ValueError: a pattern matches nothing, or one parameter of a normalisation and not the other.
    """
    if not isinstance(patterns, (list, tuple)) or not all(isinstance(pattern, str) for pattern in patterns):
        raise TypeError(f"OPTIMIZER.freeze should be a list of patterns such as [backbone_2d], got {patterns!r}")
    named = dict(model.named_parameters())
    chosen = set(_first_matches(named, patterns, "OPTIMIZER.freeze"))
    for name in chosen:
        named[name].stop_gradient = True
    for name, norm in norms_of(model):
        if norm.weight.stop_gradient != norm.bias.stop_gradient:  # Paddle gives a gradient to both or to neither
            raise ValueError(f"OPTIMIZER.freeze: expected {name}.weight and {name}.bias to match both or not at all")
        if f"{name}._mean" in chosen:
            norm._use_global_stats = True


def in_groups(model: nn.Layer, node: Node) -> list[Any]:
    """The trainable parameters of a model as Paddle's optimizers take them: a list, or groups with settings.

    Args:
        model: whose parameters move.
        node: of the optimizer; of its `groups` the first that matches a parameter has it.

    Raises:
        TypeError: a group has something else than `match`, `learning_rate`, `weight_decay`.
        ValueError: a group is left without a parameter, or has a factor that is negative or no number.
    """
    trainable = {name: value for name, value in model.named_parameters() if not value.stop_gradient}
    given = node.get("groups", [])
    if not isinstance(given, list) or not all(isinstance(one, Mapping) for one in given):
        raise TypeError(
            f"OPTIMIZER.groups should be a list such as [{{match: 'neck.*', learning_rate: 0.1}}], got {given}"
        )
    groups: list[Group] = [construct(f"OPTIMIZER.groups.{k}", Group, one) for k, one in enumerate(given)]
    if not groups:
        return list(trainable.values())
    owner = _first_matches(trainable, [group.match for group in groups], "OPTIMIZER.groups")
    members: dict[int, list[Tensor]] = {}
    for name, value in trainable.items():
        members.setdefault(owner.get(name, len(groups)), []).append(value)
    decay, groups = _weight_decay(node), [*groups, Group("*")]
    return [
        {
            "params": parameters,
            "learning_rate": groups[number].learning_rate,
            "weight_decay": groups[number].weight_decay * decay,
        }
        for number, parameters in members.items()
    ]


def _first_matches(names: Mapping[str, Any], patterns: Sequence[str], where: str) -> dict[str, int]:
    """The number of the first pattern that matches, for each name that one does."""
    found: dict[str, int] = {}
    for number, pattern in enumerate(patterns):
        own = [name for name in names if name not in found and _matches(name, pattern)]
        if not own:
            parts = {name.rpartition(".")[0] for name in names if name not in found}
            raise ValueError(
                f"{where}: {pattern!r} matches no parameter, or only some that are frozen or matched before"
                f"{suggestion(pattern, parts)}"
            )
        found.update(dict.fromkeys(own, number))
    return found


def _matches(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")


def _weight_decay(node: Node) -> float:
    """The optimizer's own, which may be its default."""
    parameters = inspect.signature(OPTIMIZERS.get(str(node.get("name")))).parameters
    default = parameters["weight_decay"].default if "weight_decay" in parameters else 0.0
    return float(node.get("weight_decay", default))
