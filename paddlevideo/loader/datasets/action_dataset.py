"""Key frames with action boxes, from an index file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from paddlevideo.loader.datasets.base import Place, VideoDataset
from paddlevideo.loader.feature_bank import read_bank
from paddlevideo.loader.index import Boxes, IndexScan, VideoEntry, read_index, scan_index
from paddlevideo.loader.samplers import Sampler
from paddlevideo.loader.transforms import Transform
from paddlevideo.registry import DATASETS
from paddlevideo.types import FrameInput, InputTransform, IntArray, Node, Sample


@DATASETS.register
class ActionDataset(VideoDataset):
    """Every frame with boxes is a sample, and as many frames without action as asked for, or every frame is.

    Of a video whose index names the annotated frames, the others are no samples.

    Args:
        index: annotation file, see `loader/index.py`.
        classes: the config's class names, which the index must share.
        sampler: chooses the frames of a clip.
        transforms: augmentation.
        input: the model's input transform.
        seed: see `VideoDataset`.
        step: take every n-th frame with boxes of a video, or every n-th frame with `every_frame`.
        background: frames without action per frame with boxes taken, spread evenly over all videos.
        background_margin: frames this close to one with boxes are not background; an actor may still be there.
        multi_label: whether the rows of a frame with the same box are the labels of one actor.
        every_frame: take the frames of every video, with or without boxes, as video-mAP needs them.
        unannotated: with `every_frame`, take also the frames that the index does not call annotated, as feature banks
            need them.
        bank: folder with features of whole videos, written by `tools/extract_features.py`, for models with context.

    Raises:
        FileNotFoundError: no index.
        ValueError: a malformed index, other classes, no annotated frame, or choices that contradict each other.
    """

    def __init__(
        self,
        index: str,
        classes: Sequence[str],
        sampler: Sampler,
        transforms: Sequence[Transform],
        input: FrameInput,
        seed: int | None = None,
        step: int = 1,
        background: float = 0.0,
        background_margin: int = 1,
        multi_label: bool = False,
        every_frame: bool = False,
        unannotated: bool = False,
        bank: str | None = None,
    ) -> None:
        super().__init__(sampler, transforms, input, seed)
        if step < 1 or background < 0 or background_margin < 0:
            raise ValueError(
                "ActionDataset: step should be at least 1, background and background_margin at least 0, "
                f"got {step}, {background}, {background_margin}"
            )
        if every_frame and background:
            raise ValueError(
                "ActionDataset: every_frame takes frames without action too, so background should be 0, got "
                f"{background}; change it or leave every_frame out"
            )
        if unannotated and not every_frame:
            raise ValueError("ActionDataset: unannotated needs every_frame; set it too, or leave unannotated out")
        content = read_index(Path(index))
        if tuple(content.classes) != tuple(classes):
            raise ValueError(
                f"{index}: its {len(content.classes)} classes ({', '.join(content.classes)}) are not the config's "
                f"{len(classes)} ({', '.join(classes)}); set `classes` to the classes.txt written beside the index"
            )
        self.classes = content.classes
        self.videos = content.videos
        self.multi_label = multi_label
        self.bank = None if bank is None else Path(bank)
        self.samples: IntArray = (  # [S, 2]: video, frame from 1
            _pairs([_all_frames(video, unannotated)[::step] for video in self.videos])
            if every_frame
            else _choose(self.videos, step, background, background_margin)
        )

    @classmethod
    def scan(cls, node: Node) -> IndexScan:
        """The index file of a config's `node`, see `VideoDataset`."""
        if "index" not in node:
            raise TypeError("dataset ActionDataset: argument 'index' is missing")
        return scan_index(node["index"])

    @classmethod
    def made_up(cls, node: Node, classes: Sequence[str], input: InputTransform, truths: bool) -> list[Sample]:
        """A frame with two boxes, one with one box; see `SampleDataset`."""
        boxes = np.array([[0.1, 0.2, 0.5, 0.9], [0.5, 0.1, 0.8, 0.5], [0.3, 0.3, 0.6, 0.7]], np.float32)
        labels = np.array([0, len(classes) - 1, 1 % len(classes)])
        if node.get("multi_label"):
            labels = (np.arange(len(classes)) == labels[:, None]).astype(np.int64)
        extra: Sample = {}
        if (bank := input.spec().get("bank")) is not None:
            extra["bank"] = {"offsets": np.arange(3), "features": np.ones((3, bank.shape[-1] or 1), np.float32)}
        rows = [slice(0, 2), slice(2, 3)] if truths else [slice(0), slice(0)]
        return [
            {
                "targets": {"boxes": boxes[own], "labels": labels[own]},
                "meta": {"id": f"video/{number:05d}", "size": [240, 320], "num_frames": 100},
                **extra,
            }
            for number, own in enumerate(rows, start=1)
        ]

    def __len__(self) -> int:
        """Frames taken."""
        return len(self.samples)

    def place(self, index: int) -> Place:
        """Where the frames of a sample are; no file is opened."""
        number, frame = self.samples[index].tolist()
        video = self.videos[number]
        return Place(video.source, video.num_frames, frame - 1)

    def annotation(self, index: int) -> Sample:
        """Boxes of the key frame as fractions, `boxes [N, 4]`, and `labels [N]`; N is 0 for background.

        With `multi_label` every box stands once, and `labels [N, C]` has 0 and 1. Otherwise, if the index tells the
        tube of each box, there is `actors [N]` too.
        """
        number, frame = self.samples[index].tolist()
        video = self.videos[number]
        here = video.boxes[:, 0] == frame
        rows = video.boxes[here]
        boxes, labels = rows[:, 2:], rows[:, 1].astype(np.int64)
        if self.multi_label:
            boxes, labels = _merge(boxes, labels, len(self.classes))
        height, width = video.size
        targets = {"boxes": (boxes / [width, height, width, height]).astype(np.float32), "labels": labels}
        if video.actors is not None and not self.multi_label:
            targets["actors"] = video.actors[here]
        meta = {"id": f"{video.id}/{frame:05d}", "size": [height, width], "num_frames": video.num_annotated}
        return {"targets": targets, "meta": meta}

    def entry(self, index: int) -> Sample:
        """The annotation, and with a feature bank the video's `bank`."""
        sample = self.annotation(index)
        number, frame = self.samples[index].tolist()
        video = self.videos[number]
        return sample if self.bank is None else {**sample, "bank": read_bank(self.bank, video.id, frame)}


