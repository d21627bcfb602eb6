from __future__ import annotations

from typing import Annotated, Any

import pytest
from msgspec import Meta, Struct

from paddlevideo.utils.typed import typed

Size = Annotated[int, Meta(ge=1, le=9)]


class Inner(Struct, forbid_unknown_fields=True):
    sizes: list[Size]


class Outer(Struct, forbid_unknown_fields=True):
    parts: dict[str, Inner]
    rate: float = 1.0
    names: list[str] | None = None


GOOD: dict[str, Any] = {"parts": {"a": {"sizes": [1]}, "b": {"sizes": [2, 3]}}, "rate": 2, "names": ["x"]}


def test_a_good_value_becomes_a_structure() -> None:
    assert typed(GOOD, Outer, "w", "r") == Outer({"a": Inner([1]), "b": Inner([2, 3])}, 2.0, ["x"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"parts": 3}, "w: parts should be a mapping, got 3; r"),
        (
            {"parts": {"a": {"sizes": [1]}, "b": {"sizes": [2, 0]}}},
            r"w: parts\.b\.sizes\[1\] should be an integer >= 1, got 0",
        ),
        ({"parts": {"a": {"sizes": [1]}, "b": {}}}, r"w: parts\.b lacks the key sizes; r"),
        ({"parts": {"b": {"sizes": [], "size": 1}}}, r"w: parts\.b has an unknown key size; r"),
        ({"parts": {1: {}}}, "w: Expected str, got int - at key in parts; r"),
        ({"rate": True}, "w: rate should be a number, got True; r"),
        ({"rate": "1"}, "w: rate should be a number, got '1'; r"),
        ({"names": [None]}, r"w: names\[0\] should be a text, got null; r"),
        ({"parts": {"b": {"sizes": [2**70]}}}, r"sizes\[0\] should be an integer <= 9, got an integer of 71 bits; r"),
        ({"nmaes": []}, "w: it has an unknown key nmaes; r"),
    ],
)
def test_the_key_what_was_expected_and_what_came_are_named(change: dict[str, Any], said: str) -> None:
    tree = {**GOOD, **change}
    before = repr(tree)
    with pytest.raises(ValueError, match=said):
        typed(tree, Outer, "w", "r")
    assert repr(tree) == before


def test_what_is_no_mapping_at_all() -> None:
    with pytest.raises(ValueError, match=r"w: it should be a mapping, got \[\]; r"):
        typed([], Outer, "w", "r")
    with pytest.raises(ValueError, match="w: it lacks the key parts; r"):
        typed({}, Outer, "w", "r")
