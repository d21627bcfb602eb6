"""One damaged input, read in a process of its own that is watched: what came of it."""

from __future__ import annotations

import linecache
import os
import resource
import shutil
import sys
import time
import zlib
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tests.fuzz.mutations import Rng

REPOSITORY = Path(__file__).resolve().parents[2]
SECONDS = 20.0  # of a processor that an input may take
PATIENCE = 10  # times as long by the clock, as others may use the processor or stop this program
MEMORY = 2**30  # bytes that it may take
ROOM = 3 * MEMORY  # of address space: what asks for more gets a MemoryError, and the machine lives on
DOCUMENTED = (ValueError, KeyError, TypeError, OSError, FloatingPointError, RuntimeError)  # as in utils/command.py
GOOD = ("read", "refused")
BAD = ("unclear", "undocumented", "stray", "memory", "hang", "crash")
EVENTS = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.link", "os.truncate", "os.chmod")
OURS = [sys.executable, "-I"]  # how readers that may crash are started
CALLS = ("os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "socket.connect")


class Outcome(NamedTuple):
    """One of `GOOD` or `BAD`, and what there is to say about it."""

    kind: str
    text: str = ""


class Watch:
    """Notes what is written outside of one folder, and programs and connections that are started."""

    def __init__(self) -> None:
        self.folder: str | None = None
        self.seen: list[str] = []
        sys.addaudithook(self.hook)

    def hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        """What Python calls before it does something."""
        if self.folder is None:
            return
        if event in CALLS and not _is_expected(event, arguments):
            self.seen.append(f"{event}{arguments}")
        elif event in EVENTS or (event == "open" and _writes(arguments)):
            for path in arguments[:2] if event == "os.rename" else arguments[:1]:
                if isinstance(path, (str, bytes, Path)) and not self._inside(os.fsdecode(path)):
                    self.seen.append(f"{event} {path!r}")

    def _inside(self, path: str) -> bool:
        real = os.path.realpath(path)
        return real == os.devnull or os.path.commonpath([real, str(self.folder)]) == self.folder


def _is_expected(event: str, arguments: tuple[Any, ...]) -> bool:
    """Whether it is a reader that may crash, or a connection to a server that this process runs itself."""
    return bool(arguments[1][0] == "127.0.0.1" if event == "socket.connect" else list(arguments[1][:2]) == OURS)


def _writes(arguments: tuple[Any, ...]) -> bool:
    return bool((arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


def odd_file(path: Path, rng: Rng) -> None:
    """Something else than a regular file."""
    kind = int(rng.integers(0, 4))
    if kind == 1:
        path.mkdir()
    elif kind > 1:
        path.symlink_to(path if kind == 2 else "/dev/zero")


def examine(target: Any, number: int, seed: int, folder: Path, watch: Watch) -> Outcome:
    """Make an input, let the product read it, judge."""
    rng = np.random.default_rng((seed, zlib.crc32(target.name.encode()), number))
    path, out = folder / target.file, folder / "out"
    for old in (path, out):
        shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    if rng.random() < 0.01:
        odd_file(path, rng)
    else:
        path.write_bytes(target.make(rng))
    before, watch.seen, watch.folder = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, [], str(out)
    try:
        outcome = _read(target, path)
    finally:
        watch.folder = None
    if watch.seen:
        return Outcome("stray", "; ".join(watch.seen))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    return Outcome("memory", f"{grown / 2**20:.0f} MB, {outcome}") if grown > MEMORY else outcome


def _read(target: Any, path: Path) -> Outcome:
    try:
        target.read(path)
    except MemoryError:
        return Outcome("memory", "MemoryError")
    except DOCUMENTED as error:
        text = f"{type(error).__name__}: {error.args[0] if isinstance(error, KeyError) and error.args else error}"
        said = _is_of_a_file(error) or (_is_ours(error) and any(p in text for p in (path.name, *target.places)))
        return Outcome("refused" if said else "unclear", f"{_plain(text)} {_origin(error)}")
    except Exception as error:
        return Outcome("undocumented", f"{type(error).__name__}: {_plain(str(error))} {_origin(error)}")
    return Outcome("read")


def _plain(text: str) -> str:
    """The beginning of a text, without what damaged strings may hold."""
    return text[:600].encode("ascii", "backslashreplace").decode()


def _is_ours(error: Exception) -> bool:
    """Whether a line of the product raised it on purpose."""
    file, line = _raised_at(error)
    return linecache.getline(file, line).strip().startswith("raise") and Path(file).is_relative_to(REPOSITORY)


def _is_of_a_file(error: Exception) -> bool:
    """Whether the system says which file it could not use."""
    return isinstance(error, OSError) and bool(error.filename)


def _raised_at(error: BaseException) -> tuple[str, int]:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return ("", 0) if trace is None else (trace.tb_frame.f_code.co_filename, trace.tb_lineno)


def _origin(error: BaseException) -> str:
    file, line = _raised_at(error)
    return f"[{file}:{line}]"


def serve(connection: Connection, seed: int, folder: Path) -> None:
    """Examine inputs as asked for by the name of a target and a number, until the connection ends."""
    from tests.fuzz.targets import TARGETS

    for stream in (1, 2):  # what decoders print
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + ROOM,) * 2)
    watch, prepared = Watch(), set[str]()
    while True:
        try:
            name, number = connection.recv()
        except EOFError:
            return
        target, place = TARGETS[name], folder / name
        if name not in prepared:
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            target.prepare(place)
            prepared.add(name)
            connection.send(None)
        connection.send(examine(target, number, seed, place, watch))


class Fuzzer:
    """Examines inputs in a watched process, which is started again when it has died or hangs; use as a context.

    Args:
        seed: inputs follow from it, the name of the target and their number.
        folder: where inputs and outputs go.
    """

    def __init__(self, seed: int, folder: Path) -> None:
        self.seed, self.folder = seed, folder

    def __enter__(self) -> Fuzzer:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()
        self.process.join(5)
        self.process.kill()

    def __call__(self, name: str, number: int) -> Outcome:
        """What comes of the input `number` of a target."""
        try:
            self.connection.send((name, number))
            while self._answers(SECONDS if name in self.prepared else 6 * SECONDS):
                if (outcome := self.connection.recv()) is not None:
                    return Outcome(*outcome)
                self.prepared.add(name)
            found = Outcome("hang", f"not done after {SECONDS:g} s of a processor")
        except (EOFError, ConnectionError):
            self.process.join()
            found = Outcome("crash", f"the process ended with {self.process.exitcode}")
        self.process.kill()
        self.process.join()
        self._start()
        return found

    def _answers(self, seconds: float) -> bool:
        """Whether an answer comes before the process has used so many seconds, or `PATIENCE` times as many are over."""
        used, start = self._seconds(), time.monotonic()
        while not self.connection.poll(0.5):
            if self._seconds() - used > seconds or time.monotonic() - start > PATIENCE * seconds:
                return False
        return True

    def _seconds(self) -> float:
        """What the process has used of a processor."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _start(self) -> None:
        context = get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, self.seed, self.folder))
        self.process.start()
        theirs.close()
        self.prepared: set[str] = set()
