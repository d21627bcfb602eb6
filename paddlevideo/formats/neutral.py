"""The annotation index of this project, see `paddlevideo/loader/index.py`."""

from __future__ import annotations

import os
from pathlib import Path

from paddlevideo.formats.base import AnnotatedVideo, Annotation, WritableFormat
from paddlevideo.loader.index import ActionIndex, VideoEntry, read_index, write_index
from paddlevideo.registry import FORMATS


@FORMATS.register
class NeutralFormat(WritableFormat):
    """JSON lines that the configs read: everything that the other formats tell."""

    suffix = ".jsonl"

    def read(self, source: Path) -> Annotation:
        """Read an index; it is checked as everywhere."""
        index = read_index(source)
        videos = [_video(video, index.classes, f"{source}: {video.id}") for video in index.videos]
        root = Path(os.path.commonpath([video.source.parent for video in index.videos]))
        return Annotation(videos, root, index.classes)

    def write(self, index: ActionIndex, root: Path, path: Path) -> list[str]:
        """Write an index."""
        write_index(path, index, root)
        return []


def _video(video: VideoEntry, classes: tuple[str, ...], place: str) -> AnnotatedVideo:
    return AnnotatedVideo(
        video.id,
        place,
        video.boxes[:, [0, 2, 3, 4, 5]],
        [classes[label] for label in video.boxes[:, 1].astype(int).tolist()],
        [f"{place}, box {number}" for number in range(1, len(video.boxes) + 1)],
        video.actors,
        video.num_frames,
        video.size,
        video.source,
        annotated=video.annotated,
    )
