from __future__ import annotations

import numpy as np
import pytest

from paddlevideo.loader.samplers import KeyframeClip, SegmentFrames


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


def test_segments_give_their_middles_or_random_places() -> None:
    sampler = SegmentFrames(num_frames=3, train_frames=2)
    assert sampler(30, 29, None).tolist() == [4, 14, 24]  # (10 - 1) // 2 in each segment of ten
    assert sampler(30, 8, None).tolist() == [1, 4, 7]  # up to the key frame
    assert sampler(2, 1, None).tolist() == [0, 1, 0]
    rng = np.random.default_rng(0)
    drawn = np.array([sampler(10, 9, rng) for _ in range(200)])
    assert set(drawn[:, 0]) == set(range(5))
    assert set(drawn[:, 1]) == set(range(5, 10))


def test_runs_of_neighbours_are_taken_of_each_segment() -> None:
    sampler = SegmentFrames(num_frames=6, train_frames=6, run=3)
    assert sampler(20, 19, None).tolist() == [3, 4, 5, 13, 14, 15]  # (10 - 3) // 2
    assert sampler(4, 3, None).tolist() == [0, 1, 2, 2, 3, 0]
    with pytest.raises(ValueError, match="run should divide the 7 frames of a clip"):
        SegmentFrames(num_frames=7, train_frames=6, run=3)
    with pytest.raises(ValueError, match="key frame 4 is not in a video of 4 frames"):
        sampler(4, 4, None)
