from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from paddlevideo.loader.media.open_source import open_source
from tests.formats.files import convert, converted, write_frames, write_json, write_text

OBJECT = """
    <object>
        <name>{label}</name>
        <pose>Unspecified</pose>
        <truncated>0</truncated>
        <difficult>0</difficult>{track}
        <bndbox>
            <xmin>{box[0]}</xmin>
            <ymin>{box[1]}</ymin>
            <xmax>{box[2]}</xmax>
            <ymax>{box[3]}</ymax>
        </bndbox>
    </object>"""


def voc(*objects: tuple[str, tuple[float, ...], int | None]) -> str:
    """A file as LabelImg writes it."""
    things = (
        OBJECT.format(label=name, box=box, track="" if track is None else f"\n        <trackid>{track}</trackid>")
        for name, box, track in objects
    )
    return f"""<annotation>
    <folder>v1</folder>
    <filename>00002.jpg</filename>
    <path>C:\\frames\\v1\\00002.jpg</path>
    <source>
        <database>Unknown</database>
    </source>
    <size>
        <width>400</width>
        <height>300</height>
        <depth>3</depth>
    </size>
    <segmented>0</segmented>{"".join(things)}
</annotation>
"""


def labelme(*shapes: tuple[str, tuple[float, ...], int | None]) -> dict[str, Any]:
    """A file as LabelMe writes it; corners in any order."""
    return {
        "version": "5.4.1",
        "flags": {},
        "shapes": [
            {
                "label": name,
                "points": [[x1, y2], [x2, y1]],
                "group_id": track,
                "description": "",
                "shape_type": "rectangle",
                "flags": {},
                "mask": None,
            }
            for name, (x1, y1, x2, y2), track in shapes
        ],
        "imagePath": "00002.jpg",
        "imageData": None,
        "imageHeight": 300,
        "imageWidth": 400,
    }


def write_both(folder: Path, name: str, *things: tuple[str, tuple[float, ...], int | None]) -> None:
    write_text(folder / "voc" / f"{name}.xml", voc(*things))
    write_json(folder / "labelme" / f"{name}.json", labelme(*things))


@pytest.mark.parametrize("name", ["voc", "labelme"])
@pytest.mark.parametrize("track", [None, 3])
def test_files_of_frames_become_videos(tmp_path: Path, name: str, track: int | None) -> None:
    write_both(tmp_path, "day/v1/00002", ("Walk", (10, 20, 50.5, 80), track), ("Jump", (1, 2, 3, 4), track and 4))
    write_both(tmp_path, "day/v1/00010")  # without action
    write_both(tmp_path, "v2/frame_000001", ("Walk", (0, 0, 400, 300), track))
    index = converted(tmp_path, "--from", name, tmp_path / name)
    assert index.classes == ("Jump", "Walk")
    one, two = index.videos
    assert (one.id, one.num_frames, one.size, one.source) == ("day/v1", 10, (300, 400), tmp_path / name / "day" / "v1")
    assert one.boxes.tolist() == [[2, 1, 10, 20, 50.5, 80], [2, 0, 1, 2, 3, 4]]
    assert two.boxes.tolist() == [[1, 1, 0, 0, 400, 300]]
    assert [None if v.actors is None else v.actors.tolist() for v in index.videos] == (
        [[3, 4], [3]] if track else [None, None]
    )
    write_frames(tmp_path / "frames" / "day" / "v1", 12, (300, 400))
    write_frames(tmp_path / "frames" / "v2", 4, (300, 400))
    index = converted(tmp_path, "--from", name, tmp_path / name, "--media", tmp_path / "frames")
    assert [video.num_frames for video in index.videos] == [12, 4]


@pytest.mark.parametrize("name", ["voc", "labelme"])
def test_frames_may_count_from_zero(tmp_path: Path, name: str) -> None:
    write_both(tmp_path, "v1/frame_000000", ("Walk", (1, 2, 3, 4), None))
    with pytest.raises(ValueError, match=r"frame_000000\.\w+: the name should end in a frame number from 1, .*first=N"):
        convert("--from", name, tmp_path / name, "-o", tmp_path / "out")
    index = converted(tmp_path, "--from", name, tmp_path / name, "--from-option", "first=0")
    assert index.videos[0].boxes[0, 0] == 1


