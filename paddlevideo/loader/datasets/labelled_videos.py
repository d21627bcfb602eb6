"""Videos with one class each, from a list."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from paddlevideo.loader.datasets.base import SampleDataset, on_arrival
from paddlevideo.loader.media.open_source import open_source
from paddlevideo.loader.samplers import Sampler
from paddlevideo.loader.transforms import Transform
from paddlevideo.registry import DATASETS
from paddlevideo.types import FrameInput, Frames, InputTransform, Node, Sample
from paddlevideo.utils.names import check_text
from paddlevideo.utils.text_files import read_text

_NUMBER = re.compile(r"[0-9]{1,9}")
COLUMNS = {"videos": ("path", "label"), "frames": ("path", "number of frames", "label")}


@dataclass(frozen=True)
class LabelledVideo:
    """A line of a list; `num_frames` is None where the list does not tell."""

    name: str  # as the list calls it
    source: Path
    num_frames: int | None
    label: int
    line: int


@DATASETS.register
class LabelledVideos(SampleDataset):
    """Every video of a list is a sample, or several views of it are.

    A line of the list is `PATH LABEL`, or `FOLDER NUMBER LABEL` for folders with so many pictures; labels are the
    positions in `classes`, from 0.

    Args:
        list_path: of the list.
        classes: the config's class names.
        sampler: chooses the frames of a clip.
        transforms: augmentation.
        input: the model's input transform.
        seed: see `SampleDataset`.
        kind: what a line has, `videos` or `frames`.
        root: folder that paths are relative to; None for that of the list.
        views: samples of each video, for transforms that show the network different parts; metrics join their scores.

    Raises:
        FileNotFoundError: no list.
        ValueError: a malformed line, a label that is no class, a video twice, an empty list, or no view.
    """

    input: FrameInput

    def __init__(
        self,
        list_path: str,
        classes: Sequence[str],
        sampler: Sampler,
        transforms: Sequence[Transform],
        input: FrameInput,
        seed: int | None = None,
        kind: Literal["videos", "frames"] = "videos",
        root: str | None = None,
        views: int = 1,
    ) -> None:
        super().__init__(transforms, input, seed)
        if views < 1:
            raise ValueError(f"LabelledVideos: views should be at least 1, got {views}")
        self.list_path, self.sampler, self.views, self.classes = Path(list_path), sampler, views, classes
        folder = self.list_path.parent if root is None else Path(root)
        self.videos = [*read_list(self.list_path, folder, kind, len(classes))]
        if not self.videos:
            raise ValueError(f"{list_path}: expected a line for each video, got none; build the list anew")

    @classmethod
    def made_up(cls, node: Node, classes: Sequence[str], input: InputTransform, truths: bool) -> list[Sample]:
        """Two videos of different classes, or without a class; see `SampleDataset`."""
        labels = [0, len(classes) - 1] if truths else [-1, -1]
        return [
            {"targets": {"labels": np.array([label])}, "meta": {"id": f"video{number}", "video": f"video{number}"}}
            for number, label in enumerate(labels)
        ]

    def __len__(self) -> int:
        """Videos times views."""
        return len(self.videos) * self.views

    def annotation(self, index: int) -> Sample:
        """`labels [1]`; views of one video have the same `meta.video`, and `meta.view` counts them from 0."""
        number, view = divmod(index, self.views)
        video = self.videos[number]
        name = video.name if self.views == 1 else f"{video.name}#{view}"
        meta = {"id": name, "video": video.name, "view": view}
        return {"targets": {"labels": np.array([video.label])}, "meta": meta}

    def read(self, index: int, rng: np.random.Generator | None) -> Sample:
        """The annotation with the `frames` of a clip.

        Raises:
            FileNotFoundError, ValueError: a video that is missing or damaged; names the line of the list.
        """
        video = self.videos[index // self.views]
        try:
            source = open_source(video.source, video.num_frames)
            numbers = self.sampler(len(source), len(source) - 1, rng)
            frames = source.read(numbers, on_arrival(self.transforms, self.input))
        except (FileNotFoundError, ValueError) as error:
            raise type(error)(f"{self.list_path}:{video.line}: {error}") from error
        return {**self.annotation(index), "frames": frames}

    def middle_frame(self, index: int) -> Frames:
        """A frame `[H, W, 3]` from the middle of the video of a sample, as it was stored.

        Raises:
            FileNotFoundError, ValueError: it cannot be read.
        """
        video = self.videos[index // self.views]
        source = open_source(video.source, video.num_frames)
        middle: Frames = source.read(np.array([len(source) // 2]))[0]
        return middle


def read_list(path: Path, root: Path, kind: Literal["videos", "frames"], num_classes: int) -> Iterator[LabelledVideo]:
    """The videos of a list, checked; whether the media exist is not looked at. See `LabelledVideos` for errors."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such list of videos; build it as the README of the dataset says")
    columns = COLUMNS[kind]
    first: dict[str, int] = {}
    for number, line in enumerate(read_text(path).rstrip().splitlines(), start=1):
        where, parts = f"{path}:{number}", line.rsplit(maxsplit=len(columns) - 1)
        if len(parts) != len(columns) or not all(_NUMBER.fullmatch(part) for part in parts[1:]):
            raise ValueError(f"{where}: expected {', '.join(columns)} with spaces between, got {line[:100]!r}")
        name, *counts, label = parts[0], *map(int, parts[1:])
        check_text(name, where, "mend the list")
        if label >= num_classes:
            raise ValueError(
                f"{where}: label should be below {num_classes}, the number of `classes`, got {label}; labels start at 0"
            )
        if counts == [0]:
            raise ValueError(f"{where}: {name} should have at least one frame, got 0")
        if first.setdefault(name, number) != number:
            raise ValueError(f"{where}: {name} is in line {first[name]} already; remove one")
        yield LabelledVideo(name, root / name, counts[0] if counts else None, label, number)
