"""Which videos make a split."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from paddlevideo.formats.base import AnnotatedVideo, Annotation
from paddlevideo.formats.text import read_names, some

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
    listed = {name: read_names(path) for name, path in lists.items() if path is not None}
    if not lists:
        named = annotation.splits or {WHOLE: list(videos)}
        listed = {name: dict.fromkeys(ids, f"the split {name}") for name, ids in named.items()}
    taken = _places(listed, videos)
    left = [id for id in videos if id not in taken]
    if left and not open_splits:
        print(f"note: {len(left)} of {len(videos)} videos are in no list and are left out: {some(left)}")
    return {name: [videos[id] for id in listed.get(name, left)] for name in lists or listed}


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
