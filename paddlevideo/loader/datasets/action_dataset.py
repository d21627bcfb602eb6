"""Key frames with action boxes, from an index file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from paddlevideo.loader.datasets.base import VideoDataset
from paddlevideo.loader.frames import open_source
from paddlevideo.loader.index import VideoEntry, read_index
from paddlevideo.loader.samplers import Sampler
from paddlevideo.loader.transforms import Transform
from paddlevideo.registry import DATASETS
from paddlevideo.types import Arrays, IntArray, Sample


@DATASETS.register
class ActionDataset(VideoDataset):
    """Every annotated frame is a sample, and as many frames without action as asked for.

    Args:
        index: file written by `data/ucf24/build_split.py`.
        classes: the config's class names, which the index must share.
        sampler: chooses the frames of a clip.
        transforms: augmentation.
        input: the model's input transform.
        seed: see `VideoDataset`.
        step: take every n-th annotated frame of a video.
        background: frames without action per annotated frame taken, spread evenly over all videos.
        background_margin: frames this close to an annotated one are not background; an actor may still be there.

    Raises:
        FileNotFoundError: no index.
        ValueError: a malformed index, other classes, or no annotated frame.
    """

    def __init__(
        self,
        index: str,
        classes: Sequence[str],
        sampler: Sampler,
        transforms: Sequence[Transform],
        input: Callable[[Sample], Arrays],
        seed: int | None = None,
        step: int = 1,
        background: float = 0.0,
        background_margin: int = 1,
    ) -> None:
        super().__init__(sampler, transforms, input, seed)
        if step < 1 or background < 0 or background_margin < 0:
            raise ValueError(
                "ActionDataset: step should be at least 1, background and background_margin at least 0, "
                f"got {step}, {background}, {background_margin}"
            )
        content = read_index(Path(index))
        if tuple(content.classes) != tuple(classes):
            raise ValueError(
                f"{index}: its {len(content.classes)} classes ({', '.join(content.classes)}) are not the config's "
                f"{len(classes)} ({', '.join(classes)}); set `classes` to the classes.txt written beside the index"
            )
        self.classes = content.classes
        self.videos = content.videos
        annotated = [np.unique(video.boxes[:, 0]).astype(np.int64) for video in self.videos]
        free = [_free_frames(video, f, background_margin) for video, f in zip(self.videos, annotated, strict=True)]
        taken = _pairs([f[::step] for f in annotated])
        samples = np.concatenate([taken, _spread(_pairs(free), round(background * len(taken)))])
        self.samples: IntArray = samples[np.lexsort(samples.T[::-1])]  # [S, 2]: video, frame from 1

    def __len__(self) -> int:
        """Annotated frames and background frames taken."""
        return len(self.samples)

    def entry(self, index: int) -> Sample:
        """Boxes of the key frame as fractions, `boxes [N, 4]`, `labels [N]`; N is 0 for background."""
        number, frame = self.samples[index].tolist()
        video = self.videos[number]
        rows = video.boxes[video.boxes[:, 0] == frame]
        height, width = video.size
        return {
            "source": open_source(video.source, video.num_frames),
            "key": frame - 1,
            "targets": {
                "boxes": (rows[:, 2:] / [width, height, width, height]).astype(np.float32),
                "labels": rows[:, 1].astype(np.int64),
            },
            "meta": {"id": f"{video.id}/{frame:05d}", "size": [height, width]},
        }


def _free_frames(video: VideoEntry, annotated: IntArray, margin: int) -> IntArray:
    """Frames of a video, from 1, that are more than `margin` away from every annotated one."""
    near = (annotated[:, None] + np.arange(-margin, margin + 1)).ravel()
    return np.setdiff1d(np.arange(1, video.num_frames + 1), near)


def _pairs(frames: list[IntArray]) -> IntArray:
    """Frames of each video as rows `[S, 2]` of video number and frame number."""
    videos = np.repeat(np.arange(len(frames)), [len(f) for f in frames])
    return np.stack([videos, np.concatenate(frames)], axis=1)


def _spread(rows: IntArray, count: int) -> IntArray:
    """At most `count` of the rows, spread evenly."""
    count = min(count, len(rows))
    return rows[np.linspace(0, len(rows) - 1, count).round().astype(np.int64)] if count else rows[:0]
