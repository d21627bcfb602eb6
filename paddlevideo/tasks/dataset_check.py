"""A look at all the data of a config before anything is trained: what is wrong, and what there is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias, cast

import numpy as np
import numpy.typing as npt

from paddlevideo.config import Config
from paddlevideo.loader.index import ActionIndex, Defect, IndexScan, VideoEntry
from paddlevideo.loader.media.frame_folder import FrameFolder
from paddlevideo.loader.media.open_source import open_source
from paddlevideo.modeling.models import VideoModel
from paddlevideo.tasks.anchors import Float64Array, box_shapes, describe_fit
from paddlevideo.tasks.parts import build_model, scan_dataset
from paddlevideo.types import FrameInput
from paddlevideo.utils.drawing import CELL, contact_sheet, draw_detections, fit_picture, write_picture
from paddlevideo.utils.files import output_folder, write_text
from paddlevideo.utils.logging import Progress, logger

SLACK = 1.0  # annotated pixels that a box may reach over the edge of its frame
TINY = 2.0  # pixels of the network's input; a box that is not as wide or high is hardly one
ASPECT_SLACK = 0.02  # share by which the media's width : height may differ from the annotation's
SHOWN = 10  # defects of a kind that are printed
EXAMPLES = 24  # pictures on a contact sheet, if there are not more classes than that
MOST_EXAMPLES = 96
WARNINGS = {"tiny box", "box twice", "media of two videos", "other aspect", "class without boxes"}
QUANTILES = (0, 5, 25, 50, 75, 95, 100)
BoxRows: TypeAlias = npt.NDArray[np.int64]  # [N, 3]: number of the video, frame, label


def check_datasets(config: Config, folder: str | Path, fast: bool = False) -> None:
    """Look at the data of all phases, print what there is and what is wrong, and draw examples.

    Args:
        config: its `DATASET` names the data, its model says at which size and with which anchors boxes are seen.
        folder: where a contact sheet for each phase goes, `train.png`, and `defects.txt` with all that is wrong.
        fast: decode no video and no picture of a folder beyond the first one.

    Raises:
        KeyError: the config has no dataset.
        ValueError: something is wrong; what, has been printed.
    """
    phases = [phase for phase, node in config.DATASET.items() if node is not None]
    if not phases:
        raise KeyError("DATASET is missing in the config, so there is nothing to look at")
    folder = output_folder(folder)
    model = build_model(config)
    size = cast(FrameInput, model.input).size
    scans: dict[str, IndexScan] = {}
    defects: list[Defect] = []
    for phase in phases:
        try:
            scans[phase] = scan_dataset(config, phase)
        except FileNotFoundError as error:
            defects.append(Defect("no index", str(error)))
    for phase, scan in scans.items():
        defects += [*scan.defects, *_class_defects(scan, config.classes), *_box_defects(scan, size)]
        defects += _media_defects(phase, scan, fast)
    defects += _shared_videos(scans)
    for phase, scan in scans.items():
        _show(phase, scan, model, folder / f"{phase}.png")
    logger.info("%s", balance_table({phase: scan.index for phase, scan in scans.items()}))
    if fast:
        logger.info("nothing was decoded but the first frame of each video; leave out --fast to find damaged frames")
    _conclude(defects, folder / "defects.txt")


def _class_defects(scan: IndexScan, classes: Sequence[str]) -> Iterator[Defect]:
    """Class names that are not the config's, and classes that no box has."""
    if scan.index.classes not in ((), tuple(classes)):  # empty where the header is wrong
        known = ", ".join(scan.index.classes)
        text = f"{scan.path}:1: expected the config's classes {', '.join(classes)}, got {known}; set `classes`"
        yield Defect("other classes", text)
    boxes = np.bincount(_rows(scan.index.videos)[:, 2], minlength=len(scan.index.classes))
    for label in np.flatnonzero(boxes == 0).tolist():
        yield Defect("class without boxes", f"{scan.path}: no box of class {label}, {scan.index.classes[label]}")


