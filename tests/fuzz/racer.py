"""Two processes at the same work in one folder, one of which may be killed: `python -I racer.py FOLDER PLAN`."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from paddlevideo.loader.index import ActionIndex, VideoEntry, read_index, write_index
from paddlevideo.utils import download
from paddlevideo.utils.files import replacing
from paddlevideo.utils.locks import InUseError, claim

CONTENT = bytes(range(256)) * 2000
SUM = hashlib.sha256(CONTENT).hexdigest()
BOXES = np.array([[1, 0, 1, 2, 3, 4]] * 2000, np.float64)
REFUSED, FAILED = 3, 4  # how a process ends
LONGEST = 15.0  # seconds for both


def _claimed(folder: Path) -> None:
    with claim(folder, ["a"]), replacing(folder / "a.bin") as path:
        path.write_bytes(CONTENT)


def _index(folder: Path) -> None:
    videos = tuple(VideoEntry(f"v{k}", folder / "media" / f"v{k}", 2, (8, 8), BOXES) for k in range(5))
    with claim(folder):
        write_index(folder / "train.jsonl", ActionIndex(("Run",), videos), folder)


def _unclaimed_index(folder: Path) -> None:
    """What is written at once needs no claim to be whole."""
    video = VideoEntry("v0", folder / "media" / "v0", 2, (8, 8), BOXES)
    write_index(folder / "train.jsonl", ActionIndex(("Run",), (video,)), folder)


def _checkpoint(folder: Path) -> None:
    from paddlevideo.tasks.checkpoint_store import WEIGHTS, CheckpointStore

    with claim(folder):
        store = CheckpointStore(folder, 2)
        store.save("epoch_1", lambda place: (place / WEIGHTS).write_bytes(CONTENT), {}, is_best=True)  # type: ignore[arg-type]


def _download(url: str, folder: Path) -> None:
    os.environ[download.CACHE_VARIABLE] = str(folder)
    download.local_file(f"{url}#sha256={SUM}")


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Send the content, or what is missing of it."""
        asked = self.headers.get("Range")
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        for place in range(start, len(CONTENT), 1 << 16):
            self.wfile.write(CONTENT[place : place + (1 << 16)])
            time.sleep(0.01)

    def log_message(self, *_: object) -> None:
        """Be silent."""


TASKS: dict[str, Callable[[Path], None]] = {
    "claim": _claimed,
    "index": _index,
    "unclaimed index": _unclaimed_index,
    "checkpoint": _checkpoint,
}


def _start(work: Callable[[Path], None], folder: Path, delay: float) -> int:
    """A process that does it; refusals of who came second must name who came first."""
    if number := os.fork():
        return number
    try:
        time.sleep(delay)
        work(folder)
        os._exit(0)
    except InUseError as error:
        os._exit(REFUSED if "racer.py" in str(error) else FAILED)
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", flush=True)
        os._exit(FAILED)


def _wait(numbers: list[int]) -> list[int]:
    """How they end."""
    end, found = time.monotonic() + LONGEST, dict[int, int]()
    while len(found) < len(numbers):
        if time.monotonic() > end:
            for number in set(numbers) - set(found):
                os.kill(number, signal.SIGKILL)
            raise AssertionError(f"still at work after {LONGEST:g} s")
        for number in set(numbers) - set(found):
            done, status = os.waitpid(number, os.WNOHANG)
            if done:
                found[number] = os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    return [found[number] for number in numbers]


def _check_whole(folder: Path) -> None:
    """All that has its final name is whole."""
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix == ".jsonl" and not hidden:
            read_index(path)
        elif path.suffix in (".bin", ".pdparams", ".pth") and not hidden:
            assert path.read_bytes() == CONTENT, f"{path.name} is not whole"


def race(folder: Path, task: str, delays: list[float], kill_after: float | None) -> None:
    """Start two processes, kill the first of them or not, look at what they leave, and do it once more.

    Raises:
        AssertionError: something is not whole, or a process failed or was refused without reason.
    """
    work = TASKS[task]
    numbers = [_start(work, folder, delay) for delay in delays]
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(numbers[0], signal.SIGKILL)
    ends = _wait(numbers)
    assert set(ends) <= {0, REFUSED, -signal.SIGKILL}, f"{task}: ended with {ends}"
    assert kill_after is not None or 0 in ends, f"{task}: nobody finished"
    _check_whole(folder)
    assert _wait([_start(work, folder, 0.0)]) == [0], f"{task}: what was left keeps the next one from its work"
    _check_whole(folder)
    left = [path.name for path in folder.glob(".lock-*")]
    assert not left, f"{task}: left {left}"


def main() -> None:
    """Run the race of the plan; the parent serves what is downloaded."""
    folder, plan = Path(sys.argv[1]), json.loads(sys.argv[2])
    if plan["task"] == "checkpoint":
        import paddlevideo.tasks.checkpoint_store  # noqa: F401 - once, for all the processes
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        TASKS["download"] = partial(_download, f"http://127.0.0.1:{server.server_port}/a.pth")
        if plan["task"] == "download":
            Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            race(folder, **plan)
        except AssertionError as error:
            print(error)
            sys.exit(1)
        finally:
            if plan["task"] == "download":
                server.shutdown()


if __name__ == "__main__":
    main()
