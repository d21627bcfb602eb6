"""A user's video or camera, one clip for every frame."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np

from paddlevideo.loader.datasets.base import on_arrival, prepare
from paddlevideo.loader.media.live import Connection, FrameStream, open_streams
from paddlevideo.loader.samplers import Sampler
from paddlevideo.loader.transforms import Transform
from paddlevideo.registry import DATASETS
from paddlevideo.types import FrameInput, Frames, Sample


@DATASETS.register
class VideoStream:
    """Samples of a stream of frames, in order; every frame is decoded and resized once.

    Only the frames that the next clip needs are held, so memory does not grow with the length.

    Args:
        source: the frames.
        sampler: chooses the frames of a clip.
        transforms: as in testing.
        input: the model's input transform.
        stride: the network runs on the first of every so many frames.
        window: latest frames that a clip is taken from, for samplers that take frames of a whole video.

    Raises:
        ValueError: a stride or window that is none, or a window where the sampler decides, or none where it does not.
    """

    def __init__(
        self,
        source: FrameStream,
        sampler: Sampler,
        transforms: Sequence[Transform],
        input: FrameInput,
        stride: int = 1,
        window: int | None = None,
    ) -> None:
        if stride < 1:
            raise ValueError(f"stride should be at least 1, got {stride}")
        if (window is None) == (sampler.history is None) or (window is not None and window < 1):
            wanted = "a positive number of frames" if sampler.history is None else "nothing, as the sampler decides"
            raise ValueError(f"INFERENCE VideoStream: window should be {wanted}, got {window}")
        self.stream, self.sampler, self.transforms, self.input = source, sampler, transforms, input
        self.stride, self.window = stride, window or sampler.history

    @classmethod
    def sources(cls, text: str, connection: Connection, realtime: bool = False) -> list[FrameStream]:
        """The videos, cameras or network streams that a user named; see `open_streams`."""
        return open_streams(text, connection, realtime)

    def __iter__(self) -> Iterator[Sample]:
        """`meta`, the key frame as `frame [H, W, 3]`, RGB, and on every `stride`-th frame packed `inputs`.

        `meta.frame` counts from 1; `meta.time` is in seconds since the first frame, and always rises.
        """
        recent: deque[Frames] = deque(maxlen=self.window)
        change = on_arrival(self.transforms, self.input)
        for number, (seconds, frame) in enumerate(self.stream):
            if number == 0:
                start, now = seconds, -1.0
            now = seconds - start if seconds - start > now else now + 1 / self.stream.fps
            small = change(frame[None])
            if recent and recent[-1].shape != small.shape:
                recent.clear()
            recent.append(small)
            name, size = f"{self.stream.name}/{number + 1:05d}", list(frame.shape[:2])
            meta = {"id": name, "frame": number + 1, "time": round(now, 3), "size": size}
            sample: Sample = {"meta": meta, "frame": frame}
            if number % self.stride == 0:
                clip = [recent[i] for i in self.sampler(len(recent), len(recent) - 1, None)]
                prepared = prepare({"frames": np.concatenate(clip), "meta": meta}, self.transforms, self.input)
                sample["inputs"] = self.input.pack(prepared)
            yield sample
