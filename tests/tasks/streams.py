"""Streams and a network for tests: a frame says its number by its colour, and the network finds what a clip is of."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from paddlevideo.loader.media.live import FrameStream, StoredStream, TimedFrame
from paddlevideo.modeling.inputs import ClipInput
from paddlevideo.tasks.predictor import Predictor
from paddlevideo.tasks.streaming import StreamOptions, predict_streams
from paddlevideo.types import Arrays, Frames, Meta, Prediction
from paddlevideo.utils.files import output_folder

CLIP = 4  # frames
STEP = 3  # grey levels from one frame to the next


def picture(number: int, size: tuple[int, int] = (48, 64)) -> Frames:
    """Frame `number`, from 1, in its own grey."""
    return np.full((*size, 3), STEP * number % 255, np.uint8)


class MadeStream(FrameStream):
    """Frames at 25 a second, or at given times.

    Args:
        name: of the stream.
        sizes: height and width of every frame.
        times: of every frame, in seconds.
        before: called with the number of a frame before it comes, and once more at the end.
        failure: is raised after the last frame.
    """

    path = None
    fps = 25.0
    length = None

    def __init__(
        self,
        name: str,
        sizes: Sequence[tuple[int, int]],
        times: Sequence[float] | None = None,
        before: Callable[[int], object] = lambda number: None,
        failure: Exception | None = None,
    ) -> None:
        self.name, self.sizes, self.before, self.failure = name, sizes, before, failure
        self.times = times or [number / self.fps for number in range(len(sizes))]

    def __iter__(self) -> Iterator[TimedFrame]:
        for number, (seconds, size) in enumerate(zip(self.times, self.sizes, strict=True), start=1):
            self.before(number)
            yield TimedFrame(seconds, picture(number, size))
        self.before(len(self.sizes) + 1)
        if self.failure is not None:
            raise self.failure


def made(name: str, count: int, **options: Any) -> MadeStream:
    """A stream of `count` frames of one size."""
    return MadeStream(name, [(48, 64)] * count, **options)


class ClipReader:
    """A network that answers with the grey of every frame of a clip; it keeps what it was asked.

    Args:
        before: called with the number of a batch, from 1, before it is looked at.
    """

    def __init__(self, before: Callable[[int], object] = lambda number: None) -> None:
        self.before = before
        self.sizes: list[int] = []

    def __call__(self, inputs: Arrays) -> Arrays:
        self.sizes.append(len(inputs["clip"]))
        self.before(len(self.sizes))
        return {"grey": (255 * inputs["clip"]).mean((1, 3, 4)).round()}  # [B, T]


def as_detections(decoded: Arrays, meta: list[Meta]) -> list[Prediction]:
    """Two boxes: one that moves to the right frame by frame with the clip's newest grey as score, and a faint one."""
    found = []
    for grey in decoded["grey"]:
        left = grey[-1] / 1000
        boxes = np.array([[left, 0.25, left + 0.25, 0.75], [0.5, 0.5, 1.0, 1.0]], np.float32)
        scores = np.array([0.5 + grey[-1] / 1000, 0.01], np.float32)
        found.append({"boxes": boxes, "labels": np.array([1, 0]), "scores": scores, "clip": grey[None].repeat(2, 0)})
    return found


as_detections.answers = "BoxAnswers"  # type: ignore[attr-defined]


def made_predictor(network: ClipReader | None = None) -> Predictor:
    """A predictor of clips of four frames."""
    input = ClipInput(num_frames=CLIP, size=32)
    pipeline = {"sample": {"name": "KeyframeClip"}}
    return Predictor(network or ClipReader(), input, as_detections, pipeline, {"name": "VideoStream"}, ["Sit", "Run"])


def write_video(path: Path, count: int, size: tuple[int, int] = (48, 64), codec: str = "mp4v") -> Path:
    """A video of frames 1 to `count`."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 25, size[::-1])
    for number in range(1, count + 1):
        writer.write(picture(number, size))
    writer.release()
    return path


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The records of a file of JSON lines, all of which end as they should."""
    text = path.read_text()
    assert text == "" or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def read_pictures(path: Path) -> list[Frames]:
    """The frames of a video, BGR."""
    capture, frames = cv2.VideoCapture(str(path)), []
    while (read := capture.read())[0]:
        frames.append(read[1])
    capture.release()
    return frames


def predicted_lines(video: Path, threshold: float) -> list[dict[str, Any]]:
    """The records that the made predictor writes about a video."""
    folder = output_folder(video.parent / "predicted")
    options = StreamOptions(threshold=threshold)
    predict_streams(made_predictor(), [StoredStream(video)], folder, options, threading.Event())
    return read_lines(folder / f"{video.stem}.jsonl")
