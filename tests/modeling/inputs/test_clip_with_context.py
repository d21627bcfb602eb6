from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from paddlevideo.modeling.inputs import ClipWithContext


def sample(offsets: list[int], width: int = 2) -> dict[str, Any]:
    features = np.array(offsets, np.float32)[:, None] * np.ones(width, np.float32)
    return {
        "frames": np.zeros((4, 10, 10, 3), np.uint8),
        "bank": {"offsets": np.array(offsets), "features": features},
        "meta": {"id": "v/00001"},
    }


def make(window: int) -> ClipWithContext:
    return ClipWithContext(num_frames=4, size=32, window=window, bank_channels=2)


def test_nearest_features_in_time_order_from_both_sides() -> None:
    made = make(3)(sample([-20, -9, -1, 7, 15]))
    np.testing.assert_array_equal(made["bank"][:, 0], [-9, -1, 7])
    np.testing.assert_array_equal(made["present"], [1, 1, 1])
    assert made["clip"].shape == (3, 4, 32, 32)


def test_a_short_video_leaves_rows_empty() -> None:
    made = make(4)(sample([-3, 5]))
    np.testing.assert_array_equal(made["bank"][:, 0], [-3, 5, 0, 0])
    np.testing.assert_array_equal(made["present"], [1, 1, 0, 0])


def test_no_bank_or_one_of_another_width_is_refused() -> None:
    with pytest.raises(ValueError, match=r"v/00001: no feature bank; set DATASET"):
        make(2)({key: value for key, value in sample([1]).items() if key != "bank"})
    with pytest.raises(ValueError, match="have 5 values, the 3-D branch of the model gives 2"):
        make(2)(sample([1], width=5))


def test_it_is_not_causal() -> None:
    assert not make(1).causal
