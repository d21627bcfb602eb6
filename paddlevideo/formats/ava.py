"""AVA v2.2: a row for every action of every person on key frames, one a second."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from paddlevideo.formats.base import AnnotatedVideo, Annotation, Row, WritableFormat
from paddlevideo.formats.structured import parse_integer, parse_number
from paddlevideo.formats.text import read_lines, some
from paddlevideo.loader.index import ActionIndex, frame_ranges
from paddlevideo.registry import FORMATS
from paddlevideo.utils.files import write_text

COLUMNS = "video, second, x1, y1, x2, y2, action, person"
NO_PERSON = -1  # written where the index has no actors
_ESCAPED, _BACKSLASH = re.compile(r'(["\\])'), r"\\\1"  # of texts in quotes
Record = tuple[str, list[str]]  # place and cells of a row


@FORMATS.register
class AvaFormat(WritableFormat):
    """Files of `video, second, x1, y1, x2, y2, action, person`, boxes in fractions of the frame.

    Second s is frame `(s - start) * rate + 1`. The person is the actor. How many frames a video has and their size
    stand nowhere, so reading needs the media. Frames without a row that is taken are not annotated.

    A label map is written beside the rows, `train.pbtxt` for `train.csv`. Videos and frames without boxes have no place
    in it.

    Args:
        label_map: the `.pbtxt`, or a text file of lines `id: name`, with the names of the actions; reading needs it.
            Labels follow the ids in order.
        excluded: csv of `video, second`: key frames that are left out.
        unlisted: rows of actions that are not in the label map, as in that of the 60 that are evaluated, and rows
            without an action: `refuse` or `drop` them.
        every: take only the seconds that it divides; published results are for 4.
        rate: frames a second.
        start: the second of the first frame.

    Source: Gu et al., "AVA: a video dataset of spatio-temporally localized atomic visual actions", 2018.
    """

    suffix = ".csv"

    def __init__(
        self,
        label_map: str | None = None,
        excluded: str | None = None,
        unlisted: Literal["refuse", "drop"] = "refuse",
        every: int = 1,
        rate: int = 30,
        start: int = 900,
    ) -> None:
        if min(every, rate) < 1 or start < 0:
            raise ValueError(f"every and rate should be at least 1, start at least 0, got {every}, {rate}, {start}")
        self.label_map, self.excluded, self.unlisted = label_map, excluded, unlisted
        self.every, self.rate, self.start = every, rate, start

    def read(self, source: Path) -> Annotation:
        """Read the rows of one file."""
        if self.label_map is None:
            raise ValueError(f"{source}: has numbers of actions only; pass --from-option label_map=FILE.pbtxt")
        names = read_label_map(Path(self.label_map))
        excluded = self._excluded()
        unlisted = "without an action of the label map"
        counts = {"on excluded key frames": 0, unlisted: 0, "on other seconds": 0}
        videos: dict[str, list[Row]] = {}
        for place, cells in _records(source, 8, COLUMNS):
            second, action = self._second(cells[1], place), self._action(cells[6], names, place)
            rows = videos.setdefault(cells[0], [])
            if (cells[0], second) in excluded:
                counts["on excluded key frames"] += 1
            elif action is None:
                counts[unlisted] += 1
            elif second % self.every:
                counts["on other seconds"] += 1
            else:
                rows.append(_row((second - self.start) * self.rate + 1, cells, names[action], place))
        notes = tuple(f"left out {count} of the rows of {source}, {what}" for what, count in counts.items() if count)
        found = [_video(id, f"{source}: {id}", rows) for id, rows in videos.items()]
        return Annotation(found, source.resolve().parent, tuple(names.values()), notes=notes)

    def _excluded(self) -> set[tuple[str, int]]:
        if self.excluded is None:
            return set()
        records = _records(Path(self.excluded), 2, "video, second")
        return {(cells[0], self._second(cells[1], place)) for place, cells in records}

    def _second(self, text: str, place: str) -> int:
        second = parse_integer(text, self.start)
        if second is None:
            raise ValueError(
                f"{place}: expected a second from {self.start}, got {text!r}; mend it, or pass --from-option start=N "
                "if the media begin at another second"
            )
        return second

    def _action(self, text: str, names: dict[int, str], place: str) -> int | None:
        """The id of an action, None for a row to leave out."""
        action = parse_integer(text, -1)
        if action in names:
            return action
        drop = "mend the row"
        if action is not None or not text.strip():
            if self.unlisted == "drop":
                return None
            drop = "take the label map of all actions, or pass --from-option unlisted=drop to leave such rows out"
        raise ValueError(f"{place}: expected an action of {self.label_map}, got {text!r}; {drop}")

    def write(self, index: ActionIndex, root: Path, path: Path) -> list[str]:
        """Write the rows of one split, and the label map beside them."""
        file = io.StringIO(newline="")
        csv.writer(file, lineterminator="\n").writerows(self._rows(index))
        labels = "".join(
            f'label {{\n  name: "{_ESCAPED.sub(_BACKSLASH, name)}"\n  label_id: {number}\n}}\n'
            for number, name in enumerate(index.classes, start=1)
        )
        _write(path, file.getvalue())
        _write(path.with_suffix(".pbtxt"), labels)
        without = [video.id for video in index.videos if not len(video.boxes)]
        notes = [f"{path} lacks {len(without)} videos, as they have no box: {some(without)}"] if without else []
        bare = sum(len(np.setdiff1d(v.annotated_frames(), v.boxes[:, 0])) for v in index.videos)
        return [*notes, f"{path} lacks {bare} annotated frames, as they have no box"] if bare else notes

    def _rows(self, index: ActionIndex) -> Iterator[Sequence[str | int]]:
        for video in index.videos:
            height, width = video.size
            persons = [NO_PERSON] * len(video.boxes) if video.actors is None else video.actors.tolist()
            for (frame, label, *box), person in zip(video.boxes.tolist(), persons, strict=True):
                seconds, rest = divmod(int(frame) - 1, self.rate)
                if rest:
                    raise ValueError(
                        f"{video.id}, frame {frame:.0f}: expected boxes on whole seconds only, frames 1, "
                        f"{self.rate + 1}, ...; pass --to-option rate=1 to count frames as seconds"
                    )
                fractions = (f"{v / size:.10g}" for v, size in zip(box, (width, height) * 2, strict=True))
                yield video.id, f"{self.start + seconds:04d}", *fractions, int(label) + 1, person


def _write(path: Path, text: str) -> None:
    write_text(path, text)


def _records(path: Path, columns: int, expected: str) -> Iterator[Record]:
    reader = csv.reader(read_lines(path), strict=True)
    try:
        for cells in reader:
            if not cells:  # a blank line
                continue
            if len(cells) != columns or not cells[0]:
                raise ValueError(
                    f"{path}:{reader.line_num}: expected {expected}, got {','.join(cells)!r}; mend the row"
                )
            yield f"{path}:{reader.line_num}", cells
    except csv.Error as error:
        raise ValueError(f"{path}:{reader.line_num}: expected {expected} ({error}); mend the row") from error


def _video(id: str, place: str, rows: Sequence[Row]) -> AnnotatedVideo:
    frames = np.unique(np.array([row.frame for row in rows], np.int64))
    return AnnotatedVideo.from_rows(id, place, rows, fractions=True, annotated=frame_ranges(frames))


def _row(frame: int, cells: Sequence[str], label: str, place: str) -> Row:
    box = [parse_number(cell) for cell in cells[2:6]]
    numbers = [value for value in box if value is not None]
    person = parse_integer(cells[7], NO_PERSON)
    if len(numbers) < 4 or person is None:
        raise ValueError(f"{place}: expected {COLUMNS} as numbers, got {','.join(cells)!r}; mend the row")
    return Row(frame, numbers, label, place, None if person == NO_PERSON else person)


def _unquoted(text: str) -> str:
    """A text in the quotes of protocol buffers, or without any."""
    quoted = re.fullmatch(r"""(["'])(.*)\1""", text)
    return re.sub(r"""\\(["'\\])""", r"\1", quoted[2]) if quoted else text


def read_label_map(path: Path) -> dict[int, str]:
    """Read names by action id, in the order of the ids.

    Args:
        path: of text with blocks `label { name: "..." label_id: 1 }`, or `item` and `id`, an entry a line; or of lines
            `1: name`.

    Raises:
        ValueError: something else, or an id or name twice; names the line.
    """
    names: dict[int, str] = {}
    block: dict[str, str] = {}
    for number, line in enumerate(read_lines(path), start=1):
        text, place = line.strip(), f"{path}:{number}"
        entry = re.fullmatch(r"(name|id|label_id|label_type): *(.*)", text)
        pair = re.fullmatch(r"([0-9]+): *(.+)", text)
        if pair:
            block = {"id": pair[1], "name": pair[2]}
        if entry:
            block[entry[1].removeprefix("label_")] = _unquoted(entry[2])
        elif text == "}" or pair:
            action, name = parse_integer(block.get("id", ""), 1), block.get("name")
            if action is None or not name or action in names or name in names.values():
                raise ValueError(f"{place}: expected a name and an id, each once in the file, got {block}; mend it")
            names[action] = name
            block = {}
        elif text and not re.fullmatch(r"(item|label) *\{", text):
            raise ValueError(f"{place}: expected blocks of name and label_id (or id), got {text!r}; get the file again")
    if not names:
        raise ValueError(f"{path}: expected blocks of name and label_id (or id), got none; get the file again")
    return dict(sorted(names.items()))
