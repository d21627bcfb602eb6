"""The source of frames that a path means."""

from __future__ import annotations

from pathlib import Path

from paddlevideo.loader.media.frame_folder import FrameFolder
from paddlevideo.loader.media.frame_source import FrameSource
from paddlevideo.loader.media.video_file import VideoFile


def open_source(path: str | Path, num_frames: int | None = None) -> FrameSource:
    """The frames of a folder of pictures or of a video file.

    Args:
        path: the folder or file.
        num_frames: how many there should be, if an annotation says so.

    Raises:
        FileNotFoundError: no such folder or file.
        ValueError: not a source of frames, or another number of them.
    """
    path = Path(path)
    source: FrameSource = FrameFolder(path) if path.is_dir() else VideoFile(path)
    if num_frames is not None and len(source) != num_frames:
        raise ValueError(
            f"{path}: expected {num_frames} frames, got {len(source)}; "
            "get the complete media again, or build the index anew if they are right"
        )
    return source
