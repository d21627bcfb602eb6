from __future__ import annotations

import numpy as np
import pytest

from paddlevideo.modeling.inputs.segment_input import SegmentInput


def test_a_clip_may_have_either_number_of_frames() -> None:
    input = SegmentInput(num_frames=4, train_frames=2, size=8, mean=[0.5, 0.5, 0.5], std=[0.5, 0.25, 1.0])
    assert input.sampling == {"num_frames": 4, "train_frames": 2}
    for count in (4, 2):
        clip = input({"frames": np.full((count, 8, 8, 3), 255, np.uint8), "meta": {"id": "v"}})["clip"]
        assert clip.shape == (3, count, 8, 8)
        np.testing.assert_allclose(clip[:, 0, 0, 0], [1.0, 2.0, 0.5], atol=1e-6)
    with pytest.raises(ValueError, match=r"v: 3 frames, MODEL\.input expects 4, or 2 in training"):
        input.pack({"frames": np.zeros((3, 8, 8, 3), np.uint8), "meta": {"id": "v"}})


def test_no_frame_is_refused() -> None:
    with pytest.raises(ValueError, match="train_frames should be positive, got 0"):
        SegmentInput(num_frames=4, train_frames=0, size=8)
