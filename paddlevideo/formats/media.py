"""Which video file or folder of frames an annotation means."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from paddlevideo.formats.base import AnnotatedVideo
from paddlevideo.loader.media.find import VIDEO_SUFFIXES


def find_media(root: Path, name: str) -> Path | None:
    """The video file `name.mp4` (or .MP4, .avi, ...) or the folder of frames `name`, None if there is none.

    Args:
        root: where to look. A name with folders, `Class/video`, may also lie directly in it, as `video`.
        name: of the video, without suffix.

    Raises:
        ValueError: there are several.
    """
    bases = dict.fromkeys((root / name, root / PurePosixPath(name).name))
    files = [_find_file(base, suffix) for base in bases for suffix in sorted(VIDEO_SUFFIXES)]
    found = [*(base for base in bases if base.is_dir()), *(file for file in files if file)]
    if len(found) > 1:
        raise ValueError(f"{name}: expected one file, found {' and '.join(map(str, found))}; remove one")
    return found[0] if found else None


def _find_file(base: Path, suffix: str) -> Path | None:
    """The file with this suffix, in small letters or as cameras write it; some systems take both for one file."""
    spellings = (Path(f"{base}{spelling}") for spelling in (suffix, suffix.upper()))
    return next((file for file in spellings if file.is_file()), None)


def find_source(video: AnnotatedVideo, root: Path) -> Path:
    """The media of an annotated video below `root`: what the annotation calls them, else what has its id.

    Raises:
        FileNotFoundError: there are none.
        ValueError: there are several.
    """
    if video.source is not None and (root / video.source).exists():
        return root / video.source
    found = find_media(root, video.id)
    if found is None:
        raise FileNotFoundError(
            f"{video.place}: no video file or folder of frames for {video.id} in {root}; get it, or list the videos "
            "that you have with --split NAME=LIST"
        )
    return found


def media_folder(path: Path) -> Path:
    """A folder of media, without links in its path.

    Raises:
        FileNotFoundError: it is not there.
    """
    if not path.is_dir():
        raise FileNotFoundError(f"{path}: no such folder of videos or of frame folders; check --media")
    return path.resolve()
