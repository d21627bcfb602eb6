from __future__ import annotations

from pathlib import Path

import pytest

from paddlevideo.formats.ava import read_label_map
from tests.formats.files import convert, converted, write_frames, write_text

LABELS = """label {
  name: "talk to (e.g., self, a person, a group)"
  label_id: 79
  label_type: PERSON_INTERACTION
}
label {
  name: "sit"
  label_id: 11
  label_type: PERSON_MOVEMENT
}
"""
ITEMS = """item {
  name: "sit"
  id: 11
}
item {
  name: "talk to (e.g., self, a person, a group)"
  id: 79
}
"""
ROWS = """-5KQ66BBWC4,0902,0.077,0.151,0.283,0.811,79,1
-5KQ66BBWC4,0902,0.077,0.151,0.283,0.811,11,1
-5KQ66BBWC4,0902,0.332,0.194,0.481,0.891,11,2
-5KQ66BBWC4,0904,0.1,0.2,0.3,0.4,11,1
1j20qq1JyX4,0903,0,0,1,1,11,0
"""
SIZE = (40, 80)
ENOUGH = 121  # frames up to second 904


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_text(tmp_path / "ava.csv", ROWS)
    write_text(tmp_path / "labels.pbtxt", LABELS)
    for name in ("-5KQ66BBWC4", "1j20qq1JyX4"):
        write_frames(tmp_path / "frames" / name, ENOUGH, SIZE)
    return tmp_path


def arguments(folder: Path, *options: str) -> list[object]:
    label_map = f"label_map={folder / 'labels.pbtxt'}"
    settings = [word for option in (label_map, *options) for word in ("--from-option", option)]
    return ["--from", "ava", folder / "ava.csv", "--media", folder / "frames", *settings]


def test_rows_become_boxes_of_key_frames(data: Path) -> None:
    index = converted(data, *arguments(data))
    assert index.classes == ("sit", "talk to (e.g., self, a person, a group)")
    one, two = index.videos
    assert (one.id, one.num_frames, one.size, one.source) == (
        "-5KQ66BBWC4", ENOUGH, SIZE, data / "frames" / "-5KQ66BBWC4",
    )  # fmt: skip
    assert one.boxes.tolist() == [
        [61, 1, 6.16, 6.04, 22.64, 32.44],  # (902 - 900) * 30 + 1
        [61, 0, 6.16, 6.04, 22.64, 32.44],
        [61, 0, 26.56, 7.76, 38.48, 35.64],
        [121, 0, 8, 8, 24, 16],
    ]
    assert two.boxes.tolist() == [[91, 0, 0, 0, 80, 40]]
    assert one.actors is not None  # a person of two actions is two tubes: person * 2 + label
    assert one.actors.tolist() == [3, 2, 4, 2]


def test_both_spellings_of_label_maps(data: Path) -> None:
    before = converted(data, *arguments(data)).classes
    write_text(data / "labels.pbtxt", ITEMS)
    assert converted(data, *arguments(data)).classes == before


def test_persons_of_one_action_keep_their_number(data: Path) -> None:
    write_text(data / "ava.csv", "".join(line for line in ROWS.splitlines(True) if ",79," not in line))
    actors = [video.actors for video in converted(data, *arguments(data)).videos]
    assert [a.tolist() for a in actors if a is not None] == [[1, 2, 1], [0]]
    without = converted(data, *arguments(data), "--no-actors").videos
    assert [video.actors for video in without] == [None, None]


def test_excluded_and_other_seconds_are_left_out(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_text(data / "excluded.csv", "-5KQ66BBWC4,0902\n")
    index = converted(data, *arguments(data, f"excluded={data / 'excluded.csv'}"))
    assert [video.boxes[:, 0].tolist() for video in index.videos] == [[121], [91]]
    assert "note: left out 3 of the rows of" in capsys.readouterr().out
    index = converted(data, *arguments(data, "every=4"))
    assert [video.boxes[:, 0].tolist() for video in index.videos] == [[121], []]
    assert "left out 4 of the rows" in capsys.readouterr().out


def test_actions_outside_of_the_label_map(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_text(data / "labels.pbtxt", ITEMS[: ITEMS.index("}") + 2])
    with pytest.raises(ValueError, match=r"ava\.csv:1: expected an action of .*labels\.pbtxt, got '79'.*unlisted=drop"):
        convert(*arguments(data), "-o", data / "out")
    index = converted(data, *arguments(data, "unlisted=drop"))
    assert index.classes == ("sit",)
    assert sum(len(video.boxes) for video in index.videos) == 4
    assert "left out 1 of the rows" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("v,0902,0.1,0.2,0.3,0.4,11", "expected video, second, x1, y1, x2, y2, action, person, got 'v,0902"),
        (",", "expected video, second"),
        ("v,0902,0.1,0.2,0.3,0.4,,1", "expected an action of"),
        ("v,0902,0.1,0.2,0.3,x,11,1", "expected video, .* as numbers"),
        ("v,0902,0.1,0.2,0.3,nan,11,1", "expected video, .* as numbers"),
        ("v,0902,0.1,0.2,0.3,0.4,11,me", "expected video, .* as numbers"),
        ("v,0902.5,0.1,0.2,0.3,0.4,11,1", r"expected a second from 900, got '0902\.5'"),
        ("v,0899,0.1,0.2,0.3,0.4,11,1", r"expected a second from 900, got '0899'.*start=N"),
        ("v,0905,0.1,0.2,0.3,0.4,11,1", r"the frame should be an integer in 1\.\.121"),
        ("v,0902,0.3,0.2,0.3,0.4,11,1", "x1 should be less than x2"),
        ("v,0902,0.3,0.2,30,40,11,1", "the box should be inside of the frame, 80x40"),
        ("v,0902,0.3,0.2,0.4,0.4,11,-1", "expected a track number"),
        ('v,"0902,0.3,0.2,0.4,0.4,11,1', r"expected video, .*unexpected end of data"),
    ],
)
def test_malformed_rows(data: Path, row: str, message: str) -> None:
    first = ROWS.splitlines()[0].replace("-5KQ66BBWC4", "v")
    write_text(data / "ava.csv", f"{first}\n{row}\n")
    write_frames(data / "frames" / "v", ENOUGH, SIZE)
    with pytest.raises(ValueError, match=rf"ava\.csv:2: {message}"):
        convert(*arguments(data), "-o", data / "out")


