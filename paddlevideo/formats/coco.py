"""COCO for videos, in the form that CocoVID and the trackers built on it read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np

from paddlevideo.formats.attributes import (
    check_attribute,
    label_rows,
    note_of_left,
    note_of_varying,
    text_attributes,
)
from paddlevideo.formats.base import AnnotatedVideo, Annotation, Row, Size, WritableFormat, class_list
from paddlevideo.formats.pictures import frame_number, trailing_number
from paddlevideo.formats.structured import Json, read_json
from paddlevideo.loader.index import MAX_COUNT, ActionIndex, VideoEntry, frame_ranges
from paddlevideo.registry import FORMATS
from paddlevideo.utils.files import to_json, write_text

TRACK_KEYS = ("track_id", "instance_id")  # of TAO and of CocoVID


@FORMATS.register
class CocoFormat(WritableFormat):
    """One file with `videos`, `images`, `annotations` and `categories`.

    An image tells its video in `video_id` and its frame, from 0, in `frame_id` (or `frame_index`). In a file without
    `videos` the name of the picture does, from 1: `VIDEO/00012.jpg`, or `00012.jpg` if all are of one `video`. Numbers
    and names that contradict each other are refused. An annotation's `track_id` (or `instance_id`) is its actor, which
    CVAT writes among its `attributes`; `bbox` is x, y, width, height. A video has as many frames as its last image
    says, or its `length`; frames without an image are not annotated. Where the media are stands in the `file_name` of a
    video if it has one, else in its `name`.

    What is written has an image for every annotated frame, with the name that extracted pictures have here, and the id
    of a video as its `name`. Categories count from 1 in the order of the labels; they are read in the order of ids.

    Args:
        first: number of a video's first frame, in `frame_id` or in the names of pictures, whichever counts.
        number_from: `frame_id` or `file_name`: what counts in a file with both.
        video: the id of the only video, for files whose pictures are in no folder.
        class_attribute: the one of the `attributes` whose text is the action, instead of the category. Boxes without it
            are left out, and frames with no other box are not annotated.
    """

    suffix = ".json"

    def __init__(
        self,
        first: int | None = None,
        number_from: Literal["frame_id", "file_name"] | None = None,
        video: str | None = None,
        class_attribute: str | None = None,
    ) -> None:
        self.first, self.number_from, self.video = first, number_from, video
        self.class_attribute = class_attribute

    def read(self, source: Path) -> Annotation:
        """Read one file."""
        content = read_json(source)
        categories = sorted(_by_id(content["categories"]).items())
        names = {number: node["name"].text() for number, node in categories}
        classes = class_list((node["name"].text(), node.place) for _, node in categories)
        videos = _drafts(content, self.video)
        images = {number: self._place(image, videos) for number, image in _by_id(content["images"]).items()}
        for node in _by_id(content["annotations"]).values():
            image, category = node["image_id"], node["category_id"]
            if image.integer() not in images:
                raise image.error("the id of an image")
            if category.integer() not in names:
                raise category.error("the id of a category")
            video, frame = images[image.value]
            _check_upright(node)
            video.rows.append(_row(node, frame, names[category.value]))
        if self.first is None and self.number_from is None:
            _check_counting(list(videos.values()))
        return self._annotation(list(videos.values()), source, classes)

    def _annotation(self, drafts: Sequence[_Draft], source: Path, classes: tuple[str, ...]) -> Annotation:
        rows = [row for draft in drafts for row in draft.rows]
        check_attribute(self.class_attribute, rows, source)
        if self.class_attribute is None:
            notes = note_of_varying(((row.label, row.attributes) for row in rows), source)
        else:
            left = sum(draft.take_labels(self.class_attribute) for draft in drafts)
            classes, notes = (), note_of_left(self.class_attribute, left, source)
        return Annotation([d.finish() for d in drafts], source.resolve().parent, classes, notes=tuple(notes))

    def _place(self, image: Json, videos: dict[Any, _Draft]) -> tuple[_Draft, int]:
        """The video and the frame, from 1, of an image, which is noted in the video."""
        key = image.get("video_id")
        video = videos.get(_folder(image["file_name"], self.video) if key is None else key.integer())
        if video is None:
            raise image.error("an image whose video_id is in `videos`")
        if key is None or self.number_from == "file_name":
            video.first = 1 if self.first is None else self.first
            name = PurePosixPath(image["file_name"].text())
            frame = frame_number(name.stem, video.first, image.place)
        else:
            number = _frame_id(image, self.first or 0)
            video.note_name(image, number)
            frame = number - (self.first or 0) + 1
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
            frames = video.annotated_frames().tolist()
            if video.num_frames not in frames[-1:]:
                node["length"] = video.num_frames
            content["images"] += _image_nodes(before, node, frames)
            content["annotations"] += _annotation_nodes(len(content["annotations"]), before, video)
        write_text(path, to_json(content, str(path)))
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
    length: int = 0
    first: int | None = None  # as in `AnnotatedVideo`
    names: dict[int, tuple[int, Json]] = field(default_factory=dict)  # by number in name less frame_id: the first such

    def note_name(self, image: Json, number: int) -> None:
        """Remember the relation of a `frame_id` to the number in the name of its picture."""
        name = image.get("file_name")
        in_name = None if name is None else trailing_number(PurePosixPath(name.text()).stem)
        if in_name is not None:
            self.names.setdefault(in_name - number, (number, image))

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

    def take_labels(self, attribute: str) -> int:
        """Label boxes by an attribute; returns how many boxes had none and are gone."""
        self.length = max(self.length, *self.frames, 0)
        self.rows, frames, left = label_rows(attribute, self.rows, self.frames)
        self.frames = {frame: self.frames[frame] for frame in frames}
        return left

    def finish(self) -> AnnotatedVideo:
        facts = {
            "num_frames": max(self.length, *self.frames, 0) or None,
            "size": self.size,
            "source": self.source,
            "annotated": frame_ranges(np.array(sorted(self.frames), np.int64)),
            "first": self.first,
        }
        return AnnotatedVideo.from_rows(self.id, self.place, self.rows, **facts)


def _drafts(content: Json, video: str | None) -> dict[Any, _Draft]:
    """Videos by id; by folder, in a file that only has the names of pictures."""
    if (videos := content.get("videos")) is None:
        images = ((_folder(image["file_name"], video), image) for image in content["images"].items())
        return {folder: _Draft(folder, Path(folder), image.place) for folder, image in images}
    return {number: _draft(node) for number, node in _by_id(videos).items()}


def _draft(node: Json) -> _Draft:
    name, length = node["name"], node.get("length")
    source = Path((node.get("file_name") or name).text())
    frames = 0 if length is None or type(length.value) is not int else length.value
    return _Draft(name.text(), source, node.place, _size(node), length=frames)


def _folder(name: Json, video: str | None) -> str:
    """The folder in the name of a picture, which is its video."""
    folder = str(PurePosixPath(name.text()).parent)
    if video is not None:
        return video
    if folder == ".":
        raise name.error(
            "a picture in the folder of its video, VIDEO/00012.jpg, or a file with `videos`, or (if all are of one "
            "video) --from-option video=NAME"
        )
    return folder


def _frame_id(image: Json, first: int) -> int:
    other = image.get("frame_index") if image.get("frame_id") is None else None
    return (other or image["frame_id"]).integer(first)


def _check_counting(videos: Sequence[_Draft]) -> None:
    """Check that `frame_id` counts from 0, as far as the numbers in names of pictures tell.

    Raises:
        ValueError: it seems to count from 1, or something else than the names.
    """
    for video in videos:
        if len(video.names) > 1 and max(video.frames) <= MAX_COUNT:  # longer videos are refused by others
            (_, (one, a)), (_, (other, b)), *_ = video.names.items()
            raise ValueError(
                f"{b.place}: frame_id {other} is the picture {b['file_name'].text()}, but {one} is "
                f"{a['file_name'].text()}, so numbers and names count differently; say which is right with "
                "--from-option number_from=frame_id or number_from=file_name"
            )
    numbered = [video for video in videos if video.first is None and video.frames]
    offsets = {offset: found for video in numbered for offset, found in video.names.items()}
    lowest = min((min(video.frames) - 1 for video in numbered), default=0)
    if lowest == 0 or set(offsets) == {1}:  # names of pictures count from 1
        return
    if 0 in offsets or lowest == 1:
        what = f", and it is the number in {offsets[0][1]['file_name'].text()}" if 0 in offsets else ""
        raise ValueError(
            f"{numbered[0].place}: expected a frame_id that counts from 0, but the lowest is {lowest}{what}; pass "
            "--from-option first=1 if it counts from 1, or first=0 if it does count from 0"
        )


def _check_upright(node: Json) -> None:
    rotation = _attribute(node, "rotation")
    if rotation is not None and rotation.value not in (0, None):
        raise rotation.error("an upright box, rotation 0")


def _attribute(node: Json, key: str) -> Json | None:
    """One of the `attributes` that CVAT adds to an annotation."""
    attributes = node.get("attributes")
    return attributes.get(key) if attributes is not None and isinstance(attributes.value, dict) else None


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
    track = next((found for key in TRACK_KEYS if (found := node.get(key) or _attribute(node, key)) is not None), None)
    return Row(
        frame,
        (x, y, x + w, y + h),
        label,
        node.place,
        None if track is None else track.integer(),
        text_attributes(node),
    )


def _video_node(number: int, video: VideoEntry, root: Path) -> dict[str, Any]:
    height, width = video.size
    source = Path(os.path.relpath(video.source, root)).as_posix()
    return {"id": number, "name": video.id, "file_name": source, "width": width, "height": height}


def _image_nodes(before: int, video: Mapping[str, Any], frames: Sequence[int]) -> Iterator[dict[str, Any]]:
    folder = PurePosixPath(video["file_name"]).with_suffix("")
    for number, frame in enumerate(frames, start=before + 1):
        node = {
            "id": number,
            "video_id": video["id"],
            "frame_id": frame - 1,
            "file_name": f"{folder}/{frame:05d}.jpg",
        }
        yield {**node, "width": video["width"], "height": video["height"]}


def _annotation_nodes(before: int, images_before: int, video: VideoEntry) -> Iterator[dict[str, Any]]:
    tracks = [None] * len(video.boxes) if video.actors is None else video.actors.tolist()
    images = images_before + 1 + np.searchsorted(video.annotated_frames(), video.boxes[:, 0])
    rows = zip(video.boxes.tolist(), images.tolist(), tracks, strict=True)
    for number, (row, image, track) in enumerate(rows, start=before + 1):
        _, label, x1, y1, x2, y2 = row
        node = {
            "id": number,
            "image_id": image,
            "category_id": int(label) + 1,
            "bbox": [x1, y1, x2 - x1, y2 - y1],
            "area": (x2 - x1) * (y2 - y1),
            "iscrowd": 0,
        }
        yield node if track is None else {**node, "track_id": track}
