from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from paddlevideo.loader.index import ActionIndex, VideoEntry, read_index, scan_index, write_index

HEADER = {"format": "action-boxes", "version": 1, "classes": ["Run", "Sit"], "root": "media"}
VIDEO = {"id": "Run/a", "source": "Run/a.avi", "num_frames": 9, "size": [48, 64], "boxes": [[1, 0, 1, 2, 3.5, 4]]}


def write_lines(folder: Path, *nodes: object) -> Path:
    path = folder / "train.jsonl"
    path.write_text("".join((node if isinstance(node, str) else json.dumps(node)) + "\n" for node in nodes))
    return path


def example(root: Path) -> ActionIndex:
    boxes = np.array([[1, 0, 1, 2, 3.5, 4], [9, 1, 10, 20, 30, 40]])
    return ActionIndex(
        ("Run", "Sit"),
        (
            VideoEntry("Run/a", root / "Run" / "a.avi", 9, (48, 64), boxes),
            VideoEntry("Sit/b", root / "Sit" / "b", 3, (10, 20), np.zeros((0, 6))),
        ),
    )


def test_lines_become_videos(tmp_path):
    index = read_index(write_lines(tmp_path, HEADER, VIDEO))
    assert index.classes == ("Run", "Sit")
    (video,) = index.videos
    assert (video.id, video.num_frames, video.size) == ("Run/a", 9, (48, 64))
    assert video.source == tmp_path.resolve() / "media" / "Run" / "a.avi"
    assert video.boxes.dtype == np.float64
    assert video.boxes.tolist() == [[1, 0, 1, 2, 3.5, 4]]


def test_written_is_read_again(tmp_path):
    index = example(tmp_path.resolve() / "media")
    write_index(tmp_path / "test.jsonl", index, tmp_path / "media")
    back = read_index(tmp_path / "test.jsonl")
    assert back.classes == index.classes
    for video, expected in zip(back.videos, index.videos, strict=True):
        assert (video.id, video.source, video.num_frames, video.size) == (
            expected.id,
            expected.source,
            expected.num_frames,
            expected.size,
        )
        np.testing.assert_array_equal(video.boxes, expected.boxes)
        assert video.annotated is None
    assert [path.name for path in tmp_path.iterdir()] == ["test.jsonl"]  # no temporary file is left
    assert json.loads((tmp_path / "test.jsonl").read_text().splitlines()[1])["boxes"][1] == [9, 1, 10, 20, 30, 40]


@pytest.mark.parametrize(
    ("root", "told"),
    [
        ("set", "."),
        ("set/media", "media"),
        ("set/a/b", "a/b"),
        ("media", "../media"),
        (".", ".."),
        ("media/deep", None),
    ],
)
def test_root_is_relative_if_near(tmp_path, root, told):
    (tmp_path / "set").mkdir()
    folder = (tmp_path / root).resolve()
    write_index(tmp_path / "set" / "train.jsonl", example(folder), folder)
    header = json.loads((tmp_path / "set" / "train.jsonl").read_text().splitlines()[0])
    assert header["root"] == (told or folder.as_posix())
    assert read_index(tmp_path / "set" / "train.jsonl").videos[0].source == folder / "Run" / "a.avi"


def test_index_and_media_move_together(tmp_path):
    (tmp_path / "old" / "set").mkdir(parents=True)
    write_index(
        tmp_path / "old" / "set" / "train.jsonl", example(tmp_path / "old" / "media"), tmp_path / "old" / "media"
    )
    (tmp_path / "old").rename(tmp_path / "new")
    source = read_index(tmp_path / "new" / "set" / "train.jsonl").videos[0].source
    assert source == tmp_path.resolve() / "new" / "media" / "Run" / "a.avi"


def test_actors_stand_beside_boxes(tmp_path):
    rows = [[2, 0, 1, 2, 3.5, 4, 7], [1, 0, 1, 2, 3, 4, 7], [2, 0, 5, 6, 7, 8, 0]]
    path = write_lines(tmp_path, HEADER, {**VIDEO, "boxes": []}, {**VIDEO, "id": "Run/b", "boxes": rows})
    empty, full = read_index(path).videos
    assert full.boxes.tolist() == [row[:6] for row in rows]
    assert full.actors is not None and full.actors.dtype == np.int64
    assert full.actors.tolist() == [7, 7, 0]
    assert empty.actors is not None and len(empty.actors) == 0


