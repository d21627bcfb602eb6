from __future__ import annotations

from pathlib import Path

import pytest

from paddlevideo.formats import cvat
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
    monkeypatch.setattr(cvat, "MAX_BOXES", 19)
    line = line_of('<track id="5"')
    with pytest.raises(ValueError, match=rf"annotations\.xml:{line}: expected at most 19 boxes"):
        convert("--from", "cvat", path, "-o", tmp_path / "out")
    monkeypatch.setattr(cvat, "MAX_BOXES", 20)
    convert("--from", "cvat", path, "-o", tmp_path / "out")


def test_other_exports_of_cvat_are_named(tmp_path: Path) -> None:
    images = EXPORT.replace("<track", '<image id="0" name="a.jpg"/><track', 1)
    project = "<annotations><version>1.1</version><meta><project/></meta></annotations>"
    empty = EXPORT.replace("</annotations>", '<track id="9" label="Walk"></track></annotations>')
    for text, message in ((images, "got single pictures"), (project, "got <annotations> without"), (empty, "no box")):
        with pytest.raises(ValueError, match=message):
            convert("--from", "cvat", write_text(tmp_path / "a.xml", text), "-o", tmp_path / "out")
