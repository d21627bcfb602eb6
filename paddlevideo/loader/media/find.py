"""Which videos, or files of features, a user means."""

from __future__ import annotations

import glob
from pathlib import Path

from paddlevideo.loader.media.containers import VIDEO_SUFFIXES
from paddlevideo.loader.media.frame_folder import PICTURE_SUFFIXES
from paddlevideo.utils.logging import logger
from paddlevideo.utils.names import check_path, is_hidden, visible

SHOWN = 8  # names


def find_sources(text: str) -> list[Path]:
    """The videos of a path or pattern, in order; what else a folder of videos has is told, but for hidden files.

    Args:
        text: a video file, a folder of numbered pictures (one video), a folder of videos, or a pattern such as
            `clips/*.mp4`.

    Raises:
        FileNotFoundError: nothing is there, or nothing was named.
        ValueError: no file can be called so.
    """
    path = _named(text)
    if path.is_dir():
        inside = visible(path.iterdir(), path)
        videos = [item for item in inside if item.suffix.lower() in VIDEO_SUFFIXES and not item.is_dir()]
        if videos:
            if others := [item.name for item in inside if item not in videos]:
                shown = ", ".join(others[:SHOWN]) + (", ..." if len(others) > SHOWN else "")
                logger.info("%s: %d videos; left out, as they are none: %s", path, len(videos), shown)
            return videos
        if any(item.suffix.lower() in PICTURE_SUFFIXES for item in inside):
            return [path]
        raise FileNotFoundError(f"{path}: neither a video nor a picture is in this folder")
    return _matches(text)


def find_features(text: str) -> list[Path]:
    """The files of features of a path or pattern, in order.

    Args:
        text: a file, a folder of them, or a pattern such as `features/*.npy`.

    Raises:
        FileNotFoundError: nothing is there, or nothing was named.
    """
    folder = _named(text)
    if not folder.is_dir():
        return _matches(text)
    files = visible(folder.glob("*.npy"), folder)
    if not files:
        raise FileNotFoundError(
            f"{folder}: no file of features, NAME.npy, is in this folder; make them with tools/extract_features.py"
        )
    return files


def _named(text: str) -> Path:
    if not text:  # which would be the current folder
        raise FileNotFoundError("expected a file, a folder or a pattern, got an empty text; the folder you are in is .")
    check_path(text)
    return Path(text)


def _matches(text: str) -> list[Path]:
    """The file of this name, or all that match it as a pattern."""
    if Path(text).exists():
        return [Path(text)]
    found = (Path(match) for match in glob.glob(text, recursive=True))  # noqa: PTH207 - Path.glob refuses absolute patterns
    asked = set(Path(text).parts)  # hidden folders that the user names are meant
    matches = sorted(path for path in found if not any(map(is_hidden, set(path.parts) - asked)))
    if not matches:
        raise FileNotFoundError(f"{text}: no such file or folder, and nothing matches it as a pattern")
    return matches
