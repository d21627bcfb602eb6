from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pytest

from paddlevideo.registry import Registry


class Pool:
    def __init__(
        self, in_channels: int, size: float, mode: Literal["max", "mean"] = "max", steps: Sequence[int] = (1,)
    ) -> None:
        self.facts = (in_channels, size, mode, list(steps))


@pytest.fixture
def pools() -> Registry[Pool]:
    registry: Registry[Pool] = Registry("pool")
    registry.register(Pool)
    return registry


def test_builds_from_node_and_derived_arguments(pools: Registry[Pool]) -> None:
    built = pools.build({"name": "Pool", "size": 2, "steps": [1, 2]}, in_channels=3)
    assert built.facts == (3, 2, "max", [1, 2])


@pytest.mark.parametrize(
    ("node", "error", "said"),
    [
        ({"name": "Pol", "size": 1.0}, KeyError, "did you mean 'Pool'"),
        ({"size": 1.0}, TypeError, "a mapping with a name"),
        ({"name": "Pool"}, TypeError, "argument 'size' is missing"),
        ({"name": "Pool", "size": "1e-4"}, TypeError, "size should be float, got '1e-4'"),
        ({"name": "Pool", "size": True}, TypeError, "size should be float"),
        ({"name": "Pool", "size": 1.0, "mod": "max"}, TypeError, "no argument 'mod'; did you mean 'mode'"),
        ({"name": "Pool", "size": 1.0, None: 3}, TypeError, "no argument None"),
        ({"name": "Pool", "size": 1.0, "mode": "min"}, TypeError, "mode should be"),
        ({"name": "Pool", "size": 1.0, "steps": [1, "2"]}, TypeError, "steps should be"),
        ({"name": "Pool", "size": 1.0, "in_channels": 4}, TypeError, "in_channels follows from other parts"),
    ],
)
def test_wrong_nodes_are_named(
    pools: Registry[Pool], node: dict[str, object], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said.replace("(", r"\(")):
        pools.build(node, in_channels=3)


def test_a_name_cannot_be_taken_twice(pools: Registry[Pool]) -> None:
    with pytest.raises(KeyError, match=r"registered twice, by tests\.test_registry and now by tests\.test_registry"):
        pools.register(Pool)
