"""Claims on output files, with other processes."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from paddlevideo.utils.locks import PREFIX, InUseError, check_free, claim

HOLDER = """
import sys
from paddlevideo.utils.locks import claim
with claim(sys.argv[1], sys.argv[2:]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that writes a.mp4 into the folder."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path), "a"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_second_is_refused_and_the_first_named(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    for names in (["a"], ["b", "a"], []):
        with (
            pytest.raises(InUseError, match=rf"in use \(a\) by process {holder.pid} on .* since 20"),
            claim(tmp_path, names),
        ):
            pass
    with pytest.raises(InUseError):
        check_free(tmp_path)
    with claim(tmp_path, ["b"]):
        pass


@pytest.mark.parametrize("has_locks", [True, False])
def test_a_killed_process_blocks_nobody(
    holder: subprocess.Popen[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_locks: bool
) -> None:
    if not has_locks:

        def refuse(*_: object) -> None:
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr(fcntl, "lockf", refuse)
        with pytest.raises(InUseError), claim(tmp_path):
            pass
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert list(tmp_path.glob(f"{PREFIX}*"))
    with claim(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_one_process_refuses_itself_too(tmp_path: Path) -> None:
    with claim(tmp_path, ["a"]), claim(tmp_path, ["b"]), pytest.raises(InUseError), claim(tmp_path, ["a"]):
        pass
    with claim(tmp_path):
        pass


def test_a_folder_that_was_removed_is_noticed(tmp_path: Path) -> None:
    with claim(tmp_path / "out") as claimed:
        claimed.check()
        for path in (tmp_path / "out").iterdir():
            path.unlink()
        (tmp_path / "out").rmdir()
        with pytest.raises(FileNotFoundError, match="this folder was removed or replaced"):
            claimed.check()


def test_a_claim_of_another_host_counts_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "lockf", refuse)
    (tmp_path / f"{PREFIX}far-1-0").write_text('{"host": "far", "pid": 1, "names": [], "started": "1", "since": "x"}')
    with pytest.raises(InUseError, match=r"process 1 on far since x.* delete .*far-1-0"), claim(tmp_path):
        pass
