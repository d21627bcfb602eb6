"""Streams to files with answers: decoding, network, and drawing with writing overlap.

    a thread a stream            a thread           the caller          a thread a stream
    decode, resize, make clips -> batches, floats -> network, answers -> draw, encode, write

Between them are queues of bounded length, so memory does not grow with the length of a stream. Frames of a stream reach
the network and the files in order.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import ExitStack, suppress
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from types import TracebackType
from typing import NamedTuple

from paddlevideo.loader.media.live import Source
from paddlevideo.modeling.models import InputTransform
from paddlevideo.tasks.answers import StreamOptions, StreamWriter
from paddlevideo.tasks.predictor import Predictor
from paddlevideo.types import Arrays, Meta, Prediction, Sample
from paddlevideo.utils.locks import claim
from paddlevideo.utils.logging import Progress, logger
from paddlevideo.utils.threads import Ahead

WAITING_ANSWERS = 4  # frames of a stream that may wait to be drawn and written
LOOK_SECONDS = 0.2  # between looks whether to stop while a frame is written
LAST_SECONDS = 10.0  # for a frame to be written after a stop


class Step(NamedTuple):
    """The next sample of a stream, None after the last, or what went wrong instead."""

    stream: Source
    sample: Sample | Exception | None

    @property
    def due(self) -> Sample | None:
        """The sample, if the network is to look at it."""
        return self.sample if isinstance(self.sample, dict) and "inputs" in self.sample else None


def predict_streams(
    predictor: Predictor, streams: Sequence[Source], folder: Path, options: StreamOptions, stop: Event
) -> None:
    """Predict streams, or other sources, and write the answers; the kind of answers decides on the files.

    A stream that fails, or whose files do, does not end the others; the first failure is raised when they are through.

    Args:
        predictor: the network.
        streams: each with a name of its own.
        folder: where the files go.
        options: see there.
        stop: ends the work in order when it is set; the files are complete then. It is set when this returns.

    Raises:
        ValueError: two streams of one name, an mp4 that would overwrite a video, or a stream that cannot be read.
        ConnectionError: a live stream broke and did not come back.
        OSError: an answer cannot be written.
    """
    _check_names(streams, folder)
    with claim(folder, [stream.name for stream in streams]) as claimed:
        _predict(predictor, streams, folder, options, stop)
        claimed.check()


def _predict(
    predictor: Predictor, streams: Sequence[Source], folder: Path, options: StreamOptions, stop: Event
) -> None:
    title, total = (streams[0].name, streams[0].length) if len(streams) == 1 else (f"{len(streams)} videos", None)
    progress = Progress(title, total, interval=50)
    given_up: set[str] = set()
    steps = interleave(predictor, streams, options, stop, given_up)
    rounds = Ahead(batches(steps, options.batch_size, predictor.input), 1, stop)
    try:
        with Outlets(
            lambda source: predictor.answers.stream_writer(folder, source, options, stop), stop, given_up
        ) as outlets:
            for group, inputs, meta in rounds:
                answers = iter(predictor.batch(inputs, meta) if meta else ())
                for step in group:
                    outlets.take(step, None if step.due is None else next(answers))
                    if isinstance(step.sample, dict):
                        progress.step(1)
    finally:
        stop.set()  # for the threads, if something failed here
        for stream in streams:
            stream.close()
    progress.close()
    if outlets.failures:
        raise outlets.failures[0]


def interleave(
    predictor: Predictor, streams: Sequence[Source], options: StreamOptions, stop: Event, given_up: Container[str] = ()
) -> Iterator[Step]:
    """The samples of streams, each in its order; as many streams as a batch has places take turns.

    Nothing more comes of a stream whose name gets into `given_up`.
    """
    waiting = iter(streams)
    active: deque[tuple[Source, Iterator[Sample]]] = deque()
    while True:
        for stream in islice(waiting, options.batch_size - len(active)):
            active.append((stream, samples_ahead(predictor, stream, options, stop)))
        if not active:
            return
        stream, samples = active.popleft()
        if stream.name in given_up:
            stream.close()
            continue
        try:
            for sample in samples:
                step = Step(stream, sample)
                yield step
                if step.due is not None:
                    active.append((stream, samples))
                    break
            else:
                yield Step(stream, None)
        except Exception as error:
            yield Step(stream, error)


def batches(steps: Iterable[Step], size: int, input: InputTransform) -> Iterator[tuple[list[Step], Arrays, list[Meta]]]:
    """Steps in order, with the inputs and meta of those that are due, `size` of them or fewer at the end."""
    group: list[Step] = []
    due: list[Sample] = []
    for step in steps:
        group.append(step)
        if step.due is not None:
            due.append(step.due)
        if len(due) == size:
            yield group, *stack(due, input)
            group, due = [], []
    if group:
        yield group, *stack(due, input)


def stack(samples: list[Sample], input: InputTransform) -> tuple[Arrays, list[Meta]]:
    """What a network is given for samples: inputs with a batch axis, and their meta."""
    if not samples:
        return {}, []
    return input.unpack([sample["inputs"] for sample in samples]), [sample["meta"] for sample in samples]


def samples_ahead(predictor: Predictor, stream: Source, options: StreamOptions, stop: Event) -> Iterator[Sample]:
    """The samples of a stream, made ahead by a thread that `stop` ends."""
    samples = predictor.open(stream, options.stride)
    if options.realtime:
        yield from Ahead(samples, options.stride, stop, drop=_note_dropped)
    else:
        yield from Ahead(samples, 2 * options.stride, stop)


def _note_dropped(oldest: Sample, following: Sample) -> None:
    following["dropped"] = [*oldest.get("dropped", ()), oldest["meta"]]


class Outlets:
    """The files of streams that are on their way; a context that finishes them.

    Args:
        make_writer: opens the files of a stream.
        stop: see `Outbox`.
        given_up: gets the names of streams whose files cannot be written.
    """

    def __init__(self, make_writer: Callable[[Source], StreamWriter], stop: Event, given_up: set[str]) -> None:
        self.make_writer, self.stop, self.given_up = make_writer, stop, given_up
        self.failures: list[Exception] = []
        self._open: dict[str, Outbox] = {}

    def __enter__(self) -> Outlets:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with ExitStack() as rest:  # all are closed, whatever happens to one of them
            for outbox in self._open.values():
                rest.callback(outbox.close)

    def take(self, step: Step, prediction: Prediction | None) -> None:
        """Hand the next step of a stream to its files, with its prediction if the network looked at it."""
        name = step.stream.name
        if name in self.given_up:
            return
        try:
            if isinstance(step.sample, dict):
                if name not in self._open:
                    self._open[name] = Outbox(self.make_writer(step.stream), name, self.stop)
                self._open[name].put(step.sample, prediction)
                return
            if step.sample is not None:
                self._fail(name, step.sample)
            if name in self._open:
                self._open.pop(name).close()
        except OSError as error:
            self.given_up.add(name)
            self._fail(name, error)
            if name in self._open:
                with suppress(OSError):  # the same once more, or what follows from it
                    self._open.pop(name).close()

    def _fail(self, name: str, error: Exception) -> None:
        self.failures.append(error)
        logger.error("%s: %s", name, error)


class Outbox:
    """Lets a thread of its own draw and write what comes, in order; nothing is written after a failure.

    Args:
        writer: of the files.
        name: of the stream.
        stop: set when the work is to end; a file that takes nothing for `LAST_SECONDS` then is given up.
    """

    def __init__(self, writer: StreamWriter, name: str, stop: Event) -> None:
        self.writer, self.name, self.stop = writer, name, stop
        self._jobs: SimpleQueue[tuple[Future[None], Sample, Prediction | None] | None] = SimpleQueue()
        self._pending: deque[Future[None]] = deque()
        self._failed = self._stuck = False
        # A daemon, as the interpreter would wait for ever for one that writes into a pipe that nobody reads.
        self._thread = Thread(target=self._work, daemon=True)
        self._thread.start()

    def put(self, sample: Sample, prediction: Prediction | None) -> None:
        """Add a frame; waits when too many of them wait.

        Raises:
            OSError: one of the frames before could not be written.
        """
        done: Future[None] = Future()
        self._jobs.put((done, sample, prediction))
        self._pending.append(done)
        if len(self._pending) > WAITING_ANSWERS:
            self._wait(self._pending.popleft())

    def close(self) -> None:
        """Write what waits and finish the files; see `put` for errors."""
        try:
            for pending in self._pending:
                self._wait(pending)
        finally:
            self._jobs.put(None)
            if not self._stuck:
                self._thread.join()
                self.writer.close()

    def _wait(self, done: Future[None]) -> None:
        stopped_at: float | None = None
        while not wait([done], LOOK_SECONDS).done:
            if not self.stop.is_set():
                continue
            stopped_at = stopped_at or time.monotonic()
            if self._stuck or time.monotonic() - stopped_at > LAST_SECONDS:
                self._stuck = True
                raise OSError(
                    f"the files of {self.name} took nothing for {LAST_SECONDS:g} seconds after the stop, so they may "
                    "lack their end; is there a reader of the pipe, or a disk that hangs?"
                )
        done.result()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            done, sample, prediction = job
            try:
                if not self._failed:
                    self.writer.write(sample, prediction)
            except Exception as error:
                self._failed = True
                done.set_exception(error)
            else:
                done.set_result(None)


def _check_names(streams: Sequence[Source], folder: Path) -> None:
    """Stop before answers overwrite a stream, or those of another."""
    first: dict[str, Source] = {}
    for stream in streams:
        other = first.setdefault(stream.name, stream)
        if other is not stream:
            raise ValueError(
                f"{stream.path} and {other.path} would both be written as {stream.name}.mp4; predict them one by one"
            )
        written = folder / f"{stream.name}.mp4"
        if stream.path is not None and written.exists() and written.samefile(stream.path):
            raise ValueError(
                f"{stream.path}: the annotated video would take the place of this one; choose another folder with -o"
            )
