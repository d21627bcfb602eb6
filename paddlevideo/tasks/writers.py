"""What stands where a metric would stand when a user's video is predicted: files with the answers."""

from __future__ import annotations

import csv
import io
import math
import os
import shutil
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from paddlevideo.tasks.tracks import TubeFile, TubeLinker
from paddlevideo.types import FloatArray, Frames, Meta, Prediction, Sample
from paddlevideo.utils.drawing import draw_classes, draw_detections, fit_picture
from paddlevideo.utils.files import RecordFile, to_json
from paddlevideo.utils.logging import logger
from paddlevideo.utils.names import printable
from paddlevideo.utils.opencv_files import open_writer

COLUMNS = ("frame", "time", "track", "label", "score", "x1", "y1", "x2", "y2")
SPARE_BYTES = 16 << 20  # of the disk that are left free, so that an mp4 can still be given its index
LARGEST_CLOCK = 65535  # that an MPEG-4 stream may count in a second; OpenCV gives it a rate times a power of ten
LONGEST_PAUSE = 60.0  # seconds for which a picture is repeated at most


def sure_detections(meta: Meta, prediction: Prediction, threshold: float, linker: TubeLinker) -> Prediction:
    """The detections of a stream's next frame with a score of `threshold` or more, the surest first, with `tracks`."""
    order = np.argsort(-prediction["scores"], kind="stable")
    order = order[prediction["scores"][order] >= threshold]
    kept = {key: value[order] for key, value in prediction.items()}
    kept["tracks"] = linker.update(meta["frame"], kept["labels"], kept["boxes"], kept["scores"])
    return kept


def frame_line(meta: Meta, prediction: Prediction, classes: Sequence[str]) -> dict[str, Any]:
    """What the JSON line of a frame says: where it is, and its detections with boxes in its pixels."""
    height, width = meta["size"]
    boxes = (prediction["boxes"] * np.array([width, height, width, height])).round(2)
    rows = zip(boxes, prediction["labels"], prediction["scores"], prediction["tracks"], strict=True)
    detections = [
        {"box": box.tolist(), "label": classes[int(label)], "score": round(float(score), 4), "track": int(track)}
        for box, label, score, track in rows
    ]
    return {**{key: meta[key] for key in ("frame", "time", "size")}, "detections": detections}


def dropped_lines(sample: Sample) -> list[dict[str, Any]]:
    """What JSON lines say of the frames that were dropped before this one."""
    return [{"frame": meta["frame"], "time": meta["time"], "dropped": True} for meta in sample.get("dropped", ())]


def encode_line(record: dict[str, Any]) -> bytes:
    """A JSON line; see `to_json`."""
    return to_json(record, f"frame {record.get('frame')}", only_ascii=True).encode() + b"\n"


