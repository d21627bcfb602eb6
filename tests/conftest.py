"""Shared fixtures: the folders of reference arrays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
SHIPPED = REPOSITORY / "tests" / "golden"


def golden_roots() -> list[Path]:
    """Folders searched for reference arrays, first match wins: `GOLDEN_DIR`, else the neighbour folder, then ours."""
    chosen = os.environ.get("GOLDEN_DIR")
    if chosen:
        return [Path(chosen)]
    return [REPOSITORY.parent / "shared" / "golden", SHIPPED]


def golden_path(name: str) -> Path:
    """Path of the reference file `name`, such as `yowo/cfam.npz`; skips the test where it is not shipped."""
    for root in golden_roots():
        if (root / name).exists():
            return root / name
    pytest.skip(f"reference file {name} is not in {' or '.join(map(str, golden_roots()))}")
