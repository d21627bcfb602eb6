from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from tests.formats.files import convert, converted, write_json

CONTENT: dict[str, Any] = {
    "info": {"description": "two videos"},
    "licenses": [],
    "categories": [{"id": 7, "name": "Walk", "supercategory": "person"}, {"id": 3, "name": "Jump"}],
    "videos": [{"id": 1, "name": "day/v1"}, {"id": 2, "name": "v2", "file_name": "v2.mp4", "width": 64, "height": 48}],
    "images": [
        {"id": 10, "video_id": 1, "frame_id": 4, "file_name": "day/v1/000005.jpg", "width": 400, "height": 300},
        {"id": 11, "video_id": 1, "frame_id": 8, "file_name": "day/v1/000009.jpg", "width": 400, "height": 300},
        {"id": 12, "video_id": 2, "frame_id": 0, "file_name": "v2/000001.jpg"},
    ],
    "annotations": [
        {
            "id": 1,
            "image_id": 10,
            "category_id": 7,
            "bbox": [10, 20, 40.5, 60],
            "area": 2430,
            "iscrowd": 0,
            "track_id": 4,
        },
        {"id": 2, "image_id": 10, "category_id": 3, "bbox": [1, 2, 3, 4], "area": 12, "iscrowd": 0, "track_id": 9},
        {"id": 3, "image_id": 12, "category_id": 3, "bbox": [0, 0, 64, 48], "instance_id": 0},
    ],
}


def changed(**change: Any) -> dict[str, Any]:
    """The content with nodes changed, such as `images_0={"id": 3}`; None removes a key."""
    content = copy.deepcopy(CONTENT)
    for place, values in change.items():
        section, number = place.split("_")
        node = content[section][int(number)]
        node.update(values)
        for key in [key for key, value in values.items() if value is None]:
            del node[key]
    return content


def test_videos_images_and_annotations(tmp_path: Path) -> None:
    index = converted(tmp_path, "--from", "coco", write_json(tmp_path / "a.json", CONTENT))
    assert index.classes == ("Jump", "Walk")  # by id
    one, two = index.videos
    assert (one.id, one.num_frames, one.size, one.source) == ("day/v1", 9, (300, 400), tmp_path / "day" / "v1")
    assert one.boxes.tolist() == [[5, 1, 10, 20, 50.5, 80], [5, 0, 1, 2, 4, 6]]
    assert (two.id, two.num_frames, two.size, two.source) == ("v2", 1, (48, 64), tmp_path / "v2.mp4")
    assert [video.actors.tolist() for video in index.videos if video.actors is not None] == [[4, 9], [0]]


