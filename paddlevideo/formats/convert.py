"""From what files say to index entries: class names, actors, media, and every check of the boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from paddlevideo.formats import splits
from paddlevideo.formats.actors import number_actors
from paddlevideo.formats.base import AnnotatedVideo, Annotation, Size, WritableFormat
from paddlevideo.formats.media import find_source, media_folder
from paddlevideo.formats.report import print_table
from paddlevideo.formats.text import check_class_file, is_name, some, write_classes
from paddlevideo.loader.index import MAX_COUNT, ActionIndex, Boxes, VideoEntry, are_counts
from paddlevideo.loader.media.frame_source import FrameSource
from paddlevideo.loader.media.open_source import open_source
from paddlevideo.registry import suggestion
from paddlevideo.utils.files import output_folder
from paddlevideo.utils.names import check_path

SLACK_PX = 1.0  # how far a box may reach over the edge of its frame
DECIMALS = 6  # of a pixel; what is behind them is rounding on the way between formats


@dataclass(frozen=True)
class Choices:
    """What the user decides.

    `media` is the folder of the videos or frame folders; without it the annotation is believed. `classes` are names in
    the order of their labels, empty to take those of the data. `splits` are as in `splits.choose`. `tolerance` is how
    many pixels a box may reach over the edge. `actors` says whether to keep track numbers.
    """

    media: Path | None = None
    classes: tuple[str, ...] = ()
    splits: Mapping[str, Path | None] = field(default_factory=dict)
    tolerance: float = SLACK_PX
    actors: bool = True


def convert(annotations: Sequence[Annotation], writer: WritableFormat, output: Path, choices: Choices) -> None:
    """Write a file for every split, and `classes.txt`; prints a table and notes.

    Args:
        annotations: of all sources.
        writer: of the format to write.
        output: folder of the files.
        choices: of the user.

    Raises:
        FileNotFoundError: a video without media, or no such list.
        ValueError: the annotation contradicts itself, the media or the choices; names the place.
    """
    annotation = merge(annotations, choices.media)
    root = annotation.root if choices.media is None else media_folder(choices.media)
    classes = class_names(annotation, choices.classes)
    check_class_file(output_folder(output), classes)
    videos = annotation.videos if choices.actors else [replace(video, tracks=None) for video in annotation.videos]
    annotation = replace(annotation, videos=number_actors(videos, classes))
    finisher = Finisher(classes, root, choices.media is not None, choices.tolerance)
    made = {}
    for name, videos in splits.choose(annotation, choices.splits).items():
        if choices.media is not None:
            print(f"{name}: reading {len(videos)} videos")
        made[name] = tuple(finisher.entry(video) for video in videos)
        if not any(len(video.boxes) for video in made[name]):
            raise ValueError(
                f"split {name}: expected videos with boxes, got {len(videos)} videos and no box; check the sources "
                "and the lists of --split"
            )
    write_classes(output, classes)
    notes = [*annotation.notes, *finisher.notes()]
    for name, entries in made.items():
        path = output / f"{name}{writer.suffix}"
        notes += writer.write(ActionIndex(classes, entries), root, path)
        print(f"wrote {path}")
    print_table(classes, made)
    for note in notes:
        print(f"note: {note}")


def merge(annotations: Sequence[Annotation], media: Path | None) -> Annotation:
    """All annotations as one.

    Raises:
        ValueError: a video twice, outside of its folder or of impossible name, length or size, or media in several
            places.
    """
    first: dict[str, AnnotatedVideo] = {}
    for video in (video for annotation in annotations for video in annotation.videos):
        if video.id in first:
            raise ValueError(f"{video.place}: video {video.id} is in {first[video.id].place} already; remove one")
        if not is_name(video.id):
            raise ValueError(f"{video.place}: a video should have a name of one line, got {video.id!r}; rename it")
        if video.source is not None:
            check_path(video.source, f"{video.place}: the file of {video.id}")
        if Path(video.id).is_absolute() or ".." in (Path(video.id) / (video.source or "")).parts:
            raise ValueError(f"{video.place}: {video.id} should be inside of the folder of the media; rename it")
        told = [*([] if video.num_frames is None else [video.num_frames]), *(video.size or ())]
        if told and not are_counts(*told):
            raise ValueError(
                f"{video.place}: expected 1..{MAX_COUNT} frames and a size of 1..{MAX_COUNT} pixels, got "
                f"{video.num_frames} frames of {video.size} (height, width); mend it"
            )
        first[video.id] = video
    roots = list(dict.fromkeys(annotation.root for annotation in annotations))
    if media is None and len(roots) > 1:
        raise ValueError(
            f"{roots[1]}: not the folder of the first source, {roots[0]}; pass --media with that of the media"
        )
    return Annotation(
        list(first.values()),
        roots[0],
        tuple(dict.fromkeys(name for annotation in annotations for name in annotation.classes)),
        {
            name: [id for annotation in annotations for id in annotation.splits.get(name, ())]
            for name in dict.fromkeys(name for annotation in annotations for name in annotation.splits)
        },
        tuple(note for annotation in annotations for note in annotation.notes),
    )


def class_names(annotation: Annotation, chosen: tuple[str, ...]) -> tuple[str, ...]:
    """Names in the order of their labels: those chosen, else those that the format lists, else all found, sorted.

    Raises:
        ValueError: a box has another name, or a name would not stand on a line of `classes.txt`.
    """
    found = {label for video in annotation.videos for label in video.labels}
    names = chosen or annotation.classes or tuple(sorted(found))
    strange = found - set(names)
    if strange:
        boxes = (row for video in annotation.videos for row in zip(video.labels, video.places, strict=True))
        label, place = next(row for row in boxes if row[0] in strange)
        raise ValueError(
            f"{place}: {label!r} is none of the {len(names)} classes{suggestion(label, names)}; mend it, or pass all "
            "names with --classes FILE"
        )
    for name in names:
        if not is_name(name):
            boxes = (row for video in annotation.videos for row in zip(video.labels, video.places, strict=True))
            place = next((place for label, place in boxes if label == name), str(annotation.root))
            raise ValueError(
                f"{place}: a class should have a name of one line without blanks around it, got {name!r}; rename it"
            )
    return names


@dataclass
class Finisher:
    """Makes index entries of annotated videos, with a look at the media below `root` if asked to."""

    classes: tuple[str, ...]
    root: Path
    look: bool
    tolerance: float
    resized: list[str] = field(default_factory=list)  # videos with media of another size
    shorter: list[str] = field(default_factory=list)  # videos with media of fewer frames

    def entry(self, video: AnnotatedVideo) -> VideoEntry:
        """The entry of a video.

        Raises:
            FileNotFoundError: it has no media.
            ValueError: a box is impossible, or the frame size or count is not known.
        """
        source = find_source(video, self.root) if self.look else self.root / (video.source or video.id)
        media = open_source(source) if self.look else None
        if media is not None and media.first_number is not None:
            _check_numbers(video, source, media.first_number)
        size, num_frames = self._facts(video, media)
        scale = np.array([size[1], size[0]] * 2 if video.fractions else [1.0] * 4, np.float64)
        corners: Boxes = np.round(video.boxes[:, 1:] * scale, DECIMALS)  # [N, 4]
        self._check(video, corners, size, num_frames)
        number = {name: label for label, name in enumerate(self.classes)}
        labels = [number[name] for name in video.labels]
        order = np.argsort(video.boxes[:, 0], kind="stable")
        boxes = np.column_stack([video.boxes[:, 0], labels, corners])[order]
        return VideoEntry(
            video.id, source, num_frames, size, boxes, None if video.tracks is None else video.tracks[order]
        )

    def notes(self) -> list[str]:
        """What is remarkable about the media."""
        kinds = (
            (self.resized, "another size than their annotation says, whose size is kept"),
            (self.shorter, "fewer frames than their annotation says; are they complete?"),
        )
        return [f"the media of {len(ids)} videos have {what}: {some(ids)}" for ids, what in kinds if ids]

    def _facts(self, video: AnnotatedVideo, media: FrameSource | None) -> tuple[Size, int]:
        """Size and number of frames. Boxes were drawn at the size that the annotation says, if it does."""
        if media is not None:
            if video.size not in (None, media.size):
                self.resized.append(video.id)
            if len(media) < (video.num_frames or 0):
                self.shorter.append(video.id)
            return video.size or media.size, len(media)
        if video.size is None or video.num_frames is None:
            what = "size of the frames" if video.size is None else "number of frames"
            raise ValueError(f"{video.place}: the annotation does not tell the {what}; pass --media ROOT")
        return video.size, video.num_frames

    def _check(self, video: AnnotatedVideo, corners: Boxes, size: Size, num_frames: int) -> None:
        frame, over = video.boxes[:, 0], corners[:, 2:] - [size[1], size[0]]
        rules = (
            (
                (frame >= 1) & (frame <= num_frames) & (frame % 1 == 0),
                f"the frame should be an integer in 1..{num_frames} (from 1)",
                "the media are cut short, or the annotation is that of another video",
            ),
            ((corners[:, :2] < corners[:, 2:]).all(1), "x1 should be less than x2 and y1 less than y2", "mend the box"),
            (
                np.maximum(-corners[:, :2], over).max(1, initial=-np.inf) <= self.tolerance,
                f"the box should be inside of the frame, {size[1]}x{size[0]}",
                "mend it, or let it pass with --tolerance PIXELS",
            ),
        )
        for good, expected, advice in rules:
            if not good.all():
                worst = int(np.argmin(good))
                box = ", ".join(f"{v:g}" for v in corners[worst])
                raise ValueError(f"{video.places[worst]}: {expected}, got frame {frame[worst]:g}, box {box}; {advice}")


def _check_numbers(video: AnnotatedVideo, folder: Path, first: int) -> None:
    """Refuse pictures that are not numbered as the annotation counts frames, so that boxes would be on others.

    Raises:
        ValueError: the first picture is not the annotation's first frame.
    """
    if video.first is None and first > 1:
        raise ValueError(
            f"{video.place}: the pictures in {folder} are numbered from {first}, so it is not known which of them is "
            "the annotation's first frame; number them from 1"
        )
    if video.first not in (None, first):
        raise ValueError(
            f"{video.place}: the annotation counts frames from {video.first}, the pictures in {folder} from {first}; "
            f"pass --from-option first={first}, or number them alike"
        )