def _merge(boxes: Boxes, labels: IntArray, num_classes: int) -> tuple[Boxes, IntArray]:
    """Every different box once, in order, and its labels as 0 and 1: `[R, 4]`, `[R]` to `[N, 4]`, `[N, C]`."""
    different, first, actor = np.unique(boxes, axis=0, return_index=True, return_inverse=True)
    place = np.argsort(np.argsort(first))  # of the sorted boxes among the boxes in order
    merged = np.zeros((len(different), num_classes), np.int64)
    merged[place[actor.ravel()], labels] = 1
    return boxes[np.sort(first)], merged


def _choose(videos: Sequence[VideoEntry], step: int, background: float, margin: int) -> IntArray:
    """Frames with boxes and background, rows `[S, 2]` of video number and frame number in order."""
    with_boxes = [np.unique(video.boxes[:, 0]).astype(np.int64) for video in videos]
    free = [_free_frames(video, f, margin) for video, f in zip(videos, with_boxes, strict=True)]
    taken = _pairs([f[::step] for f in with_boxes])
    samples = np.concatenate([taken, _spread(_pairs(free), round(background * len(taken)))])
    return samples[np.lexsort(samples.T[::-1])]


def _all_frames(video: VideoEntry, unannotated: bool) -> IntArray:
    return np.arange(1, video.num_frames + 1) if unannotated else video.annotated_frames()


def _free_frames(video: VideoEntry, with_boxes: IntArray, margin: int) -> IntArray:
    """Annotated frames of a video, from 1, that are more than `margin` away from every one with boxes."""
    near = (with_boxes[:, None] + np.arange(-margin, margin + 1)).ravel()
    return np.setdiff1d(video.annotated_frames(), near)


def _pairs(frames: list[IntArray]) -> IntArray:
    """Frames of each video as rows `[S, 2]` of video number and frame number."""
    videos = np.repeat(np.arange(len(frames)), [len(f) for f in frames])
    return np.stack([videos, np.concatenate(frames)], axis=1)


def _spread(rows: IntArray, count: int) -> IntArray:
    """At most `count` of the rows, spread evenly."""
    count = min(count, len(rows))
    return rows[np.linspace(0, len(rows) - 1, count).round().astype(np.int64)] if count else rows[:0]