def test_written_actors_are_read_again(tmp_path):
    index = example(tmp_path.resolve())
    run, sit = index.videos
    videos = (dataclasses.replace(run, actors=np.array([3, 0])), dataclasses.replace(sit, actors=np.zeros(0, np.int64)))
    write_index(tmp_path / "test.jsonl", dataclasses.replace(index, videos=videos), tmp_path)
    assert json.loads((tmp_path / "test.jsonl").read_text().splitlines()[1])["boxes"][1] == [9, 1, 10, 20, 30, 40, 0]
    back = read_index(tmp_path / "test.jsonl").videos
    np.testing.assert_array_equal(back[0].boxes, run.boxes)
    assert [video.actors.tolist() for video in back if video.actors is not None] == [[3, 0], []]


@pytest.mark.parametrize("rows", [VIDEO["boxes"], [[1, 0, 1, 2, 3.5, 4, 0]]])
def test_all_videos_have_actors_or_none(tmp_path, rows):
    other = [[1, 0, 1, 2, 3.5, 4]] if len(rows[0]) == 7 else [[1, 0, 1, 2, 3.5, 4, 0]]
    nodes = [{**VIDEO, "id": f"Run/{k}", "boxes": boxes} for k, boxes in enumerate(([], rows, [], other))]
    has = {6: "no actor, those in line 3 one", 7: "an actor, those in line 3 none"}[len(other[0])]
    with pytest.raises(ValueError, match=rf"train\.jsonl:5: Run/3: .*7th number.* these have {has}; build"):
        read_index(write_lines(tmp_path, HEADER, *nodes))


def test_a_file_without_actors_has_none(tmp_path):
    assert all(video.actors is None for video in read_index(write_lines(tmp_path, HEADER, VIDEO)).videos)


def test_source_outside_of_root(tmp_path):
    with pytest.raises(ValueError, match=r"Run/a: its source .* should lie in"):
        write_index(tmp_path / "a.jsonl", example(tmp_path / "media"), tmp_path / "other")


def test_failed_write_keeps_the_old_file(tmp_path):
    write_index(tmp_path / "a.jsonl", example(tmp_path), tmp_path)
    before = (tmp_path / "a.jsonl").read_bytes()
    with pytest.raises(ValueError, match="should lie in"):
        write_index(tmp_path / "a.jsonl", example(tmp_path), tmp_path / "other")
    assert (tmp_path / "a.jsonl").read_bytes() == before


