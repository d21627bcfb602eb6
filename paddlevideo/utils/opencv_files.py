"""Video files opened by OpenCV, whatever their names: the only place that hands OpenCV the name of a file."""

from __future__ import annotations

from pathlib import Path

import cv2

from paddlevideo.utils.names import openable


def open_capture(path: Path, *properties: int) -> cv2.VideoCapture:
    """What reads a video with FFmpeg and one thread; it may be closed already, if this is no video.

    Args:
        path: of the file.
        properties: further ones of OpenCV, each followed by its value.
    """
    with openable(path) as place:
        return cv2.VideoCapture(place, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1, *properties])


def open_writer(path: Path, fps: float, size: tuple[int, int]) -> cv2.VideoWriter:
    """What writes an mp4 (MPEG-4 part 2); it may be closed already, if the file cannot be written.

    Args:
        path: of the file.
        fps: frames a second.
        size: height and width in pixels.
    """
    with openable(path) as place:
        return cv2.VideoWriter(place, cv2.VideoWriter.fourcc(*"mp4v"), fps, size[::-1])
