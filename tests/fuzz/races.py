"""Races of two processes; `racer.py` runs one of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from paddlevideo.utils.files import output_folder
from tests.fuzz.mutations import Rng, pick

TASKS = ("claim", "claim", "index", "index", "unclaimed index", "download", "download", "checkpoint")
RACER = Path(__file__).with_name("racer.py")


def race_plan(rng: Rng) -> bytes:
    """Who does what when, and when the first one is killed, if at all."""
    delays = [round(float(rng.uniform(0, 0.03)), 4) for _ in range(2)]
    kill = round(float(rng.uniform(0, 0.12)), 4) if rng.random() < 0.5 else None
    return json.dumps({"task": pick(TASKS, rng), "delays": delays, "kill_after": kill}).encode()


def run_race(path: Path) -> None:
    """Run the race of a file in processes of their own, whose parent is small."""
    if not path.is_file():
        return
    command = [sys.executable, "-I", str(RACER), str(output_folder(path.parent / "out")), path.read_text()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