def test_missing_file_names_both_ways(tmp_path):
    ways = r"train\.jsonl: .*build_split\.py.*rgb-images.*pyannot\.pkl.*convert_dataset\.py"
    with pytest.raises(FileNotFoundError, match=ways):
        read_index(tmp_path / "train.jsonl")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "expected the header"),
        ({"format": "boxes"}, "expected the header"),
        ({"more": 1}, "expected the header"),
        ({"classes": []}, "list of names"),
        ({"classes": ["Run", 3]}, "list of names"),
        ({"classes": ["Run", "Run"]}, "stands twice"),
        ({"root": None}, "should be a folder"),
    ],
)
def test_wrong_header(tmp_path, change, message):
    with pytest.raises(ValueError, match=rf"train\.jsonl:1: .*{message}"):
        read_index(write_lines(tmp_path, {**HEADER, **change}, VIDEO))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": ""}, "id should be a text"),
        ({"id": "Run/\ud800"}, "id should be text that can be written as UTF-8"),
        ({"source": 3}, "source should be a text"),
        ({"num_frames": 0}, "num_frames"),
        ({"num_frames": True}, "num_frames"),
        ({"size": [48]}, "size"),
        ({"size": [48, 64.5]}, "size"),
        ({"boxes": None}, "rows of 6"),
        ({"boxes": [[1, 0, 1, 2, 3]]}, "rows of 6"),
        ({"boxes": [[1, 0, 1, 2, 3, 4], [1, 0, 1, 2, 3, 4, 5]]}, "rows of 6"),
        ({"boxes": [[1, 0, 1, 2, 3, "4"]]}, "rows of 6"),
        ({"boxes": [[1, 0, 1, 2, 3, None]]}, "rows of 6"),
        ({"boxes": [[1, 0, 1, 2, 3, float("nan")]]}, "box 1: every number should be finite"),
        ({"boxes": [[1, 0, 1, 2, 3, float("inf")]]}, "finite"),
        ({"boxes": [[1, 0, 1, 2, 3, 4], [1, 2, 1, 2, 3, 4]]}, "box 2: the label"),
        ({"annotated": [[2, 9, 1]]}, "box 1: expected a box on one of the `annotated` frames"),
        ({"annotated": None}, r"annotated should be ranges \[first, last, step\] of frames in 1\.\.9"),
        ({"annotated": [[1, 9]]}, "annotated should be ranges"),
        ({"annotated": [[1, 9, 0]]}, "annotated should be ranges"),
        ({"annotated": [[1, 10, 1]]}, "annotated should be ranges"),
        ({"annotated": [[1, 5, 1], [5, 9, 1]]}, "annotated should be ranges"),
        ({"annotatd": [[1, 9, 1]]}, "expected a video with boxes, id, num_frames, size, source"),
        ({"boxes": [[1, -1, 1, 2, 3, 4]]}, "label"),
        ({"boxes": [[1, 0.5, 1, 2, 3, 4]]}, "label"),
        ({"boxes": [[0, 0, 1, 2, 3, 4]]}, r"frame should be an integer in 1\.\.9"),
        ({"boxes": [[10, 0, 1, 2, 3, 4]]}, "frame"),
        ({"boxes": [[1.5, 0, 1, 2, 3, 4]]}, "frame"),
        ({"boxes": [[1, 0, 3, 2, 3, 4]]}, "x1 should be less than x2"),
        ({"boxes": [[1, 0, 1, 5, 3, 4]]}, "y1 less than y2"),
        ({"boxes": [[1, 0, 1, 2, 3, 4, 0, 1]]}, "all of 7 with the actor"),
        ({"boxes": [[1, 0, 1, 2, 3, 4, 0], [1, 0, 1, 2, 3, 4, -1]]}, "box 2: the actor should be an integer from 0"),
        ({"boxes": [[1, 0, 1, 2, 3, 4, 0.5]]}, "the actor should be an integer"),
        ({"boxes": [[1, 0, 1, 2, 3, 4, float("inf")]]}, "the actor should be an integer"),
        ({"boxes": [[2, 0, 1, 2, 3, 4, 5], [1, 0, 1, 2, 3, 4, 5], [2, 0, 1, 2, 9, 4, 5]]}, "box 3: .*one box on a"),
        ({"boxes": [[1, 0, 1, 2, 3, 4, 5], [2, 1, 1, 2, 3, 4, 5]]}, "box 2: .*boxes of one label"),
    ],
)
def test_wrong_video_is_named_with_its_line(tmp_path, change, message):
    with pytest.raises(ValueError, match=rf"train\.jsonl:3: .*{message}"):
        read_index(write_lines(tmp_path, HEADER, {**VIDEO, "id": "Run/b"}, {**VIDEO, **change}))


@pytest.mark.parametrize(
    ("ranges", "frames"),
    [
        ([[1, 3, 1], [7, 7, 1]], [1, 2, 3, 7]),
        ([[1, 9, 4]], [1, 5, 9]),
        ([[1, 2, 1], [5, 9, 2]], [1, 2, 5, 7, 9]),
        ([[1, 1, 1]], [1]),
    ],
)
def test_annotated_frames_are_read_and_written_as_ranges(tmp_path, ranges, frames):
    index = read_index(write_lines(tmp_path, HEADER, {**VIDEO, "annotated": ranges}))
    assert index.videos[0].annotated_frames().tolist() == frames
    write_index(tmp_path / "again.jsonl", index, index.videos[0].source.parent)
    assert json.loads((tmp_path / "again.jsonl").read_text().splitlines()[1])["annotated"] == ranges


def test_a_video_without_any_annotated_frame(tmp_path):
    index = read_index(write_lines(tmp_path, HEADER, VIDEO, {**VIDEO, "id": "b", "annotated": [], "boxes": []}))
    assert [video.annotated_frames().tolist() for video in index.videos] == [list(range(1, 10)), []]


@pytest.mark.parametrize("line", ['{"id": ', "", "[1]", '{"id": "Run/c"}'])
def test_wrong_line(tmp_path, line):
    with pytest.raises(ValueError, match=r"train\.jsonl:2: (not a line of JSON|expected a video with)"):
        read_index(write_lines(tmp_path, HEADER, line, VIDEO))


