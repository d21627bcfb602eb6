from __future__ import annotations

import numpy as np
import pytest

from paddlevideo.loader.samplers import KeyframeClip


def test_clip_ends_at_the_key_frame_and_repeats_the_first() -> None:
    clip = KeyframeClip(num_frames=4, strides=[2, 1])
    assert clip(100, 50, None).tolist() == [44, 46, 48, 50]
    assert clip(100, 3, None).tolist() == [0, 0, 1, 3]
    assert clip(100, 0, None).tolist() == [0, 0, 0, 0]
    assert clip.history == 7


def test_training_draws_a_stride_for_every_sample() -> None:
    clip = KeyframeClip(num_frames=2, strides=[1, 2])
    rng = np.random.default_rng(0)
    steps = [np.diff(clip(100, 50, rng)).item() for _ in range(400)]
    assert set(steps) == {1, 2}
    assert 150 < steps.count(1) < 250


@pytest.mark.parametrize("index", [-1, 10])
def test_a_key_frame_outside_the_video_is_refused(index: int) -> None:
    with pytest.raises(ValueError, match="not in a video of 10 frames"):
        KeyframeClip(num_frames=2)(10, index, None)


def test_strides_must_be_positive() -> None:
    with pytest.raises(ValueError, match=r"\[0\]"):
        KeyframeClip(num_frames=2, strides=[0])
