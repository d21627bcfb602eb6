from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from paddlevideo.formats import cvat_tracks
from paddlevideo.loader.index import ActionIndex
from tests.formats.files import convert, converted, write_frames, write_text

EXPORT = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <task>
      <id>7</id>
      <name>first shift</name>
      <size>20</size>
      <mode>interpolation</mode>
      <overlap>5</overlap>
      <bugtracker></bugtracker>
      <created>2024-03-01 10:00:00.000000+00:00</created>
      <updated>2024-03-01 11:00:00.000000+00:00</updated>
      <subset></subset>
      <start_frame>0</start_frame>
      <stop_frame>19</stop_frame>
      <frame_filter></frame_filter>
      <segments>
        <segment>
          <id>7</id>
          <start>0</start>
          <stop>19</stop>
          <url>http://localhost:8080/api/jobs/7</url>
        </segment>
      </segments>
      <owner>
        <username>me</username>
        <email></email>
      </owner>
      <assignee></assignee>
      <labels>
        <label>
          <name>Walk</name>
          <color>#ff6037</color>
          <type>any</type>
          <attributes>
          </attributes>
        </label>
        <label>
          <name>Jump</name>
          <color>#33ddff</color>
          <type>any</type>
          <attributes>
          </attributes>
        </label>
      </labels>
      <original_size>
        <width>400</width>
        <height>300</height>
      </original_size>
      <source>shift.one.mp4</source>
    </task>
    <dumped>2024-03-01 12:00:00.000000+00:00</dumped>
  </meta>
  <track id="0" label="Jump" source="manual">
    <box frame="2" keyframe="1" outside="0" occluded="0" xtl="10.00" ytl="20.00" xbr="50.00" ybr="80.00" z_order="0">
    </box>
    <box frame="6" keyframe="1" outside="0" occluded="1" xtl="18.00" ytl="20.00" xbr="58.00" ybr="76.00" z_order="0">
    </box>
    <box frame="8" keyframe="1" outside="1" occluded="0" xtl="20.00" ytl="20.00" xbr="60.00" ybr="76.00" z_order="0">
    </box>
    <box frame="15" keyframe="1" outside="0" occluded="0" xtl="1.00" ytl="2.00" xbr="3.00" ybr="4.00" z_order="0">
    </box>
    <box frame="16" keyframe="1" outside="1" occluded="0" xtl="1.00" ytl="2.00" xbr="3.00" ybr="4.00" z_order="0">
    </box>
  </track>
  <track id="5" label="Walk" source="manual">
    <box frame="7" keyframe="1" outside="0" occluded="0" xtl="50.00" ytl="100.00" xbr="90.00" ybr="300.00" z_order="0">
      <attribute name="sure">true</attribute>
    </box>
  </track>
