"""From what files say to the files of splits: sources put together, class names and actors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from paddlevideo.formats import splits
from paddlevideo.formats.actors import number_actors
from paddlevideo.formats.base import SLACK_PX, AnnotatedVideo, Annotation, Size, WritableFormat
from paddlevideo.formats.finish import Finisher
from paddlevideo.formats.media import media_folder
from paddlevideo.formats.parts import join
from paddlevideo.formats.report import print_table
from paddlevideo.formats.text import check_class_file, is_name, write_classes
from paddlevideo.loader.index import MAX_COUNT, ActionIndex, are_counts
from paddlevideo.registry import suggestion
from paddlevideo.utils.files import output_folder
from paddlevideo.utils.names import check_path


@dataclass(frozen=True)
class Choices:
    """What the user decides.

    `media` is the folder of the videos or frame folders; without it the annotation is believed. `classes` are names in
    the order of their labels, empty to take those of the data. `splits` are as in `splits.choose`. `tolerance` is how
    many pixels a box may reach over the edge. `actors` says whether to keep track numbers. `annotation_size` is the
    height and width at which all boxes were drawn, whatever the files say; None to believe these. `all_annotated` says
    whether frames that the annotation does not speak of are frames without action.
    """

    media: Path | None = None
    classes: tuple[str, ...] = ()
    splits: Mapping[str, Path | None] = field(default_factory=dict)
    tolerance: float = SLACK_PX
    actors: bool = True
    annotation_size: Size | None = None
    all_annotated: bool = False


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
    finisher = Finisher(
        classes, root, choices.media is not None, choices.tolerance, choices.annotation_size, choices.all_annotated
    )
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
    """All annotations as one, with parts of a video put together.

    Raises:
        ValueError: frames of a video twice, a video outside of its folder or of impossible name, length or size, or
            media in several places.
    """
    videos, notes = _put_together(annotations)
    for video in videos:
        _check_video(video)
    roots = list(dict.fromkeys(annotation.root for annotation in annotations))
    if media is None and len(roots) > 1:
        raise ValueError(
            f"{roots[1]}: not the folder of the first source, {roots[0]}; pass --media with that of the media"
        )
    return Annotation(
        videos,
        roots[0],
        tuple(dict.fromkeys(name for annotation in annotations for name in annotation.classes)),
        {
            name: [id for annotation in annotations for id in annotation.splits.get(name, ())]
            for name in dict.fromkeys(name for annotation in annotations for name in annotation.splits)
        },
        (*(note for annotation in annotations for note in annotation.notes), *notes),
    )


def _put_together(annotations: Sequence[Annotation]) -> tuple[list[AnnotatedVideo], list[str]]:
    """The videos of all sources, and a note on each that is in several."""
    videos: dict[str, AnnotatedVideo] = {}
    sources: dict[str, list[int]] = {}  # numbers of the sources that a video is in
    for number, annotation in enumerate(annotations):
        for video in annotation.videos:
            known = videos.get(video.id)
            if known is not None and number in sources[video.id]:
                raise ValueError(f"{video.place}: video {video.id} is in {known.place} already; remove one")
            videos[video.id] = video if known is None else join(known, video)
            sources.setdefault(video.id, []).append(number)
    notes = [
        f"{id} is put together from {len(numbers)} sources; a track goes on in the next one if they share frames"
        for id, numbers in sources.items()
        if len(numbers) > 1
    ]
    return list(videos.values()), notes


def _check_video(video: AnnotatedVideo) -> None:
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
