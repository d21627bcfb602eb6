"""The report in a real browser, at the width of a desk and of a telephone."""

from __future__ import annotations

import re
import subprocess
from html import escape
from pathlib import Path

import numpy as np
import pytest

from paddlevideo.config import Config
from paddlevideo.tasks.parts import build_dataset, build_model
from paddlevideo.tasks.report import write_report
from tests.browser.chromium import browser_command

FRAME = """<!DOCTYPE html><iframe style="border: 0; width: {width}px; height: 900px" srcdoc="{page}"></iframe>
<script>onload = () => {{
  const page = document.querySelector("iframe").contentWindow;
  document.body.dataset.widths = [page.innerWidth, page.document.documentElement.scrollWidth];
}}</script>"""  # a window of its own would be at least 500 pixels wide


def browse(page: Path, width: int, profile: Path) -> tuple[str, str]:
    """The document as the browser has it in the end, and what it said."""
    command = [*browser_command(profile), "--enable-logging=stderr", f"--window-size={width},900"]
    command += ["--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, done.stderr


@pytest.fixture(scope="module")
def report(tiny_config: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with everything in it: long names, wide tables, pictures."""
    dataset = build_dataset(tiny_config, "test", build_model(tiny_config).input)
    dataset.classes = [f"{name}_{'very' * 8}_long <b>" for name in dataset.classes]
    samples = []
    for number in range(len(dataset)):
        entry = dataset.annotation(number)
        boxes = entry["targets"]["boxes"]
        answer = {"boxes": boxes, "labels": np.zeros(len(boxes), int), "scores": np.full(len(boxes), 0.5)}
        samples.append((entry["meta"], answer))
    numbers = {f"{'headline_' * 6}{k}": k / 10 for k in range(9)} | {f"AP/{n}": 0.5 for n in dataset.classes}
    return write_report(tmp_path_factory.mktemp("report"), tiny_config, dataset, samples, numbers)


def test_the_browser_has_nothing_to_complain_of(report: Path, tmp_path: Path) -> None:
    document, said = browse(report, 1280, tmp_path)
    assert document.count("<figure>") > 4
    assert "CONSOLE" not in said


def test_complaints_would_be_heard(report: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(report.read_text().replace("<h1>", '<img src="https://nowhere.invalid/a.png" alt=""><h1>'))
    _, said = browse(page, 1280, tmp_path / "profile")
    assert "CONSOLE" in said and "Content Security Policy" in said


def width_of(page: str, width: int, folder: Path) -> int:
    """How wide the content of a page is that is shown `width` pixels wide."""
    path = folder / "frame.html"
    path.write_text(FRAME.format(width=width, page=escape(page)))
    document, _ = browse(path, 1400, folder / "profile")
    ((window, content),) = re.findall(r'data-widths="(\d+),(\d+)"', document)
    assert int(window) == width
    return int(content)


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_is_no_wider_than_its_window(report: Path, tmp_path: Path, width: int) -> None:
    assert width_of(report.read_text(), width, tmp_path) <= width


def test_a_page_that_is_too_wide_would_be_found(report: Path, tmp_path: Path) -> None:
    unboxed = report.read_text().replace("overflow: auto", "overflow: visible")
    assert width_of(unboxed, 390, tmp_path) > 390
