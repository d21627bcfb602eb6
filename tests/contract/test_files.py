"""Rules for files of a user: their names and texts are dealt with in one place each."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

PRODUCT = sorted(
    path
    for pattern in ("main.py", "tools/*.py", "data/*/*.py", "paddlevideo/**/*.py")
    for path in REPOSITORY.glob(pattern)
)
OPENCV = {
    "VideoCapture",
    "VideoWriter",
    "imread",
    "imreadmulti",
    "imwrite",
    "imwritemulti",
    "FileStorage",
    "haveImageReader",
}
OPENS_WITH_OPENCV = {
    "paddlevideo/utils/opencv_files.py",
    "paddlevideo/loader/media/live.py",  # cameras and addresses
}
READS_TEXT = {
    "paddlevideo/utils/text_files.py",
    "paddlevideo/tasks/benchmark.py",  # what Linux says of the machine
    "paddlevideo/utils/locks.py",  # what Linux says of a process
    "data/sample/make_videos.py",  # what it wrote itself
}
LISTING = {"iterdir", "glob", "rglob", "iglob", "listdir", "scandir"}
LISTS_ITS_OWN = {
    "paddlevideo/utils/files.py",
    "paddlevideo/tasks/checkpoint_store.py",
    "paddlevideo/utils/locks.py",
    "paddlevideo/loader/media/live.py",  # cameras of the system
}
SEES_HIDDEN = {"is_hidden", "visible"}


def name_of(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def calls(path: Path) -> Iterator[tuple[str, ast.Call, bool]]:
    """The name of each function or method that is called, the call, and whether it is one of a module or object."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, (ast.Name, ast.Attribute)):
            is_method = isinstance(node.func, ast.Attribute)
            yield node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id, node, is_method


@pytest.mark.parametrize("path", PRODUCT, ids=name_of)
def test_opencv_gets_no_names_of_files(path: Path) -> None:
    found = {name for name, _, is_method in calls(path) if is_method and name in OPENCV}
    assert not found or name_of(path) in OPENS_WITH_OPENCV


def reads_text(name: str, call: ast.Call, is_method: bool) -> bool:
    if name == "read_text":
        return is_method
    mode: ast.expr | None = next((word.value for word in call.keywords if word.arg == "mode"), None)
    if name == "open" and mode is None:
        mode = next(iter(call.args[0 if is_method else 1 :]), None)
    is_open = name == "open" and (mode is None or isinstance(mode, ast.Constant))
    return is_open and (mode is None or (isinstance(mode.value, str) and "r" in mode.value and "b" not in mode.value))


@pytest.mark.parametrize("path", PRODUCT, ids=name_of)
def test_texts_are_read_with_a_byte_order_mark_or_without(path: Path) -> None:
    found = [ast.unparse(call) for name, call, is_method in calls(path) if reads_text(name, call, is_method)]
    assert not found or name_of(path) in READS_TEXT


@pytest.mark.parametrize("path", PRODUCT, ids=name_of)
def test_listings_pass_over_hidden_files(path: Path) -> None:
    found = list(calls(path))
    lists = {name for name, _, is_method in found if is_method and name in LISTING}
    guarded = any(name in SEES_HIDDEN for name, _, _ in found)
    assert not lists or guarded or name_of(path) in LISTS_ITS_OWN
