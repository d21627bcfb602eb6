from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from paddlevideo.utils.command import run_command
from paddlevideo.utils.signals import StopSignals


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_the_first_signal_is_noted_and_becomes_an_exit_code(
    number: int, code: int, capfd: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(number)

    def job() -> None:
        with StopSignals() as signals:
            signals.check()
            os.kill(os.getpid(), number)
            signals.check()

    assert run_command(job) == code
    assert signal.getsignal(number) is before
    said = capfd.readouterr().err
    assert "a second signal stops at once" in said
    assert f"stopped by {signal.Signals(number).name}" in said


TWICE = """
import os, signal
from paddlevideo.utils.signals import StopSignals
with StopSignals():
    os.kill(os.getpid(), signal.SIGINT)
    print("still here", flush=True)
    os.kill(os.getpid(), signal.SIGTERM)
    print("not any more", flush=True)
"""


def test_the_second_signal_ends_at_once() -> None:
    done = subprocess.run([sys.executable, "-c", TWICE], capture_output=True, text=True)
    assert done.stdout == "still here\n"
    assert done.returncode == -signal.SIGTERM  # which a shell calls 143


LAUNCHED = """
import os, signal
from paddlevideo.utils import processes
from paddlevideo.utils.signals import StopSignals
processes.count = lambda: 2
with StopSignals():
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)
os.kill(os.getpid(), signal.SIGTERM)
print("still here", flush=True)
"""


def test_a_launcher_may_ask_several_times_until_the_process_has_ended() -> None:
    done = subprocess.run([sys.executable, "-c", LAUNCHED], capture_output=True, text=True)
    assert done.stdout == "still here\n"
    assert done.returncode == 0


def test_another_thread_is_left_alone() -> None:
    raised: list[BaseException] = []

    def enter() -> None:
        try:
            with StopSignals() as signals:
                signals.check()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert not raised
