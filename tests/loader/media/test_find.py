"""Which videos and files of features are found, and which are passed over."""

from __future__ import annotations

from pathlib import Path

import pytest

from paddlevideo.loader.media.find import find_features, find_sources

HIDDEN = ("._a.mp4", ".DS_Store", "Thumbs.db", "desktop.ini", "._a.npy", "__MACOSX/._a.mp4", ".ipynb_checkpoints/b.mp4")


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")


def test_hidden_files_are_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path, "a.mp4", "b.MOV", "a.npy", *HIDDEN)
    expected = [tmp_path / "a.mp4", tmp_path / "b.MOV"]
    assert find_sources(str(tmp_path)) == expected
    assert find_sources(str(tmp_path / "**" / "*.mp4")) == expected[:1]
    assert find_sources(str(tmp_path / "*.mp4")) == expected[:1]
    assert find_features(str(tmp_path)) == [tmp_path / "a.npy"]
    assert find_features(str(tmp_path / "**")) != []


def test_a_hidden_file_that_is_named_is_meant(tmp_path: Path) -> None:
    write(tmp_path, *HIDDEN)
    for name in ("._a.mp4", "__MACOSX/._a.mp4"):
        assert find_sources(str(tmp_path / name)) == [tmp_path / name]
    assert find_sources(str(tmp_path / ".ipynb_checkpoints" / "*.mp4")) == [tmp_path / ".ipynb_checkpoints" / "b.mp4"]


@pytest.mark.parametrize("name", ["1.jpg", "1.JPEG", "1.png"])
def test_a_folder_of_pictures_is_one_video(tmp_path: Path, name: str) -> None:
    write(tmp_path, name, "._1.avi")
    assert find_sources(str(tmp_path)) == [tmp_path]


def test_nothing_but_hidden_files(tmp_path: Path) -> None:
    write(tmp_path, *HIDDEN)
    with pytest.raises(FileNotFoundError, match="neither a video nor a picture"):
        find_sources(str(tmp_path))
    with pytest.raises(ValueError, match="without NUL"):
        find_sources("a\0b")
