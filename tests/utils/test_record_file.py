from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from paddlevideo.utils.files import RecordFile

FULL = 4096


@contextmanager
def small_disk() -> Iterator[None]:
    """No file of this process can grow beyond `FULL` bytes, as on a full disk: neither can the one that has our report.

    So it is no fixture, in which pytest would write the test's result.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (FULL, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_the_tail_follows_every_record(tmp_path: Path) -> None:
    file = RecordFile(tmp_path / "list", b"[", b"]")
    assert file.path.read_bytes() == b"[]"
    file.append(b"1")
    assert file.path.read_bytes() == b"[1]"
    file.append(b",22")
    file.close()
    assert file.path.read_bytes() == b"[1,22]"


@pytest.mark.parametrize("tail", [b"", b"]}\n"])
def test_a_full_disk_leaves_whole_records(tmp_path: Path, tail: bytes) -> None:
    record = b"x" * 999 + b"\n"
    file = RecordFile(tmp_path / "lines", b"", tail)
    for _ in range(4):
        file.append(record)
    refused = pytest.raises(OSError, match=r"lines: cannot write \(File too large\); all records before are complete")
    with small_disk(), refused:
        file.append(record)
    with small_disk():
        file.close()
    assert (tmp_path / "lines").read_bytes() == 4 * record + tail
