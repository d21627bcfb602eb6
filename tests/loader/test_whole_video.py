from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from paddlevideo.loader.crops import CenterCrop
from paddlevideo.loader.datasets import VideoStream, WholeVideo
from paddlevideo.loader.media.live import StoredStream
from paddlevideo.loader.samplers import KeyframeClip, SegmentFrames
from paddlevideo.modeling.inputs.segment_input import SegmentInput
from tests.tasks.streams import made, write_video

INPUT = SegmentInput(num_frames=4, size=32)


def parts() -> dict:
    sampler = SegmentFrames(num_frames=4, train_frames=4)
    return {"sampler": sampler, "transforms": [CenterCrop(32)], "input": INPUT}


def test_the_first_frame_has_the_clip_of_all(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4", 40)
    samples = list(WholeVideo(StoredStream(video), **parts()))
    assert [sample["meta"]["frame"] for sample in samples] == list(range(1, 41))
    assert ["inputs" in sample for sample in samples] == [True] + [False] * 39
    greys = samples[0]["inputs"]["clip"].mean((1, 2, 3))
    np.testing.assert_allclose(greys, [12, 42, 72, 102], atol=1.5)  # the middles of its quarters
    assert samples[3]["meta"]["time"] == 0.12


def test_a_stream_without_an_end_needs_a_window() -> None:
    with pytest.raises(
        ValueError, match=r"cam: this network answers once for a whole video.* \{name: VideoStream, window"
    ):
        WholeVideo(made("cam", 9), **parts())
    with pytest.raises(ValueError, match="window should be a positive number of frames, got None"):
        VideoStream(made("cam", 9), **parts())
    with pytest.raises(ValueError, match="window should be nothing, as the sampler decides, got 8"):
        VideoStream(made("cam", 9), KeyframeClip(num_frames=4), [], INPUT, window=8)


def test_a_window_slides_over_a_stream() -> None:
    samples = list(VideoStream(made("cam", 20), **parts(), window=8, stride=5))
    clips = [sample["inputs"]["clip"].mean((1, 2, 3)) for sample in samples if "inputs" in sample]
    assert len(clips) == 4
    last = clips[-1]  # frame 16, for which there are frames 9 to 16, in four pairs
    np.testing.assert_allclose(np.diff(last), np.full(3, last[1] - last[0]))
    assert last[0] > clips[0][0]
    assert np.ptp(clips[0]) == 0  # the first frame, four times
