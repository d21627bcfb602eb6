"""COCO for videos, in the form that CocoVID and the trackers built on it read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from paddlevideo.formats.base import AnnotatedVideo, Annotation, Row, Size, WritableFormat, class_list
from paddlevideo.formats.pictures import frame_number
from paddlevideo.formats.structured import Json, read_json
from paddlevideo.loader.index import ActionIndex, VideoEntry
from paddlevideo.registry import FORMATS
from paddlevideo.utils.files import to_json, write_atomically

TRACK_KEYS = ("track_id", "instance_id")  # of TAO and of CocoVID


@FORMATS.register
class CocoFormat(WritableFormat):
    """One file with `videos`, `images`, `annotations` and `categories`.

    An image tells its video in `video_id` and its frame, from 0, in `frame_id`. In a file without `videos` the name of
    the picture does, `VIDEO/00012.jpg`. An annotation's `track_id` (or `instance_id`) is its actor; `bbox` is x, y,
    width, height. A video has as many frames as its last image says. Where the media are stands in the `file_name` of
    a video if it has one, else in its `name`.

    What is written has an image for every frame, with the name that extracted pictures have here, and the id of a
    video as its `name`. Categories count from 1 in the order of the labels, and are read in the order of their ids.

    Args:
        first: number of a video's first frame in the names of pictures, for files without `videos`.
    """

    suffix = ".json"

    def __init__(self, first: int = 1) -> None:
        self.first = first

    def read(self, source: Path) -> Annotation:
        """Read one file."""
        content = read_json(source)
        categories = sorted(_by_id(content["categories"]).items())
        names = {number: node["name"].text() for number, node in categories}
        classes = class_list((node["name"].text(), node.place) for _, node in categories)
        videos = _drafts(content)
        images = {number: self._place(image, videos) for number, image in _by_id(content["images"]).items()}
        for node in _by_id(content["annotations"]).values():
            image, category = node["image_id"], node["category_id"]
            if image.integer() not in images:
                raise image.error("the id of an image")
            if category.integer() not in names:
                raise category.error("the id of a category")
            video, frame = images[image.value]
            video.rows.append(_row(node, frame, names[category.value]))
        return Annotation([v.finish() for v in videos.values()], source.resolve().parent, classes)

    def _place(self, image: Json, videos: dict[Any, _Draft]) -> tuple[_Draft, int]:
        """The video and the frame, from 1, of an image, which is noted in the video."""
        if (key := image.get("video_id")) is None:
            picture = PurePosixPath(image["file_name"].text())
            video = videos.get(str(picture.parent))
            frame = frame_number(picture.stem, self.first, image.place)
        else:
            video = videos.get(key.integer())
            frame = image["frame_id"].integer() + 1
        if video is None:
            raise image.error("an image whose video_id is in `videos`")
        video.add_image(image, frame)
        return video, frame

    def write(self, index: ActionIndex, root: Path, path: Path) -> list[str]:
        """Write one file."""
        content: dict[str, Any] = {
            "videos": [_video_node(n, v, root) for n, v in enumerate(index.videos, start=1)],
            "images": [],
            "annotations": [],
            "categories": [{"id": label, "name": name} for label, name in enumerate(index.classes, start=1)],
        }
        for node, video in zip(content["videos"], index.videos, strict=True):
            before = len(content["images"])  # frame n of this video is image before + n
            content["images"] += _image_nodes(before, node, video.num_frames)
            content["annotations"] += _annotation_nodes(len(content["annotations"]), before, video)
        text = to_json(content, str(path))
        write_atomically(path, lambda file: file.write_text(text, encoding="utf-8"))
        return []


@dataclass
class _Draft:
    """A video while its images and boxes are being found."""

    id: str
    source: Path
    place: str
    size: Size | None = None
    frames: dict[int, str] = field(default_factory=dict)  # the place of each
    rows: list[Row] = field(default_factory=list)

    def add_image(self, image: Json, frame: int) -> None:
        if frame in self.frames:
            raise ValueError(
                f"{image.place}: frame {frame} (from 1) of {self.id} is {self.frames[frame]} already; remove one"
            )
        size = _size(image)
        if size and self.size and size != self.size:
            raise ValueError(
                f"{image.place}: expected {self.size} (height, width) as all of {self.id}, got {size}; mend it"
            )
        self.size = self.size or size
        self.frames[frame] = image.place

    def finish(self) -> AnnotatedVideo:
        facts = {"num_frames": max(self.frames, default=None), "size": self.size, "source": self.source}
        return AnnotatedVideo.from_rows(self.id, self.place, self.rows, **facts)


def _drafts(content: Json) -> dict[Any, _Draft]:
    """Videos by id; by folder, in a file that only has the names of pictures."""
    if (videos := content.get("videos")) is None:
        images = ((_folder(image["file_name"]), image) for image in content["images"].items())
        return {folder: _Draft(folder, Path(folder), image.place) for folder, image in images}
    return {
        number: _Draft(
            node["name"].text(), Path((node.get("file_name") or node["name"]).text()), node.place, _size(node)
        )
        for number, node in _by_id(videos).items()
    }


def _folder(name: Json) -> str:
    """The folder in the name of a picture, which is its video."""
    folder = str(PurePosixPath(name.text()).parent)
    if folder == ".":
        raise name.error("a picture in the folder of its video, VIDEO/00012.jpg, or a file with `videos`")
    return folder


def _by_id(nodes: Json) -> dict[int, Json]:
    found: dict[int, Json] = {}
    for node in nodes.items():
        number = node["id"].integer()
        if number in found:
            raise ValueError(f"{node.place}: id {number} is that of {found[number].place} already; give it another")
        found[number] = node
    return found


def _size(node: Json) -> Size | None:
    height, width = node.get("height"), node.get("width")
    return None if height is None or width is None else (height.integer(1), width.integer(1))


def _row(node: Json, frame: int, label: str) -> Row:
    x, y, w, h = node["bbox"].numbers(4)
    track = next((found for key in TRACK_KEYS if (found := node.get(key)) is not None), None)
    return Row(frame, (x, y, x + w, y + h), label, node.place, None if track is None else track.integer())


def _video_node(number: int, video: VideoEntry, root: Path) -> dict[str, Any]:
    height, width = video.size
    source = Path(os.path.relpath(video.source, root)).as_posix()
    return {"id": number, "name": video.id, "file_name": source, "width": width, "height": height}


def _image_nodes(before: int, video: Mapping[str, Any], num_frames: int) -> Iterator[dict[str, Any]]:
    folder = PurePosixPath(video["file_name"]).with_suffix("")
    for frame in range(1, num_frames + 1):
        node = {
            "id": before + frame,
            "video_id": video["id"],
            "frame_id": frame - 1,
            "file_name": f"{folder}/{frame:05d}.jpg",
        }
        yield {**node, "width": video["width"], "height": video["height"]}


def _annotation_nodes(before: int, images_before: int, video: VideoEntry) -> Iterator[dict[str, Any]]:
    tracks = [None] * len(video.boxes) if video.actors is None else video.actors.tolist()
    for number, (row, track) in enumerate(zip(video.boxes.tolist(), tracks, strict=True), start=before + 1):
        frame, label, x1, y1, x2, y2 = row
        node = {
            "id": number,
            "image_id": images_before + int(frame),
            "category_id": int(label) + 1,
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "area": (x2 - x1) * (y2 - y1),
            "iscrowd": 0,
        }
        yield node if track is None else {**node, "track_id": track}
