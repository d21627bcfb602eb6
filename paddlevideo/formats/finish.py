"""From an annotated video to its index entry: size, frames, media, and every check of the boxes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from paddlevideo.formats.base import SLACK_PX, AnnotatedVideo, Size
from paddlevideo.formats.media import find_source
from paddlevideo.formats.report import size_doubt
from paddlevideo.formats.text import some
from paddlevideo.loader.index import Boxes, FrameRanges, VideoEntry
from paddlevideo.loader.media.frame_source import FrameSource
from paddlevideo.loader.media.open_source import open_source

DECIMALS = 6  # of a pixel; what is behind them is rounding on the way between formats
SHAPE_SLACK_PX = 2.0  # of the smaller of two sizes that are one picture, scaled


@dataclass
class Finisher:
    """Makes index entries of annotated videos.

    With `look` it looks at the media below `root`. The remaining settings are as in `Choices`.
    """

    classes: tuple[str, ...]
    root: Path
    look: bool
    tolerance: float = SLACK_PX
    annotation_size: Size | None = None
    all_annotated: bool = False
    resized: list[str] = field(default_factory=list)  # videos with media of another size
    shorter: list[str] = field(default_factory=list)  # videos with media of fewer frames
    longer: list[str] = field(default_factory=list)  # videos with media of more frames, though all are annotated
    unsized: list[VideoEntry] = field(default_factory=list)  # videos whose boxes may be of any size
    partly: list[VideoEntry] = field(default_factory=list)  # videos with frames that are not annotated

    def entry(self, video: AnnotatedVideo) -> VideoEntry:
        """The entry of a video.

        Raises:
            FileNotFoundError: it has no media.
            ValueError: a box is impossible, the frame size or count is not known, or media contradict the annotation.
        """
        source = find_source(video, self.root) if self.look else self.root / (video.source or video.id)
        media = _open(video, source) if self.look else None
        size, num_frames = self._size(video, source, media), self._length(video, media)
        scale = np.array([size[1], size[0]] * 2 if video.fractions else [1.0] * 4, np.float64)
        corners: Boxes = np.round(video.boxes[:, 1:] * scale, DECIMALS)  # [N, 4]
        self._check(video, corners, size, num_frames)
        number = {name: label for label, name in enumerate(self.classes)}
        labels = [number[name] for name in video.labels]
        order = np.argsort(video.boxes[:, 0], kind="stable")
        boxes = np.column_stack([video.boxes[:, 0], labels, corners])[order]
        tracks = None if video.tracks is None else video.tracks[order]
        entry = VideoEntry(video.id, source, num_frames, size, boxes, tracks, self._annotated(video, num_frames))
        if video.size is None and self.annotation_size is None and not video.fractions:
            self.unsized.append(entry)
        if entry.annotated is not None:
            self.partly.append(entry)
        return entry

    def notes(self) -> list[str]:
        """What is remarkable about the annotation and the media."""
        kinds = (
            (self.resized, "another size than their annotation says, from which boxes are scaled"),
            (self.shorter, "fewer frames than their annotation says; are they complete?"),
            (self.longer, "more frames than their annotation says; are they of the frame rate that was annotated?"),
        )
        notes = [f"the media of {len(ids)} videos have {what}: {some(ids)}" for ids, what in kinds if ids]
        if self.partly:
            left = sum(video.num_frames - video.num_annotated for video in self.partly)
            ids = some([video.id for video in self.partly])
            notes.append(
                f"{left} frames of {len(self.partly)} videos are not annotated ({ids}), so they are "
                "neither background nor evaluated; if they are frames without action, pass --all-annotated"
            )
        if any(len(video.boxes) for video in self.unsized):
            extent = np.concatenate([video.boxes[:, 4:] for video in self.unsized]).max(0)
            notes += filter(None, [size_doubt({video.size for video in self.unsized}, extent)])
        return notes

    def _size(self, video: AnnotatedVideo, source: Path, media: FrameSource | None) -> Size:
        """The size at which boxes were drawn: as the user says, as the annotation says, or that of the media."""
        if self.annotation_size is not None and video.fractions:
            raise ValueError(f"{video.place}: boxes are fractions of the frame; leave out --annotation-size")
        size = self.annotation_size or video.size
        if media is None:
            if size is None:
                raise ValueError(
                    f"{video.place}: the annotation does not tell the size of the frames; pass --media ROOT"
                )
            return size
        if size not in (None, media.size):
            self.resized.append(video.id)
        if video.size and self.annotation_size is None and not same_shape(video.size, media.size):
            drawn, found = (f"{width}x{height}" for height, width in (video.size, media.size))
            raise ValueError(
                f"{video.place}: boxes were drawn on frames of {drawn}, but {source} is {found}, another shape; "
                f"get the video that was annotated, or pass --annotation-size {drawn} if it was stretched to {found}"
            )
        return size or media.size

    def _length(self, video: AnnotatedVideo, media: FrameSource | None) -> int:
        if media is None:
            if video.num_frames is None:
                raise ValueError(f"{video.place}: the annotation does not tell the number of frames; pass --media ROOT")
            return video.num_frames
        if len(media) < (video.num_frames or 0):
            self.shorter.append(video.id)
        if video.annotated is None and video.num_frames is not None and len(media) > video.num_frames:
            self.longer.append(video.id)
        return len(media)

    def _annotated(self, video: AnnotatedVideo, num_frames: int) -> FrameRanges | None:
        """The annotated frames, as in `VideoEntry`."""
        if self.all_annotated or video.annotated is None:
            return None
        within = (range(r.start, min(r.stop, num_frames + 1), r.step) for r in video.annotated)
        ranges = tuple(r for r in within if r)
        return None if sum(map(len, ranges)) == num_frames else ranges

    def _check(self, video: AnnotatedVideo, corners: Boxes, size: Size, num_frames: int) -> None:
        frame, over = video.boxes[:, 0], corners[:, 2:] - [size[1], size[0]]
        rules = (
            (
                (frame >= 1) & (frame <= num_frames) & (frame % 1 == 0),
                f"the frame should be an integer in 1..{num_frames} (from 1)",
                "the media are cut short, or the annotation is that of another video",
            ),
            ((corners[:, :2] < corners[:, 2:]).all(1), "x1 should be less than x2 and y1 less than y2", "mend the box"),
            (
                np.maximum(-corners[:, :2], over).max(1, initial=-np.inf) <= self.tolerance,
                f"the box should be inside of the frame, {size[1]}x{size[0]}",
                "mend it, or let it pass with --tolerance PIXELS",
            ),
        )
        for good, expected, advice in rules:
            if not good.all():
                worst = int(np.argmin(good))
                box = ", ".join(f"{v:g}" for v in corners[worst])
                raise ValueError(f"{video.places[worst]}: {expected}, got frame {frame[worst]:g}, box {box}; {advice}")


def _open(video: AnnotatedVideo, source: Path) -> FrameSource:
    """The media of a video.

    Raises:
        ValueError: pictures that are not numbered as the annotation counts frames, so that boxes would be on others.
    """
    media = open_source(source)
    first = media.first_number
    if first is None:
        return media
    if video.first is None and first > 1:
        raise ValueError(
            f"{video.place}: the pictures in {source} are numbered from {first}, so it is not known which of them is "
            "the annotation's first frame; number them from 1"
        )
    if video.first not in (None, first):
        raise ValueError(
            f"{video.place}: numbers in the names were taken to begin at {video.first}, but the first picture in "
            f"{source} has number {first}; pass --from-option first={first}, or number them alike"
        )
    return media


def same_shape(a: Size, b: Size) -> bool:
    """Whether two sizes (height, width) are one picture, scaled, but for rounding to whole pixels."""
    error = abs(a[1] * b[0] - b[1] * a[0])
    return error <= SHAPE_SLACK_PX * min(max(a[0], b[0]), max(a[1], b[1]))