</annotations>
"""


def line_of(text: str) -> int:
    return EXPORT[: EXPORT.index(text)].count("\n") + 1


@pytest.fixture
def export(tmp_path: Path) -> Path:
    return write_text(tmp_path / "annotations.xml", EXPORT)


def test_tracks_become_boxes(export: Path, tmp_path: Path) -> None:
    index = converted(tmp_path, "--from", "cvat", export)
    assert index.classes == ("Walk", "Jump")  # in CVAT's order
    (video,) = index.videos
    assert (video.id, video.num_frames, video.size) == ("shift.one", 20, (300, 400))
    assert video.source == tmp_path / "shift.one.mp4"
    jump = video.boxes[video.boxes[:, 1] == 1]
    assert jump.tolist() == [
        [3, 1, 10, 20, 50, 80],  # frame 2 from 0
        [4, 1, 12, 20, 52, 79],
        [5, 1, 14, 20, 54, 78],
        [6, 1, 16, 20, 56, 77],
        [7, 1, 18, 20, 58, 76],
        [8, 1, 19, 20, 59, 76],  # on the way to the keyframe on which it has left
        [16, 1, 1, 2, 3, 4],
    ]
    walk = video.boxes[video.boxes[:, 1] == 0]
    assert walk[:, 0].tolist() == list(range(8, 21))  # to the end of the task
    assert (walk[:, 2:] == [50, 100, 90, 300]).all()
    assert video.actors is not None
    assert dict(zip(video.boxes[:, 1].tolist(), video.actors.tolist(), strict=True)) == {1: 0, 0: 5}
    assert (video.boxes[1:, 0] >= video.boxes[:-1, 0]).all()


def test_a_full_export_says_the_same_as_its_keyframes(export: Path, tmp_path: Path) -> None:
    """CVAT writes what lies between keyframes too."""
    between = "".join(
        f'<box frame="{f}" keyframe="0" outside="0" occluded="0" xtl="{2 * f + 6:.2f}" ytl="20.00" '
        f'xbr="{2 * f + 46:.2f}" ybr="{82 - f:.2f}" z_order="0"></box>\n'
        for f in (3, 4, 5)
    )
    full = write_text(
        tmp_path / "b" / "annotations.xml", EXPORT.replace('    <box frame="6"', between + '<box frame="6"')
    )
    one, other = (converted(path.parent, "--from", "cvat", path) for path in (export, full))
    assert one.videos[0].boxes.tolist() == other.videos[0].boxes.tolist()


def test_media_count_frames_but_the_annotation_tells_the_size(
    export: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = write_frames(tmp_path / "videos" / "shift.one", 22, (150, 200))
    video = converted(tmp_path, "--from", "cvat", export, "--media", tmp_path / "videos").videos[0]
    assert (video.source, video.num_frames, video.size) == (frames, 22, (300, 400))
    assert "note: the media of 1 videos have another size than their annotation says" in capsys.readouterr().out


def test_media_that_are_too_short(export: Path, tmp_path: Path) -> None:
    write_frames(tmp_path / "videos" / "shift.one", 19, (300, 400))
    line = line_of('<box frame="7"')
    with pytest.raises(
        ValueError, match=rf"annotations\.xml:{line}: the frame should be .* in 1\.\.19 .* got frame 20"
    ):
        converted(tmp_path, "--from", "cvat", export, "--media", tmp_path / "videos")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('outside="0" occluded="1"', 'occluded="1"', "<box> should have the attribute outside, got frame, keyframe"),
        ('xbr="58.00" ', "", "<box> should have the attribute xbr"),
        ('xbr="58.00"', 'xbr="wide"', "xbr should be a finite number, got 'wide'"),
        ('xbr="58.00"', 'xbr="inf"', "xbr should be a finite number, got 'inf'"),
        ('xbr="58.00"', 'xbr="18.00"', "x1 should be less than x2 .* got frame 7, box 18, 20, 18, 76; mend"),
        ('xbr="58.00"', 'xbr="401.5"', "the box should be inside of the frame, 400x300, .*--tolerance"),
        ('xtl="18.00"', 'xtl="-1.5"', "the box should be inside of the frame"),
        ('<box frame="6"', '<box frame="-6"', "frame should be an integer from 0, got '-6'"),
        ('<box frame="6"', '<box frame="20"', "frame 20 is beyond the task's last, 19; export"),
        ('<box frame="6"', '<box frame="2"', "the track has another box on frame 2; remove one"),
        ('label="Walk" source', 'label="Wolk" source', "'Wolk' is none of the 2 classes; did you mean 'Walk'"),
        ('id="5" label', 'id="0" label', r"track 0 stands in .*annotations\.xml:55 already"),
        ('id="5" label', 'id="five" label', "id should be an integer from 0, got 'five'"),
        ('occluded="1"', 'occluded="1" rotation="30.00"', "expected upright boxes, got a rotated box"),
        ("</box>\n  </track>\n</ann", "</box><points/>\n  </track>\n</ann", "<points> should have the attribute frame"),
        ("<size>20</size>", "<size>20</size><stop_frame>x</stop_frame>", "stop_frame should be an integer from 0"),
        (">19</stop_frame>", ">99999999999</stop_frame>", "expected at most 10000000 frames, got 100000000000; split"),
        ("<labels>", "<others>", r"not XML \(mismatched tag\)"),
        ("<meta>", "<meta/><other>", r"not XML \(mismatched tag\)"),
        ("<height>300</height>", "", "<original_size> should hold <height>, got width"),
    ],
)
def test_malformed_exports(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in EXPORT
    path = write_text(tmp_path / "annotations.xml", EXPORT.replace(old, new, 1))
    with pytest.raises(ValueError, match=rf"annotations\.xml:\d+(:\d+)?: {message}"):
        convert("--from", "cvat", path, "-o", tmp_path / "out")


def test_boxes_between_keyframes_have_the_line_of_the_one_before(tmp_path: Path) -> None:
    path = write_text(tmp_path / "annotations.xml", EXPORT.replace('xbr="60.00"', 'xbr="900.0"'))
    line = line_of('<box frame="6"')
    with pytest.raises(
        ValueError, match=rf"annotations\.xml:{line}: the box should be inside .* frame 8, box 19, 20, 479"
    ):
        convert("--from", "cvat", path, "-o", tmp_path / "out")
    convert("--from", "cvat", path, "-o", tmp_path / "out", "--tolerance", "79")


def test_few_keyframes_may_not_stand_for_endless_boxes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_text(tmp_path / "annotations.xml", EXPORT)
    monkeypatch.setattr(cvat_tracks, "MAX_BOXES", 19)
    line = line_of('<track id="5"')
    with pytest.raises(ValueError, match=rf"annotations\.xml:{line}: expected at most 19 boxes"):
        convert("--from", "cvat", path, "-o", tmp_path / "out")
    monkeypatch.setattr(cvat_tracks, "MAX_BOXES", 20)
    convert("--from", "cvat", path, "-o", tmp_path / "out")


def test_other_exports_of_cvat_are_named(tmp_path: Path) -> None:
    images = EXPORT.replace("<track", '<image id="0" name="a.jpg"/><track', 1)
    project = "<annotations><version>1.1</version><meta><project/></meta></annotations>"
    empty = EXPORT.replace("</annotations>", '<track id="9" label="Walk"></track></annotations>')
    for text, message in ((images, "got single pictures"), (project, "got <annotations> without"), (empty, "no box")):
        with pytest.raises(ValueError, match=message):
            convert("--from", "cvat", write_text(tmp_path / "a.xml", text), "-o", tmp_path / "out")


PART = "<start_frame>{}</start_frame>\n      <stop_frame>{}</stop_frame>\n      <frame_filter>{}</frame_filter>"
WHOLE = """<start_frame>0</start_frame>
      <stop_frame>19</stop_frame>
      <frame_filter></frame_filter>"""
TRACKS = EXPORT[EXPORT.index("  <track") : EXPORT.index("</annotations>")]
ATTRIBUTES = """<attributes>
            <attribute><name>action</name><mutable>True</mutable><input_type>select</input_type>
              <default_value>__undefined__</default_value><values>__undefined__