def test_names_of_pictures_tell_video_and_frame(tmp_path: Path) -> None:
    content = changed(images_2={"width": 64, "height": 48})
    del content["videos"]
    for image in content["images"]:
        del image["video_id"], image["frame_id"]
    index = converted(tmp_path, "--from", "coco", write_json(tmp_path / "a.json", content))
    one, two = index.videos
    assert (one.id, one.num_frames, two.id, two.num_frames) == ("day/v1", 9, "v2", 1)
    assert one.boxes[:, 0].tolist() == [5, 5]
    for name in ("000009.jpg", "day\\v1\\000009.jpg"):  # a video cannot be told
        content["images"][1]["file_name"] = name
        with pytest.raises(ValueError, match=r"images\[1\]\.file_name: expected a picture in the folder of its video"):
            convert("--from", "coco", write_json(tmp_path / "a.json", content), "-o", tmp_path / "b")
    content["images"][1]["file_name"] = "day/v1/last.jpg"
    with pytest.raises(ValueError, match=r"\$\.images\[1\]: the name should end in a frame number from 1, got 'last'"):
        convert("--from", "coco", write_json(tmp_path / "a.json", content), "-o", tmp_path / "b")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"annotations_1": {"bbox": [1, 2, 3]}}, r"annotations\[1\]\.bbox: expected 4 finite numbers"),
        ({"annotations_1": {"bbox": [1, 2, 0, 4]}}, r"annotations\[1\]: x1 should be less than x2"),
        ({"annotations_1": {"bbox": [1, 2, 3, -4]}}, r"annotations\[1\]: x1 should be less than x2"),
        ({"annotations_1": {"bbox": [398, 2, 4, 4]}}, r"annotations\[1\]: the box should be inside of the frame"),
        ({"annotations_1": {"bbox": None}}, r"annotations\[1\]: expected an object with 'bbox', got id, image_id"),
        ({"annotations_1": {"id": 1}}, r"annotations\[1\]: id 1 is that of .*annotations\[0\] already"),
        ({"annotations_1": {"image_id": 99}}, r"annotations\[1\]\.image_id: expected the id of an image, got 99"),
        ({"annotations_1": {"category_id": 1}}, r"annotations\[1\]\.category_id: expected the id of a category, got 1"),
        ({"annotations_1": {"track_id": None}}, r"annotations\[1\]: expected a track number.*--no-actors"),
        (
            {"annotations_2": {"instance_id": None}},
            r"annotations\[2\]: expected a track number, as other boxes",
        ),
        (
            {"annotations_1": {"track_id": 4, "category_id": 7}},
            r"annotations\[1\]: expected one box of a track on a frame",
        ),
        ({"images_1": {"frame_id": 10**9}}, r"videos\[0\]: expected 1..10000000 frames .* got 1000000001 frames"),
        ({"images_1": {"id": 10}}, r"images\[1\]: id 10 is that of .*images\[0\] already"),
        ({"images_1": {"frame_id": 4}}, r"images\[1\]: frame 5 \(from 1\) of day/v1 is .*images\[0\] already"),
        ({"images_1": {"frame_id": None}}, r"images\[1\]: expected an object with 'frame_id'"),
        ({"images_1": {"video_id": 5}}, r"images\[1\]: expected an image whose video_id is in `videos`"),
        ({"images_1": {"width": 401}}, r"images\[1\]: expected \(300, 400\) .*got \(300, 401\)"),
        ({"images_2": {"width": 65, "height": 48}}, r"images\[2\]: expected \(48, 64\)"),
        ({"videos_1": {"id": 1}}, r"videos\[1\]: id 1 is that of .*videos\[0\] already"),
        ({"videos_1": {"name": "day/v1"}}, r"videos\[1\]: video day/v1 is in .*videos\[0\] already"),
        ({"videos_1": {"name": "../v2"}}, r"videos\[1\]: \.\./v2 should be inside of the folder of the media"),
        ({"videos_1": {"file_name": "../v2"}}, r"videos\[1\]: v2 should be inside of the folder of the media"),
        ({"videos_1": {"name": None}}, r"videos\[1\]: expected an object with 'name'"),
        ({"videos_1": {"name": "v2\nv3"}}, r"videos\[1\]: a video should have a name of one line, got 'v2\\nv3'"),
        ({"categories_1": {"name": "Ju\nmp"}}, r"annotations\[1\]: a class should have a name of one line .*'Ju\\nmp'"),
        ({"categories_1": {"name": " Jump"}}, r"annotations\[1\]: a class should have a name .*blanks around it"),
        ({"categories_1": {"name": "\ud800"}}, r"annotations\[1\]: a class should have a name of one line"),
        ({"categories_1": {"id": 7}}, r"categories\[1\]: id 7 is that of"),
        ({"categories_1": {"name": "Walk"}}, r"categories\[0\]: the class Walk stands in .*categories\[1\] already"),
    ],
)
def test_malformed_files(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = write_json(tmp_path / "a.json", changed(**change))
    with pytest.raises(ValueError, match=rf"a\.json: \$.*{message}"):
        convert("--from", "coco", path, "-o", tmp_path / "out")


def test_what_is_written_is_coco(tmp_path: Path) -> None:
    convert("--from", "coco", write_json(tmp_path / "a.json", CONTENT), "--to", "coco", "-o", tmp_path / "out")
    content = json.loads((tmp_path / "out" / "all.json").read_text())
    assert content["categories"] == [{"id": 1, "name": "Jump"}, {"id": 2, "name": "Walk"}]
    assert content["videos"][1] == {"id": 2, "name": "v2", "file_name": "v2.mp4", "width": 64, "height": 48}
    assert [image["frame_id"] for image in content["images"]] == [*range(9), 0]
    assert [image["file_name"] for image in content["images"]][8:] == ["day/v1/00009.jpg", "v2/00001.jpg"]
    assert content["annotations"][0] == {
        "id": 1, "image_id": 5, "category_id": 2, "bbox": [10, 20, 40.5, 60], "area": 2430, "iscrowd": 0, "track_id": 4,
    }  # fmt: skip
    assert [node["image_id"] for node in content["annotations"]] == [5, 5, 10]
