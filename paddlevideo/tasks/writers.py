"""What stands where a metric would stand when a user's video is predicted: files with the answers."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import TextIO

import cv2
import numpy as np

from paddlevideo.tasks.predictor import Predictor
from paddlevideo.types import Frames, Meta, Prediction
from paddlevideo.utils.drawing import draw_detections
from paddlevideo.utils.logging import Progress, logger


class DetectionWriter:
    """An annotated mp4 and one JSON line a frame, for one video; use as a context.

    Args:
        folder: where `NAME.mp4` and `NAME.jsonl` go.
        name: of the video.
        classes: names.
        size: height and width of the video.
        fps: frames a second.
        threshold: detections below this score are left out of both files.
    """

    def __init__(
        self, folder: Path, name: str, classes: list[str], size: tuple[int, int], fps: float, threshold: float
    ) -> None:
        self.video_path, self.lines_path = folder / f"{name}.mp4", folder / f"{name}.jsonl"
        self.classes, self.size, self.fps, self.threshold = classes, size, fps, threshold

    def __enter__(self) -> DetectionWriter:
        height, width = self.size
        self.video = cv2.VideoWriter(str(self.video_path), cv2.VideoWriter.fourcc(*"mp4v"), self.fps, (width, height))
        if not self.video.isOpened():
            raise PermissionError(f"{self.video_path}: cannot write an mp4 of {width}x{height} at {self.fps:g} fps")
        self.lines: TextIO = self.lines_path.open("w", encoding="utf-8")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.lines.close()
        self.video.release()

    def write(self, frame: Frames, meta: Meta, prediction: Prediction) -> None:
        """Add the next frame `[H, W, 3]`, RGB, with its detections."""
        keep = prediction["scores"] >= self.threshold
        shown = {key: value[keep] for key, value in prediction.items()}
        self.video.write(cv2.cvtColor(draw_detections(frame, shown, self.classes), cv2.COLOR_RGB2BGR))
        self.lines.write(json.dumps({"frame": meta["frame"], "detections": self._plain(shown, meta["size"])}) + "\n")

    def _plain(self, prediction: Prediction, size: list[int]) -> list[dict[str, object]]:
        """Detections with boxes in pixels of the video, the surest first."""
        height, width = size
        boxes = (prediction["boxes"] * np.array([width, height, width, height])).round(2)
        order = np.argsort(-prediction["scores"], kind="stable")
        return [
            {
                "box": boxes[i].tolist(),
                "label": self.classes[int(prediction["labels"][i])],
                "score": round(float(prediction["scores"][i]), 4),
            }
            for i in order
        ]


def predict_file(predictor: Predictor, path: Path, folder: Path, threshold: float, batch_size: int = 1) -> None:
    """Predict every frame of a video and write the answers; memory does not grow with its length.

    Args:
        predictor: the network.
        path: a video file or a folder of numbered frames.
        folder: where the files go.
        threshold: see `DetectionWriter`.
        batch_size: frames that go through the network together.

    Raises:
        ValueError: the answers would overwrite the video, or a batch without frames.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size should be at least 1, got {batch_size}")
    video = predictor.open(path)
    if (folder / f"{video.name}.mp4").resolve() == path.resolve():
        raise ValueError(f"{path}: the annotated video would take the place of this one; choose another folder with -o")
    progress = Progress(video.name, len(video), interval=50)
    with DetectionWriter(folder, video.name, predictor.classes, video.size, video.fps, threshold) as writer:
        for sample, prediction in predictor(video, batch_size):
            writer.write(sample["frame"], sample["meta"], prediction)
            progress.step(1)
    progress.close()
    logger.info("%s: %d frames; wrote %s and %s", path, len(video), writer.video_path, writer.lines_path)
