"""Claims on output files, so that two commands never write the same ones at once.

A claim is a hidden file `.lock-<host>-<pid>-<number>` in the folder, which says who writes what. Its process holds an
operating system lock on it, which ends with the process however that ends; a claim without its lock is stale and is
removed by the next command. On a file system without locks, a claim of this host is stale if no process has its id
and start time; a claim of another host counts until its file is deleted.
"""

from __future__ import annotations

import errno
import json
import os
import random
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from paddlevideo.utils import processes
from paddlevideo.utils.command import command_line
from paddlevideo.utils.files import output_folder, to_json
from paddlevideo.utils.logging import logger

try:
    import fcntl
except ImportError:  # Windows: as on a file system without locks
    fcntl = None  # type: ignore[assignment]

PREFIX = ".lock-"
ATTEMPTS = 4  # of processes that start within milliseconds of each other
POLL_SECONDS = 0.2
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
_numbers = count()
_own: dict[Path, dict[str, Any]] = {}  # claims of this process: to open and close one would end its lock


class InUseError(OSError):
    """Another command writes the same files."""


class Claim:
    """Files that this process writes; see `claim`."""

    def __init__(self, folder: Path, path: Path) -> None:
        self.folder, self.path = folder, path

    def check(self) -> None:
        """Notice that the folder was removed.

        Raises:
            FileNotFoundError: it was, or was replaced.
        """
        if not self.path.exists():
            raise FileNotFoundError(
                f"{self.folder}: this folder was removed or replaced while it was written into, so what was saved in "
                "it is gone; run the command again"
            )


@contextmanager
def claim(folder: str | Path, names: Iterable[str] = ()) -> Iterator[Claim]:
    """Make a folder if needed, and write into it alone.

    Args:
        folder: where the files go.
        names: stems of the files that are written; the whole folder if empty.

    Raises:
        InUseError: another command writes them; names it.
        PermissionError: the folder cannot be written.
    """
    folder, wanted = output_folder(folder).resolve(), sorted(set(names))
    other: tuple[Path, dict[str, Any]] | None = None
    for _ in range(ATTEMPTS):
        path, handle = _publish(folder, wanted)
        try:
            other = _conflict(folder, wanted, path)
            if other is None:
                yield Claim(folder, path)
                return
        finally:
            _own.pop(path, None)
            path.unlink(missing_ok=True)
            os.close(handle)
        time.sleep(random.uniform(0.01, 0.1))  # of two that saw each other, one is first next time  # nosec B311
    assert other is not None
    raise InUseError(_message(folder, *other))


@contextmanager
def claim_for_all(folder: str | Path) -> Iterator[None]:
    """Let the first of the processes of a job claim a folder for all of them.

    Raises:
        OSError: it cannot, see `claim`; all raise it.
    """
    with ExitStack() as held:
        failure: OSError | None = None
        if processes.is_first():
            try:
                held.enter_context(claim(folder))
            except OSError as error:
                failure = error
        failure = processes.gather(failure)[0]
        if failure is not None:
            raise failure
        yield


@contextmanager
def wait_for_claim(folder: Path, name: str, seconds: float) -> Iterator[Claim]:
    """As `claim`, but wait until another process has finished, and say so.

    Raises:
        InUseError: it has not within so many seconds.
    """
    end, reported = time.monotonic() + seconds, False
    while True:
        claimed = claim(folder, [name])
        try:
            value = claimed.__enter__()
        except InUseError as error:
            if time.monotonic() > end:
                raise
            if not reported:
                logger.info("waiting: %s", str(error).partition(";")[0])
            reported = True
            time.sleep(POLL_SECONDS)
        else:
            break
    try:
        yield value
    finally:
        claimed.__exit__(None, None, None)


def check_free(folder: str | Path) -> None:
    """Refuse to read files that another command is writing; needs no write access.

    Raises:
        InUseError: names the command.
    """
    folder = Path(folder).resolve()
    if (other := _conflict(folder, [], None)) is not None:
        raise InUseError(_message(folder, *other))


def _publish(folder: Path, names: list[str]) -> tuple[Path, int]:
    """A claim that has its lock before others can see it."""
    path = folder / f"{PREFIX}{socket.gethostname()}-{os.getpid()}-{next(_numbers)}"
    hidden = folder / f".new{path.name}"
    record = {
        "command": command_line(),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "started": _start_of(os.getpid()),
        "since": datetime.now().astimezone().isoformat(" ", "seconds"),
        "names": names,
    }
    handle = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        os.write(handle, to_json(record, str(path), only_ascii=True).encode())
        _lock(handle, shared=False)
        _own[path] = record
        hidden.rename(path)
    except BaseException:
        os.close(handle)
        hidden.unlink(missing_ok=True)
        raise
    return path, handle


def _lock(handle: int, shared: bool) -> bool:
    """Take a lock without waiting; False if another process has it or there are no locks."""
    if fcntl is None:
        return False
    try:
        fcntl.lockf(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN, *_NO_LOCKS):
            return False
        raise
    return True


def _conflict(folder: Path, names: list[str], mine: Path | None) -> tuple[Path, dict[str, Any]] | None:
    """A claim of a living process on the same files."""
    for path in sorted(folder.glob(f"{PREFIX}*")):
        if path == mine:
            continue
        record = _own.get(path) or _read_if_alive(path, may_remove=mine is not None)
        if record is not None and (not names or not record["names"] or set(names) & set(record["names"])):
            return path, record
    return None


def _read_if_alive(path: Path, may_remove: bool) -> dict[str, Any] | None:
    """The record of another process's claim, None if that process has ended."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # it ended just now
        return None
    try:
        record = _parse(os.read(handle, 1 << 20))
        is_stale = _lock(handle, shared=True) or (
            record["host"] == socket.gethostname() and _start_of(record["pid"]) != record["started"]
        )
        if is_stale and may_remove:
            with suppress(OSError):
                path.unlink()
        return None if is_stale else record
    finally:
        os.close(handle)


def _parse(data: bytes) -> dict[str, Any]:
    """A record; a damaged one counts as one of another host, on everything."""
    unknown: dict[str, Any] = {"command": "?", "host": "?", "pid": 0, "started": None, "since": "?", "names": []}
    try:
        record = json.loads(data)
    except (ValueError, RecursionError):
        return unknown
    fits = isinstance(record, dict) and isinstance(record.get("names"), list) and isinstance(record.get("pid"), int)
    return {**unknown, **record} if fits else unknown


def _start_of(pid: int) -> str | None:
    """What tells a process from a later one with its id; None if there is no such process."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    if os.name == "nt":  # where signal 0 is not a question
        return "unknown"
    try:
        os.kill(pid, 0)  # without /proc: its id alone
    except ProcessLookupError:
        return None
    except (OSError, OverflowError):
        pass
    return "unknown"


def _message(folder: Path, path: Path, record: dict[str, Any]) -> str:
    what = f" ({', '.join(record['names'][:3])})" if record["names"] else ""
    return (
        f"{folder}: in use{what} by process {record['pid']} on {record['host']} since {record['since']}: "
        f"{record['command']}; wait until it ends or choose another folder. If it runs no more, delete {path}"
    )
