"""The live page's command, with a trained network."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import load_script
from tests.tasks.streams import read_lines, write_video


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def connect(port: int) -> HTTPConnection:
    """A connection to the server, once it is there."""
    for _ in range(300):
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=60)
            connection.connect()
            return connection
        except ConnectionRefusedError:
            time.sleep(0.1)
    raise TimeoutError(f"nothing answers at port {port}")


def lines_about(video: Path, port: int, meanwhile: Callable[[], object] = lambda: None) -> list[dict[str, Any]]:
    """What the server says of a video; something is done when the first line has come."""
    with closing(connect(port)) as connection:
        connection.request("POST", "/video", video.read_bytes())
        answer = connection.getresponse()
        first = answer.readline()
        meanwhile()
        return [json.loads(line) for line in (first, *answer)]


def test_it_answers_as_prediction_does_and_ends_when_it_is_told_to(trained: Path, tmp_path: Path) -> None:
    short, endless = write_video(tmp_path / "short.mp4", 8), write_video(tmp_path / "endless.mp4", 3000)
    network = ["-w", str(trained / "best.pdparams"), "--threshold", "0.001"]
    assert load_script("tools/predict.py").main([*network, "-i", str(short), "-o", str(tmp_path / "out")]) == 0
    expected = read_lines(tmp_path / "out" / "short.jsonl")
    assert all(line["detections"] for line in expected)
    port, got = free_port(), []

    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGINT)

    def visit() -> None:
        try:
            got.append(lines_about(short, port))
            got.append(lines_about(endless, port, meanwhile=interrupt))
        finally:
            if len(got) < 2:
                interrupt()

    visitor = threading.Thread(target=visit)
    visitor.start()
    assert load_script("tools/serve.py").main([*network, "--port", str(port)]) == 0
    visitor.join()
    assert got[0] == expected
    assert len(got[1]) < 3000 and "the server was stopped" in got[1][-1]["error"]


def test_a_port_that_is_taken_is_named(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        arguments = ["-w", str(trained / "best.pdparams"), "--port", str(port)]
        assert load_script("tools/serve.py").main(arguments) == 1
    assert f"127.0.0.1:{port}: " in capsys.readouterr().err


def test_an_address_that_others_reach_is_warned_of(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:
        arguments = ["-w", str(trained / "best.pdparams"), "--host", "0.0.0.0", "--port", str(server.getsockname()[1])]
        assert load_script("tools/serve.py").main(arguments) == 1
    assert "0.0.0.0 is open to others" in capsys.readouterr().out


@pytest.mark.parametrize(
    "wrong", [["--port", "99999"], ["--port", "-1"], ["--max-upload", "inf"], ["--max-upload", "nan"]]
)
def test_numbers_that_cannot_be_are_named(capsys: pytest.CaptureFixture[str], wrong: list[str]) -> None:
    assert load_script("tools/serve.py").main(wrong) == 1
    assert "error: --max-upload should be in 0..1000000 MB and --port in 0..65535, got" in capsys.readouterr().err