def _box_defects(scan: IndexScan, size: tuple[int, int]) -> Iterator[Defect]:
    """Boxes that reach out of their frame, that are hardly there, or that stand there twice; media named twice."""
    first: dict[Path, str] = {}
    for video, where in _with_places(scan):
        if first.setdefault(video.source, where) != where:
            yield Defect("media of two videos", f"{where}: {video.source} is that of {first[video.source]} already")
        boxes = video.boxes[:, 2:]
        height, width = video.size
        outside = np.maximum(-boxes[:, :2], boxes[:, 2:] - [width, height]).max(1, initial=-np.inf) > SLACK
        sides = (boxes[:, 2:] - boxes[:, :2]) * [size[1] / width, size[0] / height]
        _, kept = np.unique(video.boxes, axis=0, return_index=True)
        repeated = np.setdiff1d(np.arange(len(boxes)), kept)
        for kind, rows, expected in (
            ("box outside", np.flatnonzero(outside), f"a box should lie in its frame of {width}x{height}"),
            (
                "tiny box",
                np.flatnonzero(sides.min(1, initial=np.inf) < TINY),
                f"at {size[1]}x{size[0]} it is hardly there",
            ),
            ("box twice", repeated, "the same box and label stand in this video before"),
        ):
            for row in rows.tolist():
                frame, *corners = video.boxes[row, [0, 2, 3, 4, 5]].tolist()
                yield Defect(kind, f"{where}, frame {frame:.0f}: {expected}, got {corners}")


def _media_defects(phase: str, scan: IndexScan, fast: bool) -> list[Defect]:
    """What is wrong with the files of all videos."""
    progress = Progress(f"{phase} media", len(scan.lines), interval=200)
    defects: list[Defect] = []
    for video, where in _with_places(scan):
        try:
            defects += _video_defects(video, where, fast)
        except FileNotFoundError as error:
            defects.append(Defect("no media", f"{where}: {error}"))
        except (OSError, ValueError) as error:
            defects.append(Defect("unreadable media", f"{where}: {error}"))
        progress.step(1)
    progress.close()
    return defects


def _video_defects(video: VideoEntry, where: str, fast: bool) -> Iterator[Defect]:
    source = open_source(video.source)
    width_per_height = source.size[1] / source.size[0] / (video.size[1] / video.size[0])
    if abs(width_per_height - 1) > ASPECT_SLACK:
        sizes = f"{source.size[1]}x{source.size[0]}, the boxes were drawn at {video.size[1]}x{video.size[0]}"
        yield Defect("other aspect", f"{where}: {video.source} is {sizes}, which is no other scale but another shape")
    if fast and not isinstance(source, FrameFolder):
        return
    if len(source) != video.num_frames:
        text = f"{where}: expected {video.num_frames} frames, {video.source} has {len(source)}; get it again"
        yield Defect("number of frames", text)
    if not fast:
        for text in source.damages():
            yield Defect("damaged frame", f"{where}: {text}")


def _shared_videos(scans: dict[str, IndexScan]) -> Iterator[Defect]:
    """Videos, by name or by file, that more than one phase has."""
    first: dict[str | Path, tuple[str, str]] = {}
    for phase, scan in scans.items():
        for video, where in _with_places(scan):
            keys = (video.id, video.source)
            other = next((first[key] for key in keys if key in first and first[key][0] != phase), None)
            if other is not None:
                yield Defect("video in two splits", f"{where} is at {other[1]} too; remove one")
            for key in keys:
                first.setdefault(key, (phase, where))


def _with_places(scan: IndexScan) -> Iterator[tuple[VideoEntry, str]]:
    """Each video with its file, line and name."""
    for video, line in zip(scan.index.videos, scan.lines, strict=True):
        yield video, f"{scan.path}:{line}: {video.id}"


def _rows(videos: Sequence[VideoEntry]) -> BoxRows:
    number = np.repeat(np.arange(len(videos)), [len(video.boxes) for video in videos])
    boxes = np.concatenate([np.zeros((0, 2)), *(video.boxes[:, :2] for video in videos)])
    return np.column_stack([number, boxes]).astype(np.int64)


def balance_table(indexes: dict[str, ActionIndex]) -> str:
    """Boxes, frames with such a box and videos with one, of each class and phase."""
    names = list(dict.fromkeys(name for index in indexes.values() for name in index.classes))
    width = max(map(len, [*names, "class"]))
    lines = [
        f"{'':<{width}}" + "".join(f"{phase:>27}" for phase in indexes),
        f"{'class':<{width}}" + f"{'boxes':>9}{'frames':>9}{'videos':>9}" * len(indexes),
    ]
    counts = {phase: _class_counts(index) for phase, index in indexes.items()}
    for name in names:
        cells = [number for count in counts.values() for number in count.get(name, (0, 0, 0))]
        lines.append(f"{name:<{width}}" + "".join(f"{number:>9}" for number in cells))
    return "\n".join(["class balance", *lines])


def _class_counts(index: ActionIndex) -> dict[str, tuple[int, int, int]]:
    """Boxes, frames and videos by class name."""
    rows = _rows(index.videos)
    per_level = []
    for columns in ([0, 1, 2], [0, 2]):
        distinct = np.unique(rows[:, columns], axis=0)
        per_level.append(np.bincount(distinct[:, -1], minlength=len(index.classes)).tolist())
    boxes = np.bincount(rows[:, 2], minlength=len(index.classes)).tolist()
    return dict(zip(index.classes, zip(boxes, *per_level, strict=True), strict=True))