class SteadyVideo:
    """An mp4 with as many frames in every second, made of pictures that need not come evenly.

    A picture is shown from its time until the next one comes, and the first from the beginning; one that comes before
    the last one was shown is left out. The first picture decides the size, made even as the
    format wants it; others are scaled into it, on black.

    Args:
        path: of the file; it is there once a picture was written.
        fps: frames a second, rounded if the format does not have so exact a rate.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self.path, self.fps = path, writable_rate(fps)
        self._writer: cv2.VideoWriter | None = None

    def write(self, picture: Frames, seconds: float) -> None:
        """Add a picture `[H, W, 3]`, RGB, with its time in seconds from the beginning.

        Raises:
            PermissionError: the file cannot be written.
        """
        if self._writer is None:
            self._begin(picture)
        missing = round((seconds - self._start) * self.fps) - self._count
        excess = missing - math.ceil(LONGEST_PAUSE * self.fps)
        if excess > 0:
            logger.warning("%s: a pause of %.0f s is cut to %g s", self.path, missing / self.fps, LONGEST_PAUSE)
            self._start += excess / self.fps
            missing -= excess
        if missing < 0:
            return
        for _ in range(missing):
            self._put()
        self._shown = cv2.cvtColor(self._fit(picture), cv2.COLOR_RGB2BGR)
        self._put()

    @property
    def has_begun(self) -> bool:
        """Whether there is a file."""
        return self._writer is not None

    def close(self) -> None:
        """Finish the file."""
        if self._writer is not None:
            self._writer.release()

    def _begin(self, picture: Frames) -> None:
        height, width = picture.shape[:2]
        self._size = (height, width)
        self._canvas = (height + height % 2, width + width % 2)
        self._start, self._count = 0.0, 0
        self._shown = cv2.cvtColor(self._fit(picture), cv2.COLOR_RGB2BGR)
        writer = open_writer(self.path, self.fps, self._canvas)
        if not writer.isOpened():
            raise PermissionError(
                f"{self.path}: cannot write an mp4 of {width}x{height} at {self.fps:g} fps; remove what has this name, "
                "or choose another folder with -o"
            )
        self._writer = writer

    def _put(self) -> None:
        assert self._writer is not None
        self._writer.write(self._shown)
        self._count += 1

    def _fit(self, picture: Frames) -> Frames:
        if picture.shape[:2] == self._canvas:
            return picture
        if picture.shape[:2] != self._size:
            picture = fit_picture(picture, self._size)
        height, width = picture.shape[:2]
        top, left = (self._size[0] - height) // 2, (self._size[1] - width) // 2
        fitted = np.zeros((*self._canvas, 3), np.uint8)
        fitted[top : top + height, left : left + width] = picture
        return fitted


def writable_rate(fps: float) -> float:
    """The rate nearest to `fps` that an mp4 can have."""
    decimals = 3  # that OpenCV looks at
    while decimals and round(fps * 10**decimals) > LARGEST_CLOCK:
        decimals -= 1
    return min(round(fps, decimals), float(LARGEST_CLOCK))


class StreamFiles(ABC):
    """The files about one stream: an annotated mp4 and JSON lines; a subclass says what an answer looks like there.

    Args:
        folder: where `NAME.mp4` and `NAME.jsonl` go.
        name: of the stream.
        fps: frames a second of the mp4.
        window: what shows the pictures, too.

    Raises:
        OSError: a file cannot be written, or takes the place of one that has nothing to do with it.
    """

    suffixes = ("mp4", "jsonl")  # of the files

    def __init__(self, folder: Path, name: str, fps: float, window: Window | None = None) -> None:
        self.folder, self.name, self.window = folder, name, window
        self.video = SteadyVideo(folder / f"{name}.mp4", fps)
        lines = folder / f"{name}.jsonl"
        if self.video.path.exists() and not lines.exists():
            raise FileExistsError(
                f"{self.video.path}: this has no {lines.name} beside it, so it is not one that was written here "
                "before; choose another folder with -o, or remove it"
            )
        self.lines = RecordFile(lines)
        self.frames = self.dropped = 0
        self._size: list[int] | None = None

    @abstractmethod
    def record(self, meta: Meta, prediction: Prediction) -> None:
        """Write the answer for a frame, and hold it for this frame and those that have none."""

    @abstractmethod
    def draw(self, frame: Frames) -> Frames:
        """A frame `[H, W, 3]` with the answer that is held."""

    def write(self, sample: Sample, prediction: Prediction | None) -> None:
        """Add the next frame with its answer, or with that of the frame before it.

        Args:
            sample: with `frame`, `meta` and, if frames before it were dropped, their meta as `dropped`.
            prediction: None if the network did not look at this frame.

        Raises:
            OSError: there is no room for it.
        """
        self._check_space()
        meta = sample["meta"]
        for missed in dropped_lines(sample):
            self.line(missed)
            self.dropped += 1
        if prediction is not None:
            self.record(meta, prediction)
        self._tell_size(meta)
        picture = self.draw(sample["frame"])
        self.video.write(picture, meta["time"])
        if self.window is not None:
            self.window.show(picture)
        self.frames += 1

    def line(self, record: dict[str, Any]) -> None:
        """Add a JSON line."""
        self.lines.append(encode_line(record))

    def close(self) -> None:
        """Finish the files.

        Raises:
            OSError: there is no room for what is left.
        """
        dropped = f", {self.dropped} dropped" if self.dropped else ""
        kinds = ",".join(kind for kind in self.suffixes if kind != "mp4" or self.video.has_begun)
        logger.info("%s: %d frames%s; wrote %s.{%s}", self.name, self.frames, dropped, self.folder / self.name, kinds)
        with ExitStack() as files:  # all are closed, whatever happens to one of them
            for file in self.files():
                files.callback(file.close)

    def files(self) -> list[Any]:
        """What is to be closed, the last first."""
        return [self.lines, self.video]

    def _tell_size(self, meta: Meta) -> None:
        if self._size is not None and self._size != meta["size"]:
            (old_height, old_width), (height, width) = self._size, meta["size"]
            logger.warning(
                "%s: frame %d is %dx%d, those before are %dx%d; the mp4 keeps its first size, boxes are in pixels of "
                "their own frame",
                *(self.name, meta["frame"], width, height, old_width, old_height),
            )
        self._size = meta["size"]

    def _check_space(self) -> None:
        try:
            free = shutil.disk_usage(self.folder).free
        except FileNotFoundError:
            raise FileNotFoundError(
                f"{self.folder}: this folder was removed while {self.name} was written into it, and its {self.frames} "
                "frames are lost; run the command again"
            ) from None
        if free < SPARE_BYTES:
            raise OSError(
                f"{self.folder}: the disk is full ({free >> 20} MB free, {SPARE_BYTES >> 20} are kept to finish the "
                f"files); {self.name} ends after {self.frames} frames; make room, or choose another folder with -o"
            )


class DetectionWriter(StreamFiles):
    """`StreamFiles` with boxes, and tubes, and a table if asked for.

    Args:
        folder: where `NAME.mp4`, `NAME.jsonl`, `NAME.tubes.json` and `NAME.csv` go.
        name: of the stream.
        classes: names.
        fps: frames a second of the mp4.
        threshold: detections below this score are left out of all files.
        linker: gives detections their tracks.
        table: whether to write `NAME.csv`.
        window: what shows the pictures, too.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        classes: list[str],
        fps: float,
        threshold: float,
        linker: TubeLinker,
        table: bool = False,
        window: Window | None = None,
    ) -> None:
        super().__init__(folder, name, fps, window)
        self.classes, self.threshold, self.linker = classes, threshold, linker
        self.tubes = TubeFile(folder / f"{name}.tubes.json", classes)
        self.table = RecordFile(folder / f"{name}.csv", _csv_lines([COLUMNS])) if table else None
        self.suffixes = ("mp4", "jsonl", "tubes.json", *(("csv",) if table else ()))
        self._held: Prediction = {"boxes": np.zeros((0, 4)), "labels": np.zeros(0, np.int64), "scores": np.zeros(0)}

    def record(self, meta: Meta, prediction: Prediction) -> None:
        """Write and hold the detections of a frame."""
        self._held = sure_detections(meta, prediction, self.threshold, self.linker)
        line = frame_line(meta, self._held, self.classes)
        self.line(line)
        detections = line["detections"]
        self.tubes.add(line["frame"], detections, self.linker.tracks)
        if self.table is not None:
            start = (line["frame"], line["time"])
            self.table.append(_csv_lines([*start, d["track"], d["label"], d["score"], *d["box"]] for d in detections))

    def draw(self, frame: Frames) -> Frames:
        """A frame with the boxes that are held."""
        return draw_detections(frame, self._held, self.classes)

    def files(self) -> list[Any]:
        """What is to be closed, the last first."""
        return [self.tubes, *([] if self.table is None else [self.table]), *super().files()]