@pytest.mark.parametrize("name", ["voc", "labelme"])
def test_pictures_beside_the_files_are_read_by_their_numbers(tmp_path: Path, name: str) -> None:
    for number in (1, 4):
        write_both(tmp_path, f"v1/frame_{number:06d}", ("Walk", (1, 2, 3, 4), None))
    source = tmp_path / name / "v1"
    _, data = cv2.imencode(".jpg", np.zeros((300, 400, 3), np.uint8))
    for number in range(6):
        (source / f"frame_{number:06d}.jpg").write_bytes(data.tobytes())
    arguments = ("--from", name, tmp_path / name, "--media", tmp_path / name)
    with pytest.raises(
        ValueError, match=r"taken to begin at 1, but the first picture in .*v1 has number 0; pass .* first=0"
    ):
        convert(*arguments, "-o", tmp_path / "out")
    (video,) = converted(tmp_path, *arguments, "--from-option", "first=0").videos
    assert (video.boxes[:, 0].tolist(), video.num_frames) == ([2, 5], 6)
    assert len(open_source(video.source, video.num_frames)) == 6


def test_pictures_that_begin_late_are_not_guessed_at(tmp_path: Path) -> None:
    write_both(tmp_path, "v1/00001", ("Walk", (1, 2, 3, 4), None))
    converted(tmp_path, "--from", "voc", tmp_path / "voc")
    write_frames(tmp_path / "frames", 3, (300, 400))
    for number in (2, 3):
        (tmp_path / "frames" / f"{number:05d}.jpg").rename(tmp_path / "voc" / "v1" / f"{number:05d}.jpg")
    again = ("--from", "neutral", tmp_path / "out" / "all.jsonl", "-o", tmp_path / "new")
    with pytest.raises(ValueError, match=r"pictures in .*v1 are numbered from 2, .*; number them from 1"):
        convert(*again, "--media", tmp_path / "voc")


@pytest.mark.parametrize("name", ["voc", "labelme"])
def test_suffixes_in_capitals_are_read_too(tmp_path: Path, name: str) -> None:
    write_both(tmp_path, "v1/00001", ("Walk", (1, 2, 3, 4), None))
    write_both(tmp_path, "v1/00002", ("Walk", (1, 2, 3, 4), None))
    (path,) = (tmp_path / name / "v1").glob("00002.*")
    path.rename(path.with_suffix(path.suffix.upper()))
    assert converted(tmp_path, "--from", name, tmp_path / name).videos[0].boxes[:, 0].tolist() == [1, 2]