def test_bytes_that_are_no_text(tmp_path):
    path = write_lines(tmp_path, HEADER)
    path.write_bytes(path.read_bytes() + b'{"id": "\xff\xfe"}\n')
    with pytest.raises(ValueError, match=r"train\.jsonl:2: not a line of JSON"):
        read_index(path)


def test_video_twice(tmp_path):
    with pytest.raises(ValueError, match=r"train\.jsonl:4: video Run/a is in line 2 already"):
        read_index(write_lines(tmp_path, HEADER, VIDEO, {**VIDEO, "id": "Run/b"}, VIDEO))


@pytest.mark.parametrize("nodes", [(), ({**VIDEO, "boxes": []},)])
def test_split_without_boxes(tmp_path, nodes):
    with pytest.raises(ValueError, match=r"train\.jsonl: expected videos with boxes"):
        read_index(write_lines(tmp_path, HEADER, *nodes))


def test_empty_file(tmp_path):
    with pytest.raises(ValueError, match=r"train\.jsonl:1: expected the header"):
        read_index(write_lines(tmp_path))


def test_an_index_of_the_size_of_ucf24(tmp_path):
    count, each = 2284, 175
    boxes = np.tile([[1.0, 0, 10, 20, 110, 220]], (each, 1))
    boxes[:, 0] = np.arange(1, each + 1)
    videos = tuple(VideoEntry(f"Run/{n}", tmp_path / f"{n}", each, (240, 320), boxes) for n in range(count))
    write_index(tmp_path / "a.jsonl", ActionIndex(("Run",), videos), tmp_path)
    assert sum(len(video.boxes) for video in read_index(tmp_path / "a.jsonl").videos) == count * each


def test_a_scan_names_every_defect_and_keeps_what_is_good(tmp_path):
    good = [1, 0, 1, 2, 3.5, 4, 0]
    boxes = [[10, 0, 1, 2, 3, 4, 0], good, [1, 5, 1, 2, 3, 4, 0], [2, 0, 3, 2, 3, 4, -1], [1, 0, 1, 1, 2, 2, 0]]
    nodes = [{**VIDEO, "boxes": boxes}, "{", {**VIDEO, "id": "Run/b", "size": 3}, VIDEO, {**VIDEO, "id": "Run/c"}]
    path = write_lines(tmp_path, HEADER, *nodes)
    scan = scan_index(path)
    assert [(defect.kind, defect.text.removeprefix(f"{path}:").split(":")[0]) for defect in scan.defects] == [
        ("frame out of range", "2"),
        ("label out of range", "2"),
        ("box without area", "2"),
        ("actor that is no tube", "2"),
        ("line that is no video", "3"),
        ("line that is no video", "4"),
        ("video twice", "5"),
        ("actors in part", "6"),
    ]
    assert [video.id for video in scan.index.videos] == ["Run/a", "Run/c"]
    assert scan.lines == (2, 6)
    assert scan.index.videos[0].boxes.tolist() == [good[:6]]
    with pytest.raises(ValueError, match=r"train\.jsonl:2: Run/a: box 1: the frame should be"):
        read_index(path)


def test_a_scan_ends_at_a_wrong_header(tmp_path):
    scan = scan_index(write_lines(tmp_path, {**HEADER, "version": 2}, "{"))
    assert [defect.kind for defect in scan.defects] == ["header"]
    assert scan.index.videos == ()


def test_nesting_without_end_is_no_line_of_json(tmp_path):
    with pytest.raises(ValueError, match=r"train\.jsonl:2: not a line of JSON"):
        read_index(write_lines(tmp_path, HEADER, "[" * 100_000))


@pytest.mark.parametrize("key", ["id", "source"])
@pytest.mark.parametrize("path", ["../a", "Run/../../a", "/tmp/a"])
def test_paths_that_lead_out_of_the_root(tmp_path, key, path):
    with pytest.raises(ValueError, match=rf"train\.jsonl:2: {key} should lie inside of the root, got '{path}'"):
        read_index(write_lines(tmp_path, HEADER, {**VIDEO, key: path}))


@pytest.mark.parametrize("change", [{"num_frames": 10**18}, {"size": [10**400, 64]}])
def test_counts_that_would_fill_the_memory(tmp_path, change):
    with pytest.raises(
        ValueError, match=rf"train\.jsonl:2: Run/a: {next(iter(change))} should be .*1\.\.10000000, got"
    ):
        read_index(write_lines(tmp_path, HEADER, {**VIDEO, **change}))
