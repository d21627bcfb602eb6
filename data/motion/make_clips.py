"""Render a small data set for clip classifiers: shapes that drift over a still picture, the class is where to.

All shapes of a video drift the same way and come back on the other side. Where they are, how many there are and what
they look like is drawn at random and says nothing about the class, so a frame tells nothing, nor do several frames in
any order.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from paddlevideo.utils.command import run_command
from paddlevideo.utils.files import output_folder
from paddlevideo.utils.opencv_files import open_writer

Image: TypeAlias = npt.NDArray[Any]

CLASSES = {"Down": (0, 1), "Left": (-1, 0), "Right": (1, 0), "Up": (0, -1)}  # x, y of the drift; sorted by name
MARKER = ".generated"
GENERATED = ("videos", "train.list", "test.list", "classes.txt")
SIZES = ((112, 84), (104, 80), (96, 72))  # width, height of videos in pixels
FRAMES = (20, 33)  # of a video, least and one more than most
SPEED = (1.0, 2.5)  # pixels per frame
SHAPES = (5, 9)  # of a video, least and one more than most
FPS = 25


def paint_still(rng: np.random.Generator, width: int, height: int) -> Image:
    """A dull, blurred and noisy picture, uint8 `[height, width, 3]`."""
    coarse = rng.uniform(40, 150, (6, 8, 3)).astype(np.float32)
    picture = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return (picture + rng.normal(0, 5, picture.shape)).clip(0, 255).astype(np.uint8)


def paint_shape(rng: np.random.Generator) -> tuple[Image, tuple[float, float, float]]:
    """Corners `[K, 2]` of a polygon about its middle in pixels, and its blue, green, red in 0..255."""
    corners = int(rng.integers(3, 9))
    angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
    radius = rng.uniform(6, 11) * rng.uniform(0.7, 1, corners)
    points = radius[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    blue, green, red = rng.uniform(0, 255, 3)
    return points, (float(blue), float(green), float(red))


def render(rng: np.random.Generator, direction: tuple[int, int]) -> list[Image]:
    """The frames of a video, uint8 `[height, width, 3]`."""
    width, height = SIZES[rng.integers(len(SIZES))]
    still = paint_still(rng, width, height)
    shapes = [paint_shape(rng) for _ in range(rng.integers(*SHAPES))]
    starts = rng.uniform(0, (width, height), (len(shapes), 2))
    speed, length = rng.uniform(*SPEED), int(rng.integers(*FRAMES))
    frames = []
    for number in range(length):
        frame = still.copy()
        middles = (starts + number * speed * np.array(direction)) % (width, height)
        for (points, colour), middle in zip(shapes, middles, strict=True):
            for turn in np.mgrid[-1:2, -1:2].reshape(2, -1).T * (width, height):  # parts beyond an edge come back
                corners = np.round(8 * (points + middle + turn)).astype(np.int32)
                cv2.fillPoly(frame, [corners], colour, cv2.LINE_AA, shift=3)
        frames.append(frame)
    return frames


def write_video(path: Path, frames: Sequence[Image]) -> None:
    """Write an mp4.

    Raises:
        OSError: OpenCV cannot.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = frames[0].shape[:2]
    writer = open_writer(path, FPS, (height, width))
    if not writer.isOpened():
        raise OSError(f"{path}: OpenCV cannot write mp4v video here; check free space and the OpenCV installation")
    for frame in frames:
        writer.write(frame)
    writer.release()


def clear(out: Path) -> Path:
    """Make the output folder, empty it of what an earlier run wrote, and mark it as ours.

    Raises:
        FileExistsError: it holds files of those names that this script did not write.
    """
    folder = output_folder(out)
    present = [name for name in GENERATED if name != "classes.txt" and (folder / name).exists()]
    if present and not (folder / MARKER).exists():
        raise FileExistsError(f"{folder / present[0]}: was not written by this script; choose another folder with -o")
    (folder / MARKER).touch()
    for name in present:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return folder


def run(arguments: Sequence[str] | None) -> None:
    """Parse the command line and render."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent, help="folder (default: this one)")
    parser.add_argument("--train", type=int, default=320, help="training videos (default: 320)")
    parser.add_argument("--test", type=int, default=80, help="test videos (default: 80)")
    parser.add_argument("--seed", type=int, default=0, help="start of all random numbers")
    args = parser.parse_args(arguments)
    if min(args.train, args.test) < 1 or args.seed < 0:
        raise ValueError(f"expected positive numbers of videos and a seed from 0, got {args}")
    folder = clear(args.output)
    (folder / "classes.txt").write_text("".join(f"{name}\n" for name in CLASSES), encoding="utf-8")
    for part, (split, count) in enumerate((("train", args.train), ("test", args.test))):
        lines = []
        for number in range(count):
            label = number % len(CLASSES)
            name, direction = [*CLASSES.items()][label]
            file = f"videos/{name}/{split}_{number:04d}.mp4"
            write_video(folder / file, render(np.random.default_rng((args.seed, part, number)), direction))
            lines.append(f"{file} {label}\n")
        (folder / f"{split}.list").write_text("".join(lines), encoding="utf-8")
    print(f"{args.train} train and {args.test} test videos are in {folder}")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    return run_command(lambda: run(arguments))


if __name__ == "__main__":
    sys.exit(main())