@pytest.mark.parametrize("name", ["voc", "labelme"])
def test_hidden_files_are_passed_over(tmp_path: Path, name: str) -> None:
    write_both(tmp_path, "v1/00001", ("Walk", (1, 2, 3, 4), None))
    suffix = {"voc": "xml", "labelme": "json"}[name]
    for hidden in ("v1/._00001", "__MACOSX/v1/._00001", "v1/.ipynb_checkpoints/00001-checkpoint"):
        write_text(tmp_path / name / f"{hidden}.{suffix}", "\0")
    assert [video.id for video in converted(tmp_path, "--from", name, tmp_path / name).videos] == ["v1"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("<xmax>50</xmax>", "", r"v1/00002\.xml:19: <bndbox> should hold <xmax>, got xmin, ymin, ymax"),
        ("<xmax>50<", "<xmax>10<", r"v1/00002\.xml:19: x1 should be less than x2"),
        ("<xmax>50<", "<xmax>402<", r"v1/00002\.xml:19: the box should be inside of the frame, 400x300"),
        ("<xmax>50<", "<xmax>1e999<", r"v1/00002\.xml:22: xmax should be a finite number"),
        ("<name>Walk</name>", "<name> </name>", r"v1/00002\.xml:15: <name> should hold a text"),
        ("<width>400<", "<width>0<", r"v1/00002\.xml:9: width should be an integer from 1"),
        ("<width>400<", "<width>401<", r"00002\.xml: .*\(300, 400\).*00001\.xml, got \(300, 401\)"),
    ],
)
def test_malformed_voc(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = voc(("Walk", (10, 20, 50, 80), None))
    assert old in text
    write_text(tmp_path / "voc" / "v1" / "00001.xml", voc())
    write_text(tmp_path / "voc" / "v1" / "00002.xml", text.replace(old, new))
    with pytest.raises(ValueError, match=message):
        convert("--from", "voc", tmp_path / "voc", "-o", tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shape_type": "polygon"}, r"\$\.shapes\[0\]\.shape_type: expected 'rectangle' .*, got 'polygon'"),
        ({"shape_type": "rotation", "direction": 1.5}, r"\$\.shapes\[0\]\.shape_type: expected .*, got 'rotation'"),
        ({"direction": 0.5}, r"\$\.shapes\[0\]\.direction: expected an upright rectangle, direction 0, got 0\.5"),
        ({"points": [[1, 2], [30, 4], [28, 40], [-1, 38]]}, r"\$\.shapes\[0\]\.points: expected an upright rectangle"),
        ({"points": [[1, 2], [30, 2], [30, 2], [1, 40]]}, r"\$\.shapes\[0\]\.points: expected an upright rectangle"),
        ({"points": [[1, 2], [30, 2], [30, 40]]}, r"\$\.shapes\[0\]\.points: expected two corners or four"),
        ({"points": [[1, 2]]}, r"\$\.shapes\[0\]\.points: expected two corners"),
        ({"points": [[1, 2], [3]]}, r"\$\.shapes\[0\]\.points\[1\]: expected 2 finite numbers"),
        ({"points": [[1, 2], [1, 4]]}, r"\$\.shapes\[0\]: x1 should be less than x2"),
        ({"label": None}, r"\$\.shapes\[0\]: expected an object with 'label'"),
        ({"group_id": "a"}, r"\$\.shapes\[0\]\.group_id: expected an integer from 0"),
    ],
)
def test_malformed_labelme(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    content = labelme(("Walk", (10, 20, 50, 80), None))
    content["shapes"][0].update(change)
    write_json(tmp_path / "labelme" / "v1" / "00001.json", content)
    with pytest.raises(ValueError, match=rf"v1/00001\.json: {message}"):
        convert("--from", "labelme", tmp_path / "labelme", "-o", tmp_path / "out")


@pytest.mark.parametrize(
    "points",
    [
        [[1, 2], [30, 40]],
        [[30, 40], [1, 2]],
        [[30, 2], [1, 40]],
        [[1, 2], [30, 2], [30, 40], [1, 40]],
        [[30.004, 40], [30, 2], [1, 2], [1, 40]],
    ],
)
def test_rectangles_of_two_or_four_corners(tmp_path: Path, points: list[list[float]]) -> None:
    content = labelme(("Walk", (10, 20, 50, 80), None))
    content["shapes"][0] |= {"points": points, "direction": 0, "score": None}
    write_json(tmp_path / "labelme" / "v1" / "00001.json", content)
    (box,) = converted(tmp_path, "--from", "labelme", tmp_path / "labelme").videos[0].boxes[:, 2:].tolist()
    assert box == pytest.approx([1, 2, 30, 40], abs=0.005)


def test_frames_without_a_file_are_not_annotated(tmp_path: Path) -> None:
    for number, things in ((2, [("Walk", (1, 2, 3, 4), None)]), (4, [])):
        write_both(tmp_path, f"v1/{number:05d}", *things)
    for name in ("voc", "labelme"):
        (video,) = converted(tmp_path, "--from", name, tmp_path / name).videos
        assert video.annotated_frames().tolist() == [2, 4]


@pytest.mark.parametrize("first", [0, 1])
def test_pictures_whose_numbers_begin_elsewhere(tmp_path: Path, first: int) -> None:
    """Of pictures 0 to 4 the first one has no file, so nothing but the pictures tells that they count from 0."""
    write_both(tmp_path, "v1/frame_00003", ("Walk", (1, 2, 3, 4), None))
    frames = write_frames(tmp_path / "media" / "v1", 4, (300, 400))
    if first == 0:
        (frames / "00000.jpg").write_bytes((frames / "00001.jpg").read_bytes())
    base = ("--from", "labelme", tmp_path / "labelme", "--media", tmp_path / "media", "--from-option")
    message = rf"v1: numbers .* taken to begin at {1 - first}, but the first picture .* number {first}; .*first={first}"
    with pytest.raises(ValueError, match=message):
        convert(*base, f"first={1 - first}", "-o", tmp_path / "out")
    if first == 1:
        assert converted(tmp_path, *base, "first=1").videos[0].boxes[:, 0].tolist() == [3]


def test_files_in_wrong_places(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"expected a folder with VIDEO/00001\.xml"):
        convert("--from", "voc", tmp_path, "-o", tmp_path / "out")
    write_text(tmp_path / "voc" / "00001.xml", voc())
    with pytest.raises(ValueError, match=r"00001\.xml: expected a folder for every video"):
        convert("--from", "voc", tmp_path / "voc", "-o", tmp_path / "out")
    for name in ("1.xml", "00001.xml"):
        write_text(tmp_path / "twice" / "v1" / name, voc())
    with pytest.raises(ValueError, match=r"v1/1\.xml: frame 1 is in 00001\.xml already"):
        convert("--from", "voc", tmp_path / "twice", "-o", tmp_path / "out")


def test_tracks_for_some_boxes_only(tmp_path: Path) -> None:
    write_both(tmp_path, "v1/1", ("Walk", (1, 2, 3, 4), 1), ("Walk", (1, 2, 3, 4), None))
    with pytest.raises(ValueError, match=r"1\.xml:32: expected a track number.*--no-actors"):
        convert("--from", "voc", tmp_path / "voc", "-o", tmp_path / "out")
    index = converted(tmp_path, "--from", "voc", tmp_path / "voc", "--no-actors")
    assert index.videos[0].actors is None
