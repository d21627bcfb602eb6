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
    source = write_json(tmp_path / "a.json", CONTENT)
    convert("--from", "coco", source, "--to", "coco", "--all-annotated", "-o", tmp_path / "out")
    content = json.loads((tmp_path / "out" / "all.json").read_text())
    assert content["categories"] == [{"id": 1, "name": "Jump"}, {"id": 2, "name": "Walk"}]
    assert content["videos"][1] == {"id": 2, "name": "v2", "file_name": "v2.mp4", "width": 64, "height": 48}
    assert [image["frame_id"] for image in content["images"]] == [*range(9), 0]
    assert [image["file_name"] for image in content["images"]][8:] == ["day/v1/00009.jpg", "v2/00001.jpg"]
    assert content["annotations"][0] == {
        "id": 1, "image_id": 5, "category_id": 2, "bbox": [10, 20, 40.5, 60], "area": 2430, "iscrowd": 0, "track_id": 4,
    }  # fmt: skip
    assert [node["image_id"] for node in content["annotations"]] == [5, 5, 10]


def numbered(*frames: tuple[int | None, str], **video: Any) -> dict[str, Any]:
    """One video with a box on each frame, given as `frame_id` and the name of its picture."""
    size = {"width": 96, "height": 64}
    images: list[dict[str, Any]] = [
        {"id": number, "file_name": name, **size, **({} if frame is None else {"video_id": 1, "frame_id": frame})}
        for number, (frame, name) in enumerate(frames, start=1)
    ]
    boxes = [{"id": k, "image_id": k, "category_id": 1, "bbox": [k, 2, 30, 40]} for k in range(1, len(frames) + 1)]
    content = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "Walk"}]}
    return content if frames[0][0] is None else {**content, "videos": [{"id": 1, "name": "v1", **video}]}


def frames_of(folder: Path, content: dict[str, Any], *options: str) -> list[float]:
    settings = [word for option in options for word in ("--from-option", option)]
    index = converted(folder, "--from", "coco", write_json(folder / "a.json", content), *settings)
    frames: list[float] = index.videos[0].boxes[:, 0].tolist()
    return frames


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ([(0, "v1/000001.jpg"), (1, "v1/000002.jpg")], [1, 2]),
        ([(0, "v1/000000.jpg"), (1, "v1/000001.jpg")], [1, 2]),  # names count from 0 too
        ([(4, "v1/000005.jpg"), (7, "v1/000008.jpg")], [5, 8]),  # names say that 0 is the first
        ([(0, "v1/000301.jpg"), (1, "v1/000302.jpg")], [1, 2]),  # cut from a longer video
        ([(3, "v1/a.jpg"), (5, "v1/b.jpg")], [4, 6]),  # nothing to compare with
    ],
)
def test_frame_ids_that_count_from_zero(tmp_path: Path, frames: list[tuple[int, str]], expected: list[int]) -> None:
    assert frames_of(tmp_path, numbered(*frames)) == expected


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([(1, "v1/000001.jpg"), (2, "v1/000002.jpg")], r"but the lowest is 1, and it is the number in v1/000001\.jpg"),
        ([(5, "v1/000005.jpg"), (6, "v1/000006.jpg")], r"but the lowest is 5, and it is the number in v1/000005\.jpg"),
        ([(1, "v1/000301.jpg"), (2, "v1/000302.jpg")], "but the lowest is 1; pass"),
        ([(1, "v1/a.jpg"), (2, "v1/b.jpg")], "but the lowest is 1; pass"),
    ],
)
def test_frame_ids_that_seem_to_count_from_one(tmp_path: Path, frames: list[tuple[int, str]], message: str) -> None:
    with pytest.raises(ValueError, match=rf"a\.json: \$\.videos\[0\]: expected a frame_id .*{message}.*first=1 if"):
        frames_of(tmp_path, numbered(*frames))
    first = frames[0][0]
    assert frames_of(tmp_path, numbered(*frames), "first=1") == [first, first + 1]
    assert frames_of(tmp_path, numbered(*frames), "first=0") == [first + 1, first + 2]


def test_numbers_and_names_that_count_differently(tmp_path: Path) -> None:
    content = numbered((0, "v1/000001.jpg"), (1, "v1/000006.jpg"), (2, "v1/000011.jpg"))
    with pytest.raises(ValueError, match=r"images\[1\]: frame_id 1 is the picture v1/000006\.jpg, but 0 is v1/000001"):
        frames_of(tmp_path, content)
    assert frames_of(tmp_path, content, "number_from=frame_id") == [1, 2, 3]
    assert frames_of(tmp_path, content, "number_from=file_name") == [1, 6, 11]
    assert frames_of(tmp_path, content, "number_from=file_name", "first=0") == [2, 7, 12]


