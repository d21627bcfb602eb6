"""Features of whole videos on disk, one file a video, for models that look beyond their clip."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from paddlevideo.types import Arrays, FloatArray, IntArray
from paddlevideo.utils.files import write_atomically
from paddlevideo.utils.names import output_name

LARGEST = 1 << 30  # bytes of a video's features
HOW = "write the bank with tools/extract_features.py"


def _path(folder: Path, video: str) -> Path:
    """The file of a video, in the folders that its id names; ids may be longer than names of files."""
    *parents, name = map(output_name, video.split("/"))
    return folder.joinpath(*parents, f"{name}.npz")


def write_bank(folder: Path, video: str, frames: IntArray, features: FloatArray) -> None:
    """Write the file of a video.

    Args:
        folder: of the bank.
        video: its id in the annotation index.
        frames: `[L]`, numbers from 1 of the last frames of the clips that were described, rising.
        features: `[L, D]`.
    """
    path = _path(folder, video)
    path.parent.mkdir(parents=True, exist_ok=True)

    def save(temporary: Path) -> None:
        with temporary.open("wb") as file:
            np.savez(file, frames=frames, features=features)

    write_atomically(path, save)


def read_bank(folder: Path, video: str, frame: int) -> Arrays:
    """What a video's bank holds, as seen from a key frame.

    Args:
        folder: of the bank.
        video: its id in the annotation index.
        frame: the key frame, from 1.

    Returns:
        `offsets [L]`, in frames from the key frame, and `features [L, D]`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no file of a bank.
    """
    path = _path(folder, video)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no features of this video; {HOW}")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
            claimed = sum(info.file_size for info in content.zip.infolist())  # a small member may hold much
            if claimed > LARGEST:
                raise ValueError(f"its arrays claim {claimed} bytes, at most {LARGEST} are read")
            frames, features = content["frames"], content["features"]
    except Exception as error:  # a damaged archive can fail in any way
        problem = str(error) or type(error).__name__
        raise ValueError(f"{path}: expected arrays frames [L] and features [L, D] ({problem}); {HOW}") from error
    if frames.ndim != 1 or features.ndim != 2 or len(frames) != len(features):
        raise ValueError(
            f"{path}: expected frames [L] and features [L, D], got {frames.shape} and {features.shape}; {HOW}"
        )
    return {"offsets": frames - frame, "features": features}
