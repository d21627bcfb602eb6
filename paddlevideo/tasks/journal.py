"""The numbers of a run: JSON lines, and the same as curves of VisualDL."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from paddlevideo.tasks.board_writer import BoardWriter
from paddlevideo.utils.files import finite_or_null, read_json_lines, remove, to_json
from paddlevideo.utils.logging import logger
from paddlevideo.utils.typed import typed

Numbers = Mapping[str, float]
GROUPS = ("batch", "train", "test")
NAME, CURVES, BOARD = "metrics.jsonl", "visualdl", "board"


def journal_files(folder: Path) -> list[Path]:
    """What the journal of a run consists of."""
    return [folder / NAME, folder / CURVES, folder / BOARD]


class _Line(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A line of the file, see `Journal`."""

    iteration: Annotated[int, Meta(ge=0)]
    epoch: Annotated[int, Meta(ge=0)]
    batch: dict[str, float | None] = {}
    train: dict[str, float | None] = {}
    test: dict[str, float | None] = {}


class SilentJournal:
    """That of a process which leaves writing to the first one."""

    def __enter__(self) -> SilentJournal:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def write(self, iteration: int, epoch: int, **numbers: Numbers) -> None:
        """Nothing."""

    def position(self) -> int:
        """0."""
        return 0


class Journal(SilentJournal):
    """`metrics.jsonl` of a run, and the folder `visualdl` that is drawn from it.

    A line has the number of batches done, `iteration`, the `epoch` that they are in, from 1, and numbers by name:
    `batch` every few batches, `train` and `test` at the end of an epoch. A number that is not finite, such as that of a
    metric without a truth, is null.

    Args:
        folder: the run's.
        position: bytes that are kept of the file; what a stopped run has written after its checkpoint is written again.
    """

    def __init__(self, folder: Path, position: int) -> None:
        self.path = folder / NAME
        with self.path.open("ab") as file:
            if file.tell() < position:
                logger.warning("warning: %s lacks %d bytes that a run wrote", self.path, position - file.tell())
            file.truncate(min(position, file.tell()))
        lines = list(_own_lines(self.path))
        self.file = self.path.open("ab", buffering=0)
        remove(folder / CURVES)
        self.board = BoardWriter(folder / CURVES)
        for line in lines:
            self._draw(line)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()
        self.board.__exit__(*error)

    def write(self, iteration: int, epoch: int, **numbers: Numbers) -> None:
        """Append a line with groups of numbers."""
        line = {
            "iteration": iteration,
            "epoch": epoch,
            **{key: finite_or_null(group) for key, group in numbers.items()},
        }
        try:
            self.file.write(f"{to_json(line, str(self.path), only_ascii=True)}\n".encode())
        except OSError as error:
            raise OSError(
                f"{self.path}: cannot write ({error.strerror}); make room and go on from the last checkpoint with "
                "--resume"
            ) from error
        self._draw(line)

    def position(self) -> int:
        """Bytes written, which are on the disk now."""
        os.fsync(self.file.fileno())
        return self.file.tell()

    def _draw(self, line: Mapping[str, Any]) -> None:
        for group in GROUPS:
            for name, value in line.get(group, {}).items():
                if value is not None:
                    self.board.scalar(f"{group}/{name}", value, line["iteration"])


def _own_lines(path: Path) -> Iterator[Mapping[str, Any]]:
    """The lines of a file that a journal has written.

    Raises:
        ValueError: one that it cannot have written.
    """
    remedy = f"delete {path} if its numbers are not needed"
    for first, lines in read_json_lines(path, remedy):
        for number, line in enumerate(lines, first):
            where = f"{path}:{number}: not a line of this program: {str(line)[:100]}"
            yield msgspec.to_builtins(typed(line, _Line, where, remedy))