def test_frame_index_stands_for_frame_id(tmp_path: Path) -> None:
    content = numbered((0, "v1/frame0001.jpg"), (30, "v1/frame0031.jpg"))
    for image in content["images"]:
        image["frame_index"] = image.pop("frame_id")
    assert frames_of(tmp_path, content) == [1, 31]


def flat() -> dict[str, Any]:
    """A video task as CVAT writes it in `COCO 1.0`."""
    content = numbered((None, "frame_000000.PNG"), (None, "frame_000003.PNG"))
    for node in content["annotations"]:
        node["attributes"] = {"occluded": False, "rotation": 0.0, "track_id": 3, "keyframe": True}
    return content


def test_pictures_of_one_video_without_folders(tmp_path: Path) -> None:
    path = write_json(tmp_path / "a.json", flat())
    base = ("--from", "coco", path, "--from-option", "video=day/v1")
    with pytest.raises(ValueError, match=r"images\[0\]\.file_name: .*--from-option video=NAME"):
        convert("--from", "coco", path, "-o", tmp_path / "out")
    with pytest.raises(ValueError, match=r"images\[0\]: the name should end in a frame number from 1, .*first=N"):
        convert(*base, "-o", tmp_path / "out")
    (video,) = converted(tmp_path, *base, "--from-option", "first=0").videos
    assert (video.id, video.source, video.num_frames) == ("day/v1", tmp_path / "day" / "v1", 4)
    assert video.boxes[:, 0].tolist() == [1, 4]
    assert video.annotated_frames().tolist() == [1, 4]
    assert video.actors is not None
    assert video.actors.tolist() == [3, 3]


def test_an_attribute_may_be_the_class(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = numbered(*((number, f"v1/{number + 1:06d}.jpg") for number in range(4)))
    for node, action in zip(content["annotations"], ("sit", "__undefined__", "run", "sit"), strict=True):
        node["attributes"] = {"occluded": False, "action": action}
    path = write_json(tmp_path / "a.json", content)
    assert converted(tmp_path, "--from", "coco", path).classes == ("Walk",)
    assert "a.json are labelled Walk, and have attributes with several values: action (run, sit)." in (
        capsys.readouterr().out
    )
    chosen = tmp_path / "chosen"
    index = converted(chosen, "--from", "coco", path, "--from-option", "class_attribute=action")
    assert index.classes == ("run", "sit")
    assert index.videos[0].boxes[:, :2].tolist() == [[1, 1], [3, 0], [4, 1]]
    assert index.videos[0].annotated_frames().tolist() == [1, 3, 4]
    assert "note: left out 1 boxes of" in capsys.readouterr().out
    with pytest.raises(ValueError, match=r"a\.json: no box has the attribute 'actoin'; there are action; did you mean"):
        convert("--from", "coco", path, "--from-option", "class_attribute=actoin", "-o", tmp_path / "b")


def test_rotated_boxes_of_cvat(tmp_path: Path) -> None:
    content = flat()
    content["annotations"][1]["attributes"]["rotation"] = 30.5
    path = write_json(tmp_path / "a.json", content)
    with pytest.raises(ValueError, match=r"annotations\[1\]\.attributes\.rotation: expected an upright box.*got 30\.5"):
        convert("--from", "coco", path, "--from-option", "video=v1", "--from-option", "first=0", "-o", tmp_path / "out")


def test_frames_without_an_image_are_not_annotated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = numbered((0, "v1/000001.jpg"), (4, "v1/000005.jpg"), length=9)
    base = ("--from", "coco", write_json(tmp_path / "a.json", content))
    (video,) = converted(tmp_path, *base).videos
    assert video.num_frames == 9
    assert video.annotated_frames().tolist() == [1, 5]
    assert "note: 7 frames of 1 videos are not annotated (v1)" in capsys.readouterr().out
    convert(*base, "--to", "coco", "-o", tmp_path / "again")
    written = json.loads((tmp_path / "again" / "all.json").read_text())
    assert [image["frame_id"] for image in written["images"]] == [0, 4]
    assert [node["image_id"] for node in written["annotations"]] == [1, 2]
    assert written["videos"][0]["length"] == 9


def test_segmentation_without_a_box(tmp_path: Path) -> None:
    content = numbered((0, "v1/000001.jpg"))
    content["annotations"][0] = {"id": 1, "image_id": 1, "category_id": 1, "segmentation": {"size": [64, 96]}}
    with pytest.raises(ValueError, match=r"annotations\[0\]: expected an object with 'bbox', got id, image_id"):
        frames_of(tmp_path, content)
