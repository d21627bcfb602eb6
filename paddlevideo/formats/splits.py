"""Which videos make a split."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from pathlib import Path

from paddlevideo.formats.base import AnnotatedVideo, Annotation
from paddlevideo.formats.text import read_names, some
from paddlevideo.loader.media.find import VIDEO_SUFFIXES

VIDEO_FILE = re.compile(rf"(.*[^/])(?:{'|'.join(map(re.escape, sorted(VIDEO_SUFFIXES)))})(?: +[0-9]+)?", re.IGNORECASE)
WHOLE = "all"  # the split of everything


def choose(annotation: Annotation, lists: Mapping[str, Path | None]) -> dict[str, list[AnnotatedVideo]]:
    """The videos of every split.

    Args:
        annotation: what there is.
        lists: a file with one video id a line for each split; None for the split that gets what no list has. Without
            any, the splits are those of the format if it has some, else everything is one split.

    Raises:
        FileNotFoundError: no such list.
        ValueError: a list names an unknown video or one of another list, or two splits want what is left.
    """
    videos = {video.id: video for video in annotation.videos}
    open_splits = [name for name, path in lists.items() if path is None]
    if len(open_splits) > 1:
        raise ValueError(f"--split {' and '.join(open_splits)}: only one can be what is left; give the others a list")
    listed = {name: read_video_names(path, videos) for name, path in lists.items() if path is not None}
    if not lists:
        named = annotation.splits or {WHOLE: list(videos)}
        listed = {name: dict.fromkeys(ids, f"the split {name}") for name, ids in named.items()}
    taken = _places(listed, videos)
    left = [id for id in videos if id not in taken]
    if left and not open_splits:
        print(f"note: {len(left)} of {len(videos)} videos are in no list and are left out: {some(left)}")
    return {name: [videos[id] for id in listed.get(name, left)] for name in lists or listed}


def read_video_names(path: Path, known: Container[str] = ()) -> dict[str, str]:
    """Read a list of videos, one a line; returns each with its place, `path:line`.

    A name may have the suffix of a video file, and the number of its class behind it, as the lists of UCF101 have:
    `Class/video.avi 1`. The number is not looked at. Names that are `known` stay as they are.

    Raises:
        ValueError: a name twice, or no name.
    """
    places: dict[str, str] = {}
    for line, place in read_names(path).items():
        file = VIDEO_FILE.fullmatch(line)
        name = file[1] if file and line not in known else line
        if name in places:
            raise ValueError(f"{place}: {name} is listed already at {places[name]}; remove one")
        places[name] = place
    return places


def _places(lists: Mapping[str, Mapping[str, str]], known: Mapping[str, AnnotatedVideo]) -> dict[str, str]:
    """Where each listed video is listed."""
    places: dict[str, str] = {}
    for listed in lists.values():
        for id, place in listed.items():
            if id not in known:
                raise ValueError(f"{place}: {id} has no annotation; there are {some(list(known))}; mend the list")
            if id in places:
                raise ValueError(f"{place}: {id} is in {places[id]} too; splits should share no video, remove one")
            places[id] = place
    return places
