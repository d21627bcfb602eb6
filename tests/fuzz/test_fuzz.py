"""A few damaged files of every kind; `python -m tests.fuzz` reads many."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from multiprocessing import Pipe
from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS
from tests.fuzz.worker import GOOD, PATIENCE, Fuzzer

INPUTS = 25
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the bounds of memory are those of Linux")


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzer]:
    with Fuzzer(0, tmp_path_factory.mktemp("fuzz")) as started:
        yield started


@pytest.mark.parametrize("kind", TARGETS)
def test_damaged_files_are_read_or_refused_with_a_reason(fuzzer: Fuzzer, kind: str) -> None:
    for number in range(max(1, round(INPUTS * TARGETS[kind].share))):
        outcome = fuzzer(kind, number)
        assert outcome.kind in GOOD, f"python -m tests.fuzz --seed 0 --kind '{kind}' --number {number}: {outcome}"


@pytest.mark.parametrize(("code", "least"), [("while True: pass", 0.3), ("input()", 0.3 * PATIENCE)])
def test_only_a_process_that_works_too_long_or_waits_for_ever_hangs(code: str, least: float, tmp_path: Path) -> None:
    fuzzer = Fuzzer(0, tmp_path)
    fuzzer.connection, theirs = Pipe()
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as process:
        fuzzer.process = process  # type: ignore[assignment]
        start = time.monotonic()
        assert not fuzzer._answers(0.3)
        assert time.monotonic() - start >= least
        theirs.send(None)
        assert fuzzer._answers(0.3)
        process.kill()
