"""Writing what VisualDL shows, so that neither a name nor a failure of it ends a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from paddlevideo.types import Frames
from paddlevideo.utils.files import output_folder
from paddlevideo.utils.logging import logger
from paddlevideo.utils.names import printable

POINTS = 100  # of a curve
BUCKETS = 50  # of a histogram
_LETTERS = str.maketrans({"%": "\uff05", "\uff05": "~FF05", "~": "~7E"})


def board_tag(name: str) -> str:
    """A tag for VisualDL, which refuses `%`: that becomes a full-width one; different names have different tags."""
    return printable(name.translate(_LETTERS))


class BoardWriter:
    """A folder of VisualDL records; another one in the same folder adds a file.

    Args:
        folder: of the records.

    Raises:
        OSError: nothing can be written there.
    """

    def __init__(self, folder: Path) -> None:
        from visualdl import LogWriter  # its import takes seconds, so only training pays for it

        self.folder = output_folder(folder)
        self._writer = LogWriter(logdir=str(folder))
        self._reported: set[str] = set()

    def __enter__(self) -> BoardWriter:
        return self

    def __exit__(self, *_: object) -> None:
        with self.drawing():
            self._writer.close()

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """What fails in this context is logged, each failure once, and not raised: training is worth more."""
        try:
            yield
        except Exception as error:  # of VisualDL, or of what was to be shown
            text = f"{type(error).__name__}: {error}"
            if text not in self._reported:
                self._reported.add(text)
                logger.warning("warning: %s: VisualDL will lack something (%s); training goes on", self.folder, text)

    def scalar(self, name: str, value: float, step: int) -> None:
        """Add a point to a curve."""
        with self.drawing():
            self._writer.add_scalar(board_tag(name), value, step)

    def histogram(self, name: str, values: npt.NDArray[Any], step: int) -> None:
        """Show how numbers `[N]` are spread."""
        with self.drawing():
            self._writer.add_histogram(board_tag(name), values, step, buckets=BUCKETS)

    def pr_curve(self, name: str, hits: npt.NDArray[np.bool_], scores: npt.NDArray[Any], step: int) -> None:
        """Show precision over recall of answers, right or wrong `[R]`, with scores `[R]`."""
        with self.drawing(), _old_names_of_numpy():
            self._writer.add_pr_curve(board_tag(name), hits.astype(int), scores, step, POINTS)

    def image(self, name: str, picture: Frames, step: int) -> None:
        """Show a picture `[H, W, 3]`, RGB."""
        with self.drawing():
            self._writer.add_image(board_tag(name), picture, step)


@contextmanager
def _old_names_of_numpy() -> Iterator[None]:
    """VisualDL 2.5 says `np.float`, which numpy does not know any more."""
    names: Any = np
    names.float = float
    try:
        yield
    finally:
        del names.float