walk
jump</values></attribute>
            <attribute><name>note</name><mutable>True</mutable><input_type>text</input_type>
              <default_value></default_value><values></values></attribute>
          </attributes>"""


def box(frame: int, left: float = 10, *, outside: int = 0, **attributes: str) -> str:
    inner = "".join(f'<attribute name="{name}">{value}</attribute>' for name, value in attributes.items())
    corners = f'xtl="{left}" ytl="20" xbr="{left + 20}" ybr="80"'
    return f'<box frame="{frame}" keyframe="1" outside="{outside}" occluded="0" {corners} z_order="0">{inner}</box>'


def track(label: str, *boxes: str, number: int | None = None) -> str:
    identity = "" if number is None else f'id="{number}" '
    return f'<track {identity}label="{label}">{"".join(boxes)}</track>'


def task(path: Path, *tracks: str, size: int = 20, part: tuple[int, int, str] = (0, 19, "")) -> Path:
    """A task of the labels Walk and Jump on frames of a video, from the first to the last by a filter."""
    text = EXPORT.replace(TRACKS, "".join(tracks)).replace(WHOLE, PART.format(*part))
    return write_text(path, text.replace("<size>20</size>", f"<size>{size}</size>"))


def ranges(index: ActionIndex) -> list[list[int]] | None:
    annotated = index.videos[0].annotated
    return None if annotated is None else [[part[0], part[-1], part.step] for part in annotated]


def test_points_of_skeletons_are_no_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    points = "".join(
        f"<label><name>{name}</name><type>points</type><attributes></attributes><parent>{body}</parent></label>"
        for body in ("body", "hand")
        for name in ("1", "2")
    )
    bodies = "".join(f"<label><name>{name}</name><type>skeleton</type></label>" for name in ("body", "hand"))
    text = EXPORT.replace("</labels>", bodies + points + "</labels>")
    skeleton = '<track id="9" label="body"><skeleton frame="0" keyframe="1"><points label="1"/></skeleton></track>'
    path = write_text(tmp_path / "a.xml", text.replace("</annotations>", skeleton + "</annotations>"))
    index = converted(tmp_path, "--from", "cvat", path)
    assert index.classes == ("Walk", "Jump")
    assert len(index.videos[0].boxes) == 20
    assert "note: left out 1 tracks of skeletons" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("part", "size", "annotated", "frames"),
    [
        ((10, 14, ""), 5, [[11, 15, 1]], [11, 12, 13, 14, 15]),
        ((10, 18, "step=4"), 3, [[11, 19, 4]], [11, 15, 19]),
        ((0, 19, "step=5"), 4, [[1, 16, 5]], [11, 16]),
    ],
)
def test_frames_outside_of_a_task_are_not_annotated(
    tmp_path: Path, part: tuple[int, int, str], size: int, annotated: list[list[int]], frames: list[int],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    path = task(tmp_path / "a.xml", track("Walk", box(10)), part=part, size=size)
    media = write_frames(tmp_path / "videos" / "shift.one", 22, (300, 400)).parent
    index = converted(tmp_path, "--from", "cvat", path, "--media", media)
    assert ranges(index) == annotated
    assert index.videos[0].num_frames == 22
    assert index.videos[0].boxes[:, 0].tolist() == frames
    assert f"note: {22 - size} frames of 1 videos are not annotated (shift.one)" in capsys.readouterr().out
    assert ranges(converted(tmp_path, "--from", "cvat", path, "--media", media, "--all-annotated")) is None


@pytest.mark.parametrize(
    ("part", "size", "frame", "message"),
    [
        ((10, 14, ""), 5, 9, "frame 9 is before the task's first, 10; export"),
        ((10, 18, "step=4"), 3, 12, "frame 12 is between those of the task, every 4th from 10; export"),
        ((10, 14, ""), 20, 10, r"the size is 20 frames, but start_frame 10, stop_frame 14 .* make 5; .*whole task"),
        ((0, 4, "step=4"), 5, 0, r"the size is 5 frames, .*'step=4' make 2; if this is a job, export its whole task"),
        ((0, 19, "every second"), 20, 0, "expected a frame_filter such as step=5, got 'every second'"),
    ],
)
def test_parts_that_contradict_themselves(
    tmp_path: Path, part: tuple[int, int, str], size: int, frame: int, message: str
) -> None:
    path = task(tmp_path / "a.xml", track("Walk", box(frame)), part=part, size=size)
    with pytest.raises(ValueError, match=rf"a\.xml:\d+: {message}"):
        convert("--from", "cvat", path, "-o", tmp_path / "out")


def job(path: Path, first: int, last: int, *tracks: str) -> Path:
    text = task(path, *tracks, size=last - first + 1, part=(first, last, "")).read_text(encoding="utf-8")
    return write_text(path, text.replace("<task>", "<job>").replace("</task>", "</job>"))


def test_jobs_of_one_video_are_put_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = job(tmp_path / "1.xml", 0, 9, track("Walk", box(0), box(9)), track("Jump", box(3), box(4, outside=1)))
    two = job(tmp_path / "2.xml", 10, 14, track("Walk", box(10), box(14)))
    three = job(tmp_path / "3.xml", 17, 19, track("Jump", box(17, 40), box(19, 40)))
    index = converted(tmp_path, "--from", "cvat", one, two, three)
    (video,) = index.videos
    assert video.num_frames == 20
    assert ranges(index) == [[1, 15, 1], [18, 20, 1]]
    rows = np.column_stack([video.boxes[:, :2], video.actors if video.actors is not None else []])
    assert [len(rows[rows[:, 2] == actor]) for actor in range(4)] == [10, 1, 5, 3]
    assert "note: shift.one is put together from 3 sources" in capsys.readouterr().out


def test_tracks_go_on_where_jobs_overlap(tmp_path: Path) -> None:
    one = job(tmp_path / "1.xml", 0, 9, track("Jump", box(0, 99), box(1, outside=1)), track("Walk", box(0), box(9, 19)))
    two = job(tmp_path / "2.xml", 8, 14, track("Walk", box(8, 18.3), box(9, 19), box(14, 30)))
    (video,) = converted(tmp_path, "--from", "cvat", one, two).videos
    walk = video.boxes[video.boxes[:, 1] == 0]
    assert walk[:, 0].tolist() == list(range(1, 16))
    assert walk[8, 2] == 18  # as the first file says
    assert video.actors is not None
    assert set(video.actors[video.boxes[:, 1] == 0].tolist()) == {1}
    assert video.annotated is None


@pytest.mark.parametrize(
    ("tracks", "message"),
    [
        (
            [track("Walk", box(8, 50), box(14, 50))],
            r"2\.xml:\d+: Walk on frame 9 .*, 50, 20, 70, 80, is not in .*1\.xml",
        ),
        ([track("Jump", box(8), box(14))], r"2\.xml:\d+: Jump on frame 9 \(from 1\), .* is not in .*1\.xml"),
        ([track("Walk", box(9), box(14))], r"1\.xml:\d+: Walk on frame 9 \(from 1\), .* is not in .*2\.xml"),
        ([], r"1\.xml:\d+: Walk on frame 9 .* is not in .*2\.xml.*which has that frame too"),
    ],
)
def test_jobs_that_contradict_each_other(tmp_path: Path, tracks: list[str], message: str) -> None:
    one = job(tmp_path / "1.xml", 0, 9, track("Walk", box(0), box(9)))
    with pytest.raises(ValueError, match=message):
        convert("--from", "cvat", one, job(tmp_path / "2.xml", 8, 14, *tracks), "-o", tmp_path / "out")


def test_a_video_annotated_twice(tmp_path: Path) -> None:
    one = job(tmp_path / "1.xml", 0, 9, track("Walk", box(0), box(9)))
    for last in (5, 9):
        two = job(tmp_path / "2.xml", 0, last, track("Walk", box(0), box(5)))
        with pytest.raises(ValueError, match=r"2\.xml:\d+: video shift\.one is in .*1\.xml:\d+ already; remove one"):
            convert("--from", "cvat", one, two, "-o", tmp_path / "out")
    two = job(tmp_path / "2.xml", 10, 14, track("Walk", box(10)))
    for old, new, what in (("<width>400", "<width>800", "size"), ("one.mp4", "one.avi", "source")):
        other = write_text(two, two.read_text(encoding="utf-8").replace(old, new))
        with pytest.raises(ValueError, match=rf"2\.xml:\d+: the {what} of shift\.one is .*, but .* in .*1\.xml"):
            convert("--from", "cvat", one, other, "-o", tmp_path / "out")
        write_text(two, other.read_text(encoding="utf-8").replace(new, old))


def attribute_task(path: Path) -> Path:
    """Persons who walk, jump and walk, and one of whom nothing is known; then there is nobody."""
    person = track(
        "Walk",
        *(box(frame, action=action) for frame, action in ((0, "walk"), (3, "jump"), (5, "walk"))),
        box(7, outside=1, action="walk"),
    )
    unknown = track("Walk", box(6, 99, action="__undefined__"), box(10, 99, outside=1, action="__undefined__"))
    text = task(path, person, unknown).read_text(encoding="utf-8")
    return write_text(path, text.replace("<attributes>\n          </attributes>", ATTRIBUTES, 1))


def test_an_attribute_may_be_the_class(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = attribute_task(tmp_path / "a.xml")
    index = converted(tmp_path, "--from", "cvat", path, "--from-option", "class_attribute=action")
    assert index.classes == ("walk", "jump")
    (video,) = index.videos
    assert video.boxes[:, :2].tolist() == [[1, 0], [2, 0], [3, 0], [4, 1], [5, 1], [6, 0], [7, 0]]
    assert video.actors is not None
    assert len(set(video.actors[[0, 3, 5]].tolist())) == 3  # a tube for each stretch
    assert ranges(index) == [[1, 7, 1], [11, 20, 1]]  # of 8 to 10 nothing is known
    assert "note: left out 4 boxes of" in capsys.readouterr().out
    with pytest.raises(ValueError, match=r"a\.xml:2: no box has the attribute 'acton'; .*did you mean 'action'"):
        convert("--from", "cvat", path, "--from-option", "class_attribute=acton", "-o", tmp_path / "b")


def test_old_exports_name_attributes_in_one_text(tmp_path: Path) -> None:
    text = attribute_task(tmp_path / "a.xml").read_text(encoding="utf-8")
    old = "<attributes><attribute>~select=action:__undefined__,jump,walk</attribute></attributes>"
    path = write_text(tmp_path / "a.xml", text.replace(ATTRIBUTES, old))
    index = converted(tmp_path, "--from", "cvat", path, "--from-option", "class_attribute=action")
    assert index.classes == ("jump", "walk")


def test_one_label_with_varying_attributes_is_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    converted(tmp_path, "--from", "cvat", attribute_task(tmp_path / "a.xml"))
    note = "a.xml are labelled Walk, and have attributes with several values: action (jump, walk). If one"
    assert note in capsys.readouterr().out
    convert("--from", "cvat", write_text(tmp_path / "b.xml", EXPORT), "-o", tmp_path / "b")
    assert "class_attribute" not in capsys.readouterr().out


def test_tracks_without_ids_are_actors_of_their_own(tmp_path: Path) -> None:
    none = task(tmp_path / "a.xml", track("Walk", box(0)), track("Walk", box(2, 50)))
    actors = converted(tmp_path, "--from", "cvat", none).videos[0].actors
    assert actors is not None
    assert set(actors.tolist()) == {0, 1}
    some = task(tmp_path / "a.xml", track("Walk", box(0)), track("Walk", box(2, 50), number=4))
    actors = converted(tmp_path, "--from", "cvat", some).videos[0].actors
    assert actors is not None
    assert set(actors.tolist()) == {4, 5}


def test_files_with_every_box_and_nothing_outside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As published datasets have them: a track ends with its last box, and is not there in a gap."""
    path = task(tmp_path / "a.xml", track("Walk", *map(box, (2, 3, 4, 8, 9))), track("Jump", *map(box, range(3, 7))))
    boxes = converted(tmp_path, "--from", "cvat", path).videos[0].boxes
    assert boxes[boxes[:, 1] == 0, 0].tolist() == [3, 4, 5, 9, 10]
    assert boxes[boxes[:, 1] == 1, 0].tolist() == [4, 5, 6, 7]
    assert "note: " in capsys.readouterr().out