def _show(phase: str, scan: IndexScan, model: VideoModel, path: Path) -> None:
    """Print what a phase has, and draw examples of it."""
    size = cast(FrameInput, model.input).size
    shapes = box_shapes(scan.index.videos, size)
    logger.info("%s", _describe(phase, scan, shapes, size))
    if not len(shapes):
        return
    if model.anchors is not None:
        logger.info("%s", describe_fit(phase, shapes, model.anchors))
    write_picture(path, _sheet(scan))
    logger.info("examples are in %s", path)


def _describe(phase: str, scan: IndexScan, shapes: Float64Array, size: tuple[int, int]) -> str:
    """Totals, boxes per frame and sizes of boxes."""
    videos = scan.index.videos
    rows = _rows(videos)
    _, per_frame = np.unique(rows[:, :2], axis=0, return_counts=True)
    frames = sum(video.num_frames for video in videos)
    skipped = frames - sum(video.num_annotated for video in videos)
    partly = f"; {skipped} are not annotated and left out" if skipped else ""
    lines = [
        f"{phase}: {scan.path}",
        f"  {len(videos)} videos, {frames} frames, {len(per_frame)} of them with {len(rows)} boxes{partly}",
        "  frames by number of boxes: "
        + ", ".join(f"{k}: {n}" for k, n in sorted(Counter(per_frame.tolist()).items())),
    ]
    if len(shapes):
        lines.append(f"  sizes of boxes in pixels of the input of {size[1]}x{size[0]}")
        lines.append("    percent " + "".join(f"{q:>8}" for q in QUANTILES))
        for name, side in zip(("width", "height"), shapes.T, strict=True):
            lines.append(f"    {name:<8}" + "".join(f"{value:>8.1f}" for value in np.percentile(side, QUANTILES)))
    return "\n".join(lines)


def _sheet(scan: IndexScan) -> npt.NDArray[np.uint8]:
    """Frames of all classes with their boxes; a grey one stands for a frame that cannot be read."""
    pictures, captions = [], []
    for number, frame in _examples(_rows(scan.index.videos)):
        video = scan.index.videos[number]
        rows = video.boxes[video.boxes[:, 0] == frame]
        height, width = video.size
        truth = {"boxes": rows[:, 2:] / [width, height, width, height], "labels": rows[:, 1].astype(int)}
        caption = f"{video.id}/{frame:05d}"
        try:
            picture = open_source(video.source).read(np.array([frame - 1]))[0]
        except (OSError, ValueError):
            picture, caption = np.full((*CELL, 3), 128, np.uint8), f"{caption} unreadable"
        pictures.append(draw_detections(fit_picture(picture, CELL), truth, scan.index.classes))
        captions.append(caption)
    return contact_sheet(pictures, captions)


def _examples(rows: BoxRows) -> list[tuple[int, int]]:
    """Video number and frame of as many boxes of each class, spread evenly over them; each frame once."""
    labels = np.unique(rows[:, 2])
    each = max(1, EXAMPLES // max(1, len(labels)))
    chosen = []
    for label in labels:
        own = np.flatnonzero(rows[:, 2] == label)
        chosen.append(own[np.linspace(0, len(own) - 1, each + 2).round().astype(int)[1:-1]])
    frames = rows[np.concatenate([np.zeros(0, int), *chosen])][:MOST_EXAMPLES, :2]
    return list(dict.fromkeys((number, frame) for number, frame in frames.tolist()))


def _conclude(defects: Sequence[Defect], path: Path) -> None:
    """Print the defects by kind, warnings first, and write all of them to a file; the errors among them are raised."""
    kinds = Counter(defect.kind for defect in defects)
    parts: list[str] = []
    for kind, count in sorted(kinds.items(), key=lambda item: item[0] not in WARNINGS):
        head = f"{'warning' if kind in WARNINGS else 'error'}: {kind}: {count}"
        lines = [head, *(f"  {defect.text}" for defect in defects if defect.kind == kind)]
        more = [f"  and {count - SHOWN} more, see {path}"] if count > SHOWN else []
        logger.info("%s", "\n".join([*lines[: 1 + SHOWN], *more]))
        parts += lines
    write_text(path, "".join(f"{line}\n" for line in parts))
    errors = sum(count for kind, count in kinds.items() if kind not in WARNINGS)
    if errors:
        raise ValueError(f"{errors} defects in the data, listed above; mend them before training")
    logger.info("no error in the data, %d warnings", len(defects))
