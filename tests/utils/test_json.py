from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paddlevideo.utils.files import finite_or_null, to_json, write_json


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"a": [1.0, {"b": math.nan}]}, r"w\.json: a\[1\]\.b should be finite, got nan"),
        ([1, -math.inf], r"w\.json: \[1\] should be finite, got -inf"),
        ({"a": np.float64("inf")}, r"w\.json: a should be finite, got inf"),
    ],
)
def test_numbers_that_json_does_not_have_are_named(tmp_path: Path, value: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        write_json(tmp_path / "w.json", value)
    assert list(tmp_path.iterdir()) == []


def test_json_is_read_back() -> None:
    value = {"a": [1, 2.5, None, "\u00e9"], "b": {}}
    for only_ascii in (False, True):
        assert json.loads(to_json(value, "x", only_ascii=only_ascii)) == value


def test_averages_over_nothing_are_null() -> None:
    assert finite_or_null({"a": math.nan, "b": 1.0, "c": math.inf}) == {"a": None, "b": 1.0, "c": None}
