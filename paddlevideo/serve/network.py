"""One network for several browsers: they take turns, a frame each."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from paddlevideo.loader.media.live import FrameStream
from paddlevideo.serve.media import encode_frame
from paddlevideo.tasks.answers import BoxAnswers
from paddlevideo.tasks.answers.base import check_threshold
from paddlevideo.tasks.predictor import Predictor
from paddlevideo.tasks.streaming import StreamOptions, samples_ahead, stack
from paddlevideo.tasks.tracks import TubeLinker
from paddlevideo.tasks.writers import dropped_lines, frame_line, sure_detections
from paddlevideo.types import Arrays, Meta, Sample

T = TypeVar("T")


class BusyError(RuntimeError):
    """There are as many sessions as there may be."""


class Session:
    """A place among those that use the network; made and used in the event loop."""

    def __init__(self) -> None:
        self.stop = threading.Event()  # for its threads
        self._ended = asyncio.get_running_loop().create_future()

    def end(self) -> None:
        """End its threads, and whatever waits for a result."""
        self.stop.set()
        if not self._ended.done():
            self._ended.set_result(None)

    async def result(self, work: Awaitable[T], seconds: float | None = None) -> T:
        """The result of something that is given up when the session ends.

        Raises:
            ConnectionAbortedError: the session ended first.
            ConnectionResetError: it took longer than `seconds`.
        """
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait({task, self._ended}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if self._ended.done():
                raise ConnectionAbortedError("the server was stopped before the end; start it again, and try again")
            if not task.done():
                raise ConnectionResetError(f"nothing moved for {seconds:g} s")
            return task.result()
        finally:
            task.cancel()


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
        self._sessions: set[Session] = set()

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A place among the sessions, which ends with the context.

        Raises:
            BusyError: all places are taken.
        """
        if len(self._sessions) >= self.max_sessions:
            raise BusyError(f"all {self.max_sessions} places are taken; try again when another browser is through")
        session = Session()
        self._sessions.add(session)
        try:
            yield session
        finally:
            session.end()
            self._sessions.discard(session)

    async def lines(
        self, stream: FrameStream, session: Session, realtime: bool, pictures: int | None = None
    ) -> AsyncGenerator[dict[str, Any], None]:
        """The lines about a stream's frames, those that `tools/predict.py` writes.

        Args:
            stream: the frames.
            session: whose frames they are.
            realtime: drop the frame that waits for the network when the next one comes.
            pictures: width and height in pixels that no picture exceeds; with it every line has its frame as `picture`,
                a JPEG file in base64.

        Raises:
            ValueError: a frame cannot be decoded.
            ConnectionAbortedError: the session ended first.
        """
        linker = TubeLinker()
        samples = samples_ahead(self.predictor, stream, StreamOptions(realtime=realtime), session.stop)
        while (ready := await self._in_thread(session, self._frames, self._next, samples, pictures)) is not None:
            sample, inputs, meta, picture = ready
            (prediction,) = await self._in_thread(session, self._turns, self.predictor.batch, inputs, meta)
            for line in dropped_lines(sample):
                yield line
            found = sure_detections(sample["meta"], prediction, self.threshold, linker)
            yield frame_line(sample["meta"], found, self.predictor.classes) | picture

    def end_sessions(self) -> None:
        """Let all sessions end soon, with an error."""
        for session in self._sessions:
            session.end()

    def close(self) -> None:
        """End the threads; no session is open any more."""
        self._frames.shutdown()
        self._turns.shutdown(cancel_futures=True)

    async def _in_thread(
        self, session: Session, threads: Executor, function: Callable[..., T], *arguments: object
    ) -> T:
        return await session.result(asyncio.get_running_loop().run_in_executor(threads, function, *arguments))

    def _next(
        self, samples: Iterator[Sample], pictures: int | None
    ) -> tuple[Sample, Arrays, list[Meta], dict[str, str]] | None:
        """The next sample with its inputs and meta, and what its line says more; None after the last."""
        sample = next(samples, None)
        if sample is None:
            return None
        picture = {} if pictures is None else {"picture": encode_frame(sample["frame"], pictures)}
        return sample, *stack([sample], self.predictor.input), picture
