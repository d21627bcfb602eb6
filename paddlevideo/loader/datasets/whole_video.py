"""A user's stored video, one clip for all of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from paddlevideo.loader.datasets.base import on_arrival, prepare
from paddlevideo.loader.media.live import Connection, FrameStream, open_streams
from paddlevideo.loader.media.open_source import open_source
from paddlevideo.loader.samplers import Sampler
from paddlevideo.loader.transforms import Transform
from paddlevideo.registry import DATASETS
from paddlevideo.types import FrameInput, Sample


@DATASETS.register
class WholeVideo:
    """Every frame of a video, in order; the first one has the inputs of a clip of the whole video.

    So there is one answer, and it holds from the first frame to the last.

    Args:
        source: the frames; they are read twice.
        sampler: chooses the frames of the clip.
        transforms: as in testing.
        input: the model's input transform.
        stride: not needed, as there is one clip.

    Raises:
        ValueError: a live stream, which has no end.
    """

    def __init__(
        self,
        source: FrameStream,
        sampler: Sampler,
        transforms: Sequence[Transform],
        input: FrameInput,
        stride: int = 1,
    ) -> None:
        if source.path is None:
            raise ValueError(
                f"{source.name}: this network answers once for a whole video, and a live stream has no end; set "
                "INFERENCE to {name: VideoStream, window: FRAMES}, which answers for the latest frames"
            )
        self.stream, self.path = source, source.path
        self.sampler, self.transforms, self.input = sampler, transforms, input

    @classmethod
    def sources(cls, text: str, connection: Connection, realtime: bool = False) -> list[FrameStream]:
        """The videos that a user named; see `open_streams`."""
        return open_streams(text, connection, realtime)

    def __iter__(self) -> Iterator[Sample]:
        """`meta`, the frame as `frame [H, W, 3]`, RGB, and for the first one packed `inputs`."""
        for number, (seconds, frame) in enumerate(self.stream, start=1):
            meta = {
                "id": f"{self.stream.name}/{number:05d}",
                "frame": number,
                "time": round(seconds, 3),
                "size": list(frame.shape[:2]),
            }
            sample: Sample = {"meta": meta, "frame": frame}
            if number == 1:
                video = open_source(self.path)
                frames = video.read(
                    self.sampler(len(video), len(video) - 1, None), on_arrival(self.transforms, self.input)
                )
                sample["inputs"] = self.input.pack(
                    prepare({"frames": frames, "meta": meta}, self.transforms, self.input)
                )
            yield sample
