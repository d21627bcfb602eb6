"""A few damaged files of every kind; `python -m tests.fuzz` reads many."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.fuzz.targets import TARGETS
from tests.fuzz.worker import GOOD, Fuzzer

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
