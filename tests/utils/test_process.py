from __future__ import annotations

import os

import pytest

from paddlevideo.utils.process import in_own_process


def test_what_ends_a_process_is_an_error_here() -> None:
    with pytest.raises(RuntimeError, match="the process died"):
        in_own_process(os.abort)
    with pytest.raises(RuntimeError, match="ValueError: invalid literal for int"):
        in_own_process(int, "x")
    assert in_own_process(os.getpid) != os.getpid()
