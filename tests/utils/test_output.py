"""Commands whose standard output is closed, full or no longer read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from paddlevideo.config import Config, save_config
from tests.conftest import REPOSITORY

TALKS = """
import logging, pathlib, sys
from paddlevideo.utils.command import run_command
from paddlevideo.utils.logging import Progress, check_output, logger, start_logging
def job():
    start_logging()
    for number in range(3000):
        print("a line of text", number)
        logger.info("line %d", number)
    Progress("job", 1, 1).step(1)
    pathlib.Path(sys.argv[1]).write_text("complete")
    if sys.argv[2:]:
        check_output()
sys.exit(run_command(job))
"""
WAYS = {
    "closed": (">&-", ""),
    "without reader": ("| head -n 1 > /dev/null", "Broken pipe"),
    "full": ("> /dev/full", "No space left on device"),
}


def shell(command: str, *arguments: str) -> tuple[int, str]:
    """The exit code of the first program of a pipe, and what it wrote to standard error."""
    line = ["bash", "-c", f'"$@" {command}; exit ${{PIPESTATUS[0]}}', "bash", sys.executable, *arguments]
    done = subprocess.run(line, stderr=subprocess.PIPE, text=True, cwd=REPOSITORY, timeout=120)
    return done.returncode, done.stderr


@pytest.mark.parametrize("way", WAYS)
def test_work_goes_on_with_one_note(way: str, tmp_path: Path) -> None:
    redirection, reason = WAYS[way]
    code, said = shell(redirection, "-c", TALKS, str(tmp_path / "file"))
    assert (tmp_path / "file").read_text() == "complete"
    assert code == 0
    assert said == (f"note: standard output cannot be written ({reason}); going on without it\n" if reason else "")


@pytest.mark.parametrize("way", WAYS)
def test_a_command_whose_result_is_its_output_fails(way: str, tmp_path: Path) -> None:
    code, said = shell(WAYS[way][0], "-c", TALKS, str(tmp_path / "file"), "result")
    assert code == 1
    assert said.splitlines()[-1].startswith("error: standard output: ")


@pytest.mark.parametrize("closed", ["2>&-", "<&-", ">&- 2>&- <&-", "2>&1 | head -n 1 > /dev/null", "> /dev/full 2>&1"])
def test_other_streams_may_be_missing_too(closed: str, tmp_path: Path) -> None:
    code, _ = shell(
        closed if ">&" in closed or "|" in closed else closed + " > /dev/null", "-c", TALKS, str(tmp_path / "file")
    )
    assert code == 0
    assert (tmp_path / "file").read_text() == "complete"


def test_help_that_cannot_be_written_is_an_error() -> None:
    code, said = shell("> /dev/full", "main.py", "--help")
    assert code == 1
    assert "error: standard output: No space left on device" in said
    assert "Traceback" not in said


def test_a_training_without_reader_ends_complete(tiny_config: Config, tmp_path: Path) -> None:
    config = tmp_path / "tiny.yaml"
    save_config(tiny_config, config)
    redirection = "| head -n 1 > /dev/null"
    output = f"output_dir={tmp_path / 'run'}"
    settings = ["-o", output, "-o", "epochs=2", "-o", "num_workers=1", "-o", "log_interval=1"]
    code, said = shell(redirection, "main.py", "-c", str(config), *settings, "--device", "cpu")
    assert code == 0
    assert "Traceback" not in said
    assert "Logging error" not in said
    assert said.count("note: standard output") == 1
    journal = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert json.loads(journal[-1])["epoch"] == 2
    assert (tmp_path / "run" / "last" / "weights.pdparams").exists()