class ScoreWriter(StreamFiles):
    """`StreamFiles` with the surest classes.

    Args:
        folder: where `NAME.mp4` and `NAME.jsonl` go.
        name: of the stream.
        classes: names.
        fps: frames a second of the mp4.
        top: how many classes are told.
        threshold: those below this score are left out.
        window: what shows the pictures, too.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        classes: list[str],
        fps: float,
        top: int,
        threshold: float = 0.0,
        window: Window | None = None,
    ) -> None:
        super().__init__(folder, name, fps, window)
        self.classes, self.top, self.threshold = classes, top, threshold
        self._held: list[tuple[int, float]] = []

    def record(self, meta: Meta, prediction: Prediction) -> None:
        """Write and hold the surest classes, which hold until the next line."""
        self._held = surest(prediction["scores"], self.top, self.threshold)
        told = [{"label": self.classes[label], "score": round(score, 4)} for label, score in self._held]
        self.line({**{key: meta[key] for key in ("frame", "time", "size")}, "classes": told})

    def draw(self, frame: Frames) -> Frames:
        """A frame with the classes that are held."""
        return draw_classes(frame, self._held, self.classes)


def surest(scores: FloatArray, top: int, threshold: float = 0.0) -> list[tuple[int, float]]:
    """Labels and scores of the `top` highest of `scores [C]` that reach a threshold, the highest first."""
    order = np.argsort(-scores, kind="stable")[:top].tolist()
    return [(label, float(scores[label])) for label in order if scores[label] >= threshold]


class Window:
    """A window that shows the pictures of a stream; q, escape or its button ends the run.

    Args:
        title: of the window.
        stop: set when the user wants to end.
    """

    def __init__(self, title: str, stop: threading.Event) -> None:
        self.title, self.stop = printable(title), stop

    def show(self, picture: Frames) -> None:
        """Show a picture `[H, W, 3]`, RGB; always called by one thread."""
        cv2.imshow(self.title, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        if cv2.waitKey(1) & 0xFF in (ord("q"), 27) or cv2.getWindowProperty(self.title, cv2.WND_PROP_VISIBLE) < 1:
            self.stop.set()


def check_screen() -> None:
    """Stop before anything is predicted that nobody could see.

    Raises:
        RuntimeError: there is no screen, or this OpenCV has no windows.
    """
    if not cv2.currentUIFramework():
        raise RuntimeError(
            "--show: this OpenCV was built without windows; install opencv-python in place of opencv-python-headless, "
            "or leave --show out"
        )
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise RuntimeError("--show: no screen here, DISPLAY is not set; run it on a desktop, or leave --show out")


def _csv_lines(rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
