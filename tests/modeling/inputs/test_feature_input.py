from __future__ import annotations

import numpy as np
import pytest

from paddlevideo.modeling.inputs import FeatureInput
from paddlevideo.modeling.inputs.feature_input import rescale


def sample(features: np.ndarray) -> dict:
    return {"features": features.astype(np.float32), "meta": {"id": "v_Surfing"}}


def test_channels_come_first() -> None:
    features = np.arange(8.0).reshape(4, 2)
    made = FeatureInput(2, 4)(sample(features))
    np.testing.assert_array_equal(made["features"], features.T)
    assert made["features"].dtype == np.float32 and made["features"].flags.c_contiguous


def test_fewer_snippets_are_means_of_interpolated_values() -> None:
    ramp = np.arange(6.0)[:, None]
    # The first third is sampled at its edges and its middle: 0 (clamped), 0.5 and 1.5 snippets from the first's middle.
    np.testing.assert_allclose(rescale(ramp, 3).ravel(), [(0 + 0.5 + 1.5) / 3, 2.5, (3.5 + 4.5 + 5) / 3])


def test_more_snippets_stay_within_the_values() -> None:
    rows = rescale(np.array([[0.0], [10.0]]), 4).ravel()
    np.testing.assert_allclose(rows, [0, 10 * (0 + 0.25 + 0.5) / 3, 10 * (0.5 + 0.75 + 1) / 3, 10])
    np.testing.assert_array_equal(rescale(np.array([[3.0, 4.0]]), 3), [[3, 4]] * 3)


def test_what_is_constant_stays_so() -> None:
    np.testing.assert_allclose(rescale(np.full((37, 2), 3.0), 100), 3.0)


def test_another_width_names_the_video() -> None:
    with pytest.raises(ValueError, match=r"v_Surfing: its features have 3 numbers each, MODEL.input.channels is 2"):
        FeatureInput(2, 4)(sample(np.zeros((4, 3))))


def test_sizes_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="channels and num_snippets should be positive"):
        FeatureInput(0, 4)
