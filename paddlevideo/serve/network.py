"""One network for several browsers: they take turns, a frame each."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from paddlevideo.loader.media.live import FrameStream
from paddlevideo.tasks.answers import BoxAnswers
from paddlevideo.tasks.answers.base import check_threshold
from paddlevideo.tasks.predictor import Predictor
from paddlevideo.tasks.streaming import StreamOptions, samples_ahead, stack
from paddlevideo.tasks.tracks import TubeLinker
from paddlevideo.tasks.writers import dropped_lines, frame_line, sure_detections
from paddlevideo.types import Arrays, Meta, Sample


class BusyError(RuntimeError):
    """There are as many sessions as there may be."""


class SharedNetwork:
    """Runs the network of a predictor in one thread, whoever asks.

    A session asks for its next frame when it has passed on the answer to the one before. So at most one frame of each
    session waits for the network, the one that waits longest is next, and a browser that reads slowly holds up nobody
    else. Frames are decoded by a thread of each session.

    Args:
        predictor: used by nothing else from now on.
        threshold: detections below this score are left out.
        max_sessions: how many there may be at the same time.

    Raises:
        ValueError: a number that cannot be, or a network that gives other answers than boxes.
    """

    def __init__(self, predictor: Predictor, threshold: float, max_sessions: int) -> None:
        if max_sessions < 1:
            raise ValueError(f"--sessions should be at least 1, got {max_sessions}")
        check_threshold(threshold)
        if not isinstance(predictor.answers, BoxAnswers):
            raise ValueError(
                "the page draws boxes on every frame, and this network gives other answers; predict with "
                "tools/predict.py, or serve a detector"
            )
        self.predictor, self.threshold, self.max_sessions = predictor, threshold, max_sessions
        self._turns = ThreadPoolExecutor(1, "network")
        self._frames = ThreadPoolExecutor(max_sessions, "frames")
        self._sessions: set[threading.Event] = set()

    @contextmanager
    def session(self) -> Iterator[threading.Event]:
        """A place among the sessions, and the event that ends its threads, which is set when the context ends.

        Raises:
            BusyError: all places are taken.
        """
        if len(self._sessions) >= self.max_sessions:
            raise BusyError(f"all {self.max_sessions} places are taken; try again when another browser is through")
        stop = threading.Event()
        self._sessions.add(stop)
        try:
            yield stop
        finally:
            stop.set()
            self._sessions.discard(stop)

    async def lines(
        self, stream: FrameStream, stop: threading.Event, realtime: bool
    ) -> AsyncGenerator[dict[str, Any], None]:
        """The lines about a stream's frames, those that `tools/predict.py` writes.

        Args:
            stream: the frames.
            stop: of the session.
            realtime: drop the frame that waits for the network when the next one comes.

        Raises:
            ValueError: a frame cannot be decoded.
            ConnectionAbortedError: `stop` was set before the end.
        """
        loop, linker = asyncio.get_running_loop(), TubeLinker()
        samples = samples_ahead(self.predictor, stream, StreamOptions(realtime=realtime), stop)
        while (ready := await loop.run_in_executor(self._frames, self._next, samples)) is not None:
            sample, inputs, meta = ready
            (prediction,) = await loop.run_in_executor(self._turns, self.predictor.batch, inputs, meta)
            for line in dropped_lines(sample):
                yield line
            found = sure_detections(sample["meta"], prediction, self.threshold, linker)
            yield frame_line(sample["meta"], found, self.predictor.classes)
        if stop.is_set():
            raise ConnectionAbortedError("the server was stopped before the end; start it again, and try again")

    def end_sessions(self) -> None:
        """Let all sessions end soon, with an error."""
        for stop in self._sessions:
            stop.set()

    def close(self) -> None:
        """End the threads; no session is open any more."""
        self._frames.shutdown()
        self._turns.shutdown()

    def _next(self, samples: Iterator[Sample]) -> tuple[Sample, Arrays, list[Meta]] | None:
        sample = next(samples, None)
        return None if sample is None else (sample, *stack([sample], self.predictor.input))
