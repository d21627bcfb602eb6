"""A user's video, one clip for every frame."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from paddlevideo.loader.datasets.base import on_arrival, prepare, with_inputs
from paddlevideo.loader.frames import open_source
from paddlevideo.loader.samplers import Sampler
from paddlevideo.loader.transforms import Transform
from paddlevideo.registry import DATASETS
from paddlevideo.types import Frames, InputTransform, Sample


@DATASETS.register
class VideoStream:
    """Samples of a video file or a folder of numbered pictures, in order; every frame is decoded and resized once.

    Only the frames that the next clip needs are held, so memory does not grow with the length.

    Args:
        path: the file or folder.
        sampler: chooses the frames of a clip.
        transforms: as in testing.
        input: the model's input transform.
    """

    def __init__(self, path: str, sampler: Sampler, transforms: Sequence[Transform], input: InputTransform) -> None:
        self.source = open_source(Path(path))
        self.name = Path(path).resolve().name if Path(path).is_dir() else Path(path).stem
        self.sampler, self.transforms, self.input = sampler, transforms, input
        self.size, self.fps = self.source.size, self.source.fps

    def __len__(self) -> int:
        """How many frames, and so samples, there are."""
        return len(self.source)

    def __iter__(self) -> Iterator[Sample]:
        """`inputs`, `meta` and the key frame as `frame [H, W, 3]`, RGB."""
        recent: deque[Frames] = deque(maxlen=self.sampler.history)
        change = on_arrival(self.transforms, self.input)
        for number, frame in enumerate(self.source.frames()):
            recent.append(change(frame[None]))
            first = number + 1 - len(recent)
            clip = np.concatenate([recent[i - first] for i in self.sampler(number + 1, number, None)])
            meta = {"id": f"{self.name}/{number + 1:05d}", "frame": number + 1, "size": list(frame.shape[:2])}
            sample = prepare({"frames": clip, "meta": meta}, self.transforms, self.input)
            yield {**with_inputs(sample, self.input), "frame": frame}
