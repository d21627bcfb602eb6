"""Features of a video's snippets on disk: `NAME.npy` `[T, D]`, and `NAME.json` with what the array does not say."""

from __future__ import annotations

from pathlib import Path
from typing import TypeGuard

import numpy as np

from paddlevideo.types import FloatArray
from paddlevideo.utils.files import check_size
from paddlevideo.utils.text_files import load_json

HOW = "write it with tools/extract_features.py"
LARGEST, LARGEST_FACTS = 4 << 30, 1 << 20  # bytes of the files
LONGEST = 1e9  # seconds of a video


def read_features(path: Path) -> FloatArray:
    """The features `[T, D]` of a file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds something else, or a number that is not finite.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file of features; {HOW}, or mend the annotation")
    check_size(path, LARGEST)
    try:
        features = np.load(path, allow_pickle=False)
        if not isinstance(features, np.ndarray) or features.dtype.kind not in "fiu":
            raise ValueError("no array of numbers")
    except Exception as error:  # a damaged array can fail in any way
        problem = str(error) or type(error).__name__
        raise ValueError(f"{path}: expected an array [T, D] of numbers in npy format ({problem}); {HOW}") from error
    if features.ndim != 2 or 0 in features.shape:
        raise ValueError(f"{path}: expected features [T, D], time first, got {list(features.shape)}; {HOW}")
    finite = np.isfinite(features).all(1)
    if not finite.all():
        raise ValueError(f"{path}: row {finite.argmin()} of {len(features)} has nan or inf; extract the features again")
    return features.astype(np.float32)


def read_duration(path: Path) -> float:
    """Seconds of the video whose features are in `path`, from the file `NAME.json` beside it.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it does not say.
    """
    facts = path.with_suffix(".json")
    how = f'{HOW}, or write {{"duration": SECONDS}} into it'
    if not facts.is_file():
        raise FileNotFoundError(f"{facts}: no such file, which says how long the video of {path.name} is; {how}")
    check_size(facts, LARGEST_FACTS)
    try:
        content = load_json(facts)
    except ValueError as error:
        raise ValueError(f"{facts}: not a file of JSON ({error}); {how}") from error
    duration = content.get("duration") if isinstance(content, dict) else None
    if not is_duration(duration):
        raise ValueError(f"{facts}: duration should be a positive number of seconds, got {duration!r}; {how}")
    return float(duration)


def is_duration(value: object) -> TypeGuard[float]:
    """Whether a value from a file is a number above 0, up to `LONGEST`."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= LONGEST
