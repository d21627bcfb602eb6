from __future__ import annotations

import numpy as np
import pytest

from paddlevideo.modeling.inputs import ClipInput


def sample(frames: np.ndarray) -> dict[str, object]:
    return {"frames": frames, "meta": {"id": "v/1"}}


def test_scales_normalises_and_puts_channels_first() -> None:
    frames = np.zeros((2, 4, 4, 3), np.uint8)
    frames[1] = [255, 0, 51]
    clip = ClipInput(num_frames=2, size=4, mean=[0.5, 0, 0], std=[0.5, 1, 2])(sample(frames))["clip"]
    assert clip.shape == (3, 2, 4, 4)
    np.testing.assert_allclose(clip[:, 1, 2, 3], [1.0, 0.0, 0.1], atol=1e-6)
    np.testing.assert_allclose(clip[:, 0, 2, 3], [-1.0, 0.0, 0.0], atol=1e-6)


def test_resizes_to_height_and_width() -> None:
    frames = np.zeros((1, 10, 20, 3), np.uint8)
    frames[:, :, 10:] = 255
    transform = ClipInput(num_frames=1, size=[4, 8], interpolation="area")
    clip = transform(sample(frames))["clip"]
    assert clip.shape == (3, 1, 4, 8) == (3, *transform.spec()["clip"].shape[1:])
    np.testing.assert_allclose(clip[0, 0, 0], [0, 0, 0, 0, 1, 1, 1, 1])


def test_another_number_of_frames_is_named() -> None:
    with pytest.raises(ValueError, match=r"v/1: 3 frames, MODEL.input expects 2"):
        ClipInput(num_frames=2, size=4)(sample(np.zeros((3, 4, 4, 3), np.uint8)))


@pytest.mark.parametrize("size", [100, [64, 100], 0])
def test_sizes_that_do_not_fit_the_stride_are_refused(size: int | list[int]) -> None:
    with pytest.raises(ValueError, match="multiples of 32"):
        ClipInput(num_frames=2, size=size, stride=32)


@pytest.mark.parametrize(
    "change",
    [{"size": [4]}, {"mean": [0.5, 0.5]}, {"mean": [0, 0, float("nan")]}, {"std": [1, 1, 0]}, {"std": [10**400] * 3}],
)
def test_normalisation_that_cannot_be_is_refused(change: dict[str, list[float]]) -> None:
    with pytest.raises(ValueError, match="ClipInput: expected size as one number or height and width, mean and std as"):
        ClipInput(**{"num_frames": 2, "size": 4, **change})