def test_rows_without_an_action_are_dropped_if_asked_to(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As AVA-Kinetics has them, with or without a box; an unlisted action is left out in the same way."""
    lacking = "-5KQ66BBWC4,0903,0.1,0.2,0.3,0.4,,3\n-5KQ66BBWC4,0904,,,,,,\n-5KQ66BBWC4,0904,0.1,0.2,0.3,0.4,0,3\n"
    write_text(data / "ava.csv", ROWS + lacking)
    with pytest.raises(ValueError, match=r"ava\.csv:6: expected an action of .*, got ''.*unlisted=drop"):
        convert(*arguments(data), "-o", data / "out")
    index = converted(data, *arguments(data, "unlisted=drop"))
    assert [len(video.boxes) for video in index.videos] == [4, 1]
    assert "note: left out 3 of the rows of" in capsys.readouterr().out
    write_text(data / "ava.csv", ROWS + "-5KQ66BBWC4,0903,0.1,0.2,0.3,0.4,walk,3\n")
    with pytest.raises(ValueError, match=r"ava\.csv:6: expected an action of .*, got 'walk'; mend the row$"):
        convert(*arguments(data, "unlisted=drop"), "-o", data / "out")


def test_frames_without_rows_are_not_annotated(data: Path) -> None:
    write_text(data / "ava.csv", ROWS + "\n")  # files may end in a blank line
    index = converted(data, *arguments(data))
    assert [video.annotated_frames().tolist() for video in index.videos] == [[61, 121], [91]]
    index = converted(data, *arguments(data), "--all-annotated")
    assert [video.annotated for video in index.videos] == [None, None]


def test_names_with_quotes_are_written_as_text_of_protocol_buffers(data: Path) -> None:
    names = ("say 'hi'", 'say "hi"', 'back\\slash\\"')
    write_text(
        data / "labels.txt", "".join(f"{number}: {name}\n" for number, name in zip((11, 79, 80), names, strict=True))
    )
    base = ["--from", "ava", data / "ava.csv", "--media", data / "frames", "--from-option"]
    convert(*base, f"label_map={data / 'labels.txt'}", "--to", "ava", "-o", data / "out")
    written = (data / "out" / "all.pbtxt").read_text()
    assert r'''  name: "say \"hi\""''' in written
    assert r'''  name: "back\\slash\\\""''' in written
    assert tuple(read_label_map(data / "out" / "all.pbtxt").values()) == names


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ": expected blocks of name and label_id"),
        ("label {\n  name: 'a'\n}\n", ":3: expected a name and an id, each once"),
        ("label {\n  label_id: 1\n}\n", ":3: expected a name and an id, each once"),
        (ITEMS + ITEMS, ":12: expected a name and an id, each once"),
        ("sit\n", ":1: expected blocks of name and label_id .*got 'sit'"),
    ],
)
def test_malformed_label_maps(data: Path, text: str, message: str) -> None:
    write_text(data / "labels.pbtxt", text)
    with pytest.raises(ValueError, match=rf"labels\.pbtxt{message}"):
        convert(*arguments(data), "-o", data / "out")


def test_what_must_be_given(data: Path) -> None:
    with pytest.raises(ValueError, match=r"pass --from-option label_map=FILE"):
        convert("--from", "ava", data / "ava.csv", "-o", data / "out")
    without_media = [word for word in arguments(data) if word not in ("--media", data / "frames")]
    with pytest.raises(ValueError, match=r"ava\.csv: -5KQ66BBWC4: the annotation does not tell the size .*--media"):
        convert(*without_media, "-o", data / "out")
    with pytest.raises(TypeError, match="has no argument 'labelmap'; did you mean 'label_map'"):
        convert("--from", "ava", data / "ava.csv", "--from-option", "labelmap=x", "-o", data / "out")
    with pytest.raises(ValueError, match="every and rate should be at least 1"):
        convert(*arguments(data, "every=0"), "-o", data / "out")


def test_rows_are_written_as_they_were(data: Path) -> None:
    only_sitting = ROWS.splitlines(True)[3:]
    write_text(data / "ava.csv", "".join(only_sitting))
    convert(*arguments(data), "--to", "ava", "-o", data / "out")
    rows = [line.split(",") for line in (data / "out" / "all.csv").read_text().splitlines()]
    assert rows == [line.strip().replace(",11,", ",1,").split(",") for line in only_sitting]
    assert (data / "out" / "all.pbtxt").read_text().startswith('label {\n  name: "sit"\n  label_id: 1\n}\n')
