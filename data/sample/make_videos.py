"""Render a small action data set in the folder layout of UCF101-24: figures that differ only in how they move.

Each figure has a vertical, a horizontal and a size phase and an angle, all drawn at random. Its class decides which one
of the four runs; the other three stand still. One frame therefore looks alike in every class, eight do not.
"""

from __future__ import annotations

import argparse
import pickle
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from paddlevideo.loader.index import ActionIndex, VideoEntry, write_index
from paddlevideo.utils.command import run_command
from paddlevideo.utils.files import output_folder
from paddlevideo.utils.opencv_files import open_writer

Image: TypeAlias = npt.NDArray[Any]
Vector: TypeAlias = npt.NDArray[np.float64]

CLASSES = ("Hop", "Pulse", "Spin", "Sway")  # sorted; the label is the place in this row
HOP, PULSE, SPIN, SWAY = range(len(CLASSES))
INTERACTIONS = ("Carry", "Wear")  # further labels of a figure: it has a ball, a hat, both or neither
MARKER = ".generated"
GENERATED = ("rgb-images", "labels", "splitfiles", "videos", "classes.txt")
CASTS = (
    "single",
    "pair",
    "single",
    "sequel",
    "single",
    "single",
    "single",
    "single",
)  # of the videos of a class, in turn

FADE_IN, FADE_OUT = 8, 4  # frames in which a figure is partly transparent, and not annotated
SWING = 0.32  # of Hop and Sway, in figure diameters
GROWTH = 0.25  # of Pulse: the size runs from exp(-0.25) to exp(0.25) of the mean
DRIFT = 0.4  # fastest drift of a figure, pixels per frame
SPRITE = 192  # pixels of the square that a figure is painted on
CANVAS = 1.6  # size of the backdrop in frames; the widest view, 1.15, may then pan by 0.2 to each side
PERIODS = ((0.2, 0.5), (0.08, 0.2), (0.6, 1.2))  # of the backdrop's coarse, fine and border pattern, in its heights
FPS = 25

PATTERNS: dict[str, Callable[[Image, Image], Image]] = {
    "stripes": lambda u, v: np.sin(u),
    "dots": lambda u, v: np.sin(u) + np.sin(v) - 0.7,
    "clouds": lambda u, v: np.sin(0.6 * u + np.sin(0.9 * v)) + np.sin(0.7 * v + 2 * np.sin(0.4 * u)),
    "checks": lambda u, v: np.sign(np.sin(u) * np.sin(v)),
    "waves": lambda u, v: np.sin(u + 1.5 * np.sin(v)),
    "rings": lambda u, v: np.sin(np.hypot(u, v)),
}


@dataclass(frozen=True)
class Look:
    """What the videos of one split look like; the splits share no frame size and no pattern."""

    sizes: tuple[tuple[int, int], ...]  # width, height in pixels
    patterns: tuple[str, ...]
    corners: tuple[int, ...]  # of the distractors

    def colour(self, rng: np.random.Generator, saturation: tuple[float, float], value: tuple[float, float]) -> Vector:
        """A random blue, green, red in 0..255."""
        hsv = np.array([[[rng.uniform(0, 360), rng.uniform(*saturation), rng.uniform(*value)]]], np.float32)
        return 255.0 * np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR), np.float64)[0, 0]

    def mask(self, rng: np.random.Generator, width: int, height: int, period: float) -> Image:
        """A random pattern, float32 `[height, width]` in 0..1, that repeats after about `period` pixels."""
        y, x = np.mgrid[:height, :width].astype(np.float32) * np.float32(2 * np.pi / period)
        angle, a, b = rng.uniform(0, 2 * np.pi, 3)
        u = np.cos(angle) * x + np.sin(angle) * y + a
        v = np.cos(angle) * y - np.sin(angle) * x + b
        return np.clip(0.5 + 2 * PATTERNS[str(rng.choice(self.patterns))](u, v), 0, 1).astype(np.float32)


TRAIN = Look(((176, 100), (192, 108), (160, 92)), ("stripes", "dots", "clouds"), (3, 4))
TEST = Look(((184, 104), (168, 96)), ("checks", "waves", "rings"), (5, 12))


def mix(mask: Image, low: Image, high: Image) -> Image:
    """`low` where the mask is 0, `high` where it is 1: `[H, W]`, colours or `[H, W, 3]` pictures to `[H, W, 3]`."""
    return mask[..., None] * high + (1 - mask[..., None]) * low


def lerp(ends: Vector, share: float) -> Vector:
    """The point `share` of the way from the first row of `ends [2, 2]` to the second."""
    return ends[0] + share * (ends[1] - ends[0])


def figure_parts(rng: np.random.Generator) -> Iterator[Image]:
    """Masks of four limbs, a trunk and a head on the sprite, uint8 `[S, S]`, back to front."""
    hip, shoulder, middle = 118, 78, SPRITE // 2
    for side in (-1, 1):
        for joint, spread, low, high in ((hip, 12, 0.7, 1.4), (shoulder, 20, -0.6, 0.7)):
            angle, length = rng.uniform(low, high), rng.uniform(30, 38)
            start = np.array([middle + side * spread, joint])
            end = start + length * np.array([side * np.cos(angle), np.sin(angle)])
            part = np.zeros((SPRITE, SPRITE), np.uint8)
            yield cv2.line(part, start.tolist(), end.round().astype(int).tolist(), 255, int(rng.integers(20, 26)))
    trunk = (int(rng.integers(22, 31)), int(rng.integers(32, 39)))
    yield cv2.ellipse(np.zeros((SPRITE, SPRITE), np.uint8), (middle, 98), trunk, 0, 0, 360, 255, -1)
    head = (middle + int(rng.integers(-5, 6)), 48)
    yield cv2.circle(np.zeros((SPRITE, SPRITE), np.uint8), head, int(rng.integers(19, 26)), 255, -1)


def paint_figure(rng: np.random.Generator, look: Look, interactions: Sequence[int] = ()) -> Image:
    """A textured, outlined figure: float32 `[S, S, 4]`, blue, green, red in 0..255 times opacity, then opacity."""
    sprite = np.zeros((SPRITE, SPRITE, 4), np.float32)
    outline = float(rng.choice((15, 240)))
    for part in figure_parts(rng):
        strong, pale = look.colour(rng, (0.8, 1), (0.8, 1)), look.colour(rng, (0.5, 0.9), (0.7, 1))
        texture = mix(look.mask(rng, SPRITE, SPRITE, rng.uniform(60, 120)), strong, pale)
        sprite[cv2.dilate(part, np.ones((7, 7))) > 0] = (outline, outline, outline, 1)
        sprite[part > 0, :3] = texture[part > 0]
    for interaction in interactions:
        thing = draw_thing(interaction)
        sprite[cv2.dilate(thing, np.ones((9, 9))) > 0] = (0, 0, 0, 1)
        sprite[thing > 0, :3] = 255
    return sprite


def draw_thing(interaction: int) -> Image:
    """Mask of a ball before the trunk or of a flat hat, uint8 `[S, S]`."""
    mask = np.zeros((SPRITE, SPRITE), np.uint8)
    middle = SPRITE // 2
    if INTERACTIONS[interaction] == "Carry":
        return cv2.circle(mask, (middle, 104), 20, 255, -1)
    return cv2.line(mask, (middle - 34, 26), (middle + 34, 26), 255, 18)


@dataclass(frozen=True)
class Actor:
    """One figure on its way through a video; frames are counted from 0."""

    label: int
    sprite: Image  # [D, D, 4], the picture at its largest size; the circle around the figure touches the edges
    path: Vector  # [2, 2]: x, y about which it swings, when it appears and when it is gone
    phases: Vector  # [4], radians at frame 0: of the vertical swing, size, angle, horizontal swing
    speed: float  # radians per frame, of the phase that the label names
    start: int  # first annotated frame
    stop: int  # frame after the last annotated one
    interactions: tuple[int, ...] = ()  # positions in INTERACTIONS

    @property
    def labels(self) -> tuple[int, ...]:
        """Its action, then those that its interactions add."""
        return (self.label, *(len(CLASSES) + interaction for interaction in self.interactions))

    def opacity(self, frame: int) -> float:
        """0 when absent, 1 while annotated."""
        ends = (self.start - FADE_IN - 1, self.start, self.stop - 1, self.stop + FADE_OUT)
        return float(np.interp(frame, ends, (0, 1, 1, 0)))

    def layer(self, frame: int, width: int, height: int) -> Image:
        """The figure alone, as if fully opaque: float32 `[height, width, 4]`, coded like `paint_figure`."""
        phases = self.phases.copy()
        phases[self.label] += self.speed * frame
        diameter = len(self.sprite) / np.exp(GROWTH)
        sway, hop = SWING * diameter * np.sin(phases[[SWAY, HOP]])
        appears, gone = self.start - FADE_IN, self.stop + FADE_OUT
        centre = lerp(self.path, (frame - appears) / (gone - appears)) + np.array([sway, hop])
        middle = (len(self.sprite) - 1) / 2
        scale = np.exp(GROWTH * (np.sin(phases[PULSE]) - 1))
        matrix: Image = cv2.getRotationMatrix2D((middle, middle), np.degrees(phases[SPIN]), scale)
        matrix[:, 2] += centre - middle
        return cv2.warpAffine(self.sprite, matrix, (width, height), flags=cv2.INTER_LINEAR)

    def box(self, frame: int, width: int, height: int) -> tuple[int, int, int, int]:
        """x1, y1, x2, y2 in pixels around all pixels that the figure covers by half or more; x2, y2 lie past them."""
        covered = self.layer(frame, width, height)[..., 3] >= 0.5
        columns, rows = np.flatnonzero(covered.any(0)), np.flatnonzero(covered.any(1))
        return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def make_actor(
    rng: np.random.Generator,
    look: Look,
    label: int,
    span: tuple[int, int],
    room: Vector,
    diameter: float,
    interactions: tuple[int, ...] = (),
) -> Actor:
    """A figure of `diameter` pixels at mean size that never leaves `room [2, 2]`: the least and the largest x, y."""
    margin = SPRITE // 2
    painted = np.pad(paint_figure(rng, look, interactions), ((margin, margin), (margin, margin), (0, 0)))
    centre, radius = cv2.minEnclosingCircle(cv2.findNonZero((painted[..., 3] > 0).astype(np.uint8)))
    (x, y), reach = np.round(centre).astype(int), int(np.ceil(radius)) + 1
    side = round(diameter * np.exp(GROWTH))
    sprite = cv2.resize(
        painted[y - reach : y + reach + 1, x - reach : x + reach + 1], (side, side), interpolation=cv2.INTER_AREA
    )
    need = side / 2 + SWING * diameter + 1
    begin = rng.uniform(room[0] + need, room[1] - need)
    visible = span[1] - span[0] + FADE_IN + FADE_OUT
    end = np.clip(begin + rng.uniform(-DRIFT, DRIFT, 2) * visible, room[0] + need, room[1] - need)
    speed = 2 * np.pi / rng.uniform(8, 12) * rng.choice((-1, 1))
    return Actor(label, sprite, np.stack([begin, end]), rng.uniform(0, 2 * np.pi, 4), float(speed), *span, interactions)


@dataclass(frozen=True)
class Distractor:
    """A plain polygon that crosses the background on a straight line."""

    corners: Vector  # [K, 2], x, y about its middle
    path: Vector  # [2, 2], x, y of its middle in the first and the last frame
    colour: Vector

    def draw(self, picture: Image, share: float) -> None:
        """Paint it into a uint8 picture, `share` of the way."""
        points = np.round(8 * (self.corners + lerp(self.path, share))).astype(np.int32)
        cv2.fillPoly(picture, [points], self.colour.tolist(), cv2.LINE_AA, shift=3)


@dataclass(frozen=True)
class Scene:
    """A video that has not been drawn yet."""

    width: int
    height: int
    length: int
    backdrop: Image  # uint8, larger than a frame: the camera pans and zooms over it
    camera: Vector  # [2, 3]: x, y of the centre of the view and its zoom, in the first and the last frame
    distractors: list[Distractor]
    actors: list[Actor]

    def frame(self, index: int) -> Image:
        """Frame `index`, counted from 0: uint8 `[height, width, 3]`, blue, green, red."""
        share = index / (self.length - 1)
        x, y, zoom = lerp(self.camera, share)
        view = np.array([[zoom, 0, x - zoom * self.width / 2], [0, zoom, y - zoom * self.height / 2]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        picture: Image = cv2.warpAffine(self.backdrop, view, (self.width, self.height), flags=flags)
        for distractor in self.distractors:
            distractor.draw(picture, share)
        for actor in self.actors:
            if opacity := actor.opacity(index):
                layer = opacity * actor.layer(index, self.width, self.height)
                picture = np.round(layer[..., :3] + (1 - layer[..., 3:]) * picture).clip(0, 255).astype(np.uint8)
        return picture

    def tubes(self) -> list[dict[str, Any]]:
        """As in `pyannot.pkl`: label, sf, ef (past the last frame), boxes int32 `[ef - sf, 4]` x, y, w, h."""
        tubes = []
        for actor in self.actors:
            corners = [actor.box(k, self.width, self.height) for k in range(actor.start, actor.stop)]
            boxes = np.array(corners, np.int32)
            boxes[:, 2:] -= boxes[:, :2]
            tubes += [{"label": label, "sf": actor.start, "ef": actor.stop, "boxes": boxes} for label in actor.labels]
        return tubes


def paint_backdrop(rng: np.random.Generator, look: Look, width: int, height: int) -> Image:
    """Dull clutter, uint8 `[height, width, 3]`: two patterns with a third as their border, blobs, shade and noise."""
    dull = [look.colour(rng, (0.05, 0.3), (0.2, 0.55)) for _ in range(4)]
    coarse, fine, border = (look.mask(rng, width, height, height * rng.uniform(*r)) for r in PERIODS)
    picture = mix(border, mix(coarse, dull[0], dull[1]), mix(fine, dull[2], dull[3]))
    for _ in range(int(rng.integers(6, 13))):
        centre, axes = rng.uniform((0, 0), (width, height)), rng.uniform(0.03, 0.12, 2) * height
        blob = (centre.tolist(), (2 * axes).tolist(), float(rng.uniform(0, 180)))
        cv2.ellipse(picture, blob, look.colour(rng, (0.05, 0.35), (0.15, 0.6)).tolist(), -1)
    shade = np.linspace(rng.uniform(0.7, 1.1), rng.uniform(0.7, 1.1), width)[:, None]
    return (picture * shade + rng.normal(0, 6, picture.shape)).clip(0, 255).astype(np.uint8)


def draw_distractors(rng: np.random.Generator, look: Look, width: int, height: int) -> list[Distractor]:
    """Two to four polygons somewhere in a frame."""
    distractors = []
    for _ in range(int(rng.integers(2, 5))):
        corners = int(rng.choice(look.corners))
        angles = rng.uniform(0, 2 * np.pi) + 2 * np.pi * np.arange(corners) / corners
        outline = rng.uniform(0.07, 0.14) * height * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        path = rng.uniform((0, 0), (width, height), (2, 2))
        distractors.append(Distractor(outline * rng.uniform(0.6, 1, 2), path, look.colour(rng, (0.1, 0.4), (0.2, 0.7))))
    return distractors


def draw_spans(rng: np.random.Generator, cast: str) -> list[tuple[int, int]]:
    """First annotated frame and the one after the last, of each figure; a sequel's second comes after a gap."""
    start = int(rng.integers(12, 19))
    if cast == "sequel":
        stop, again = start + int(rng.integers(24, 28)), FADE_IN + int(rng.integers(1, 4))
        return [(start, stop), (stop + again, stop + again + int(rng.integers(24, 28)))]
    return [(start, start + int(rng.integers(28, 41))) for _ in range(2 if cast == "pair" else 1)]


def draw_interactions(rng: np.random.Generator) -> tuple[int, ...]:
    """Each interaction or not, as likely."""
    return tuple(number for number in range(len(INTERACTIONS)) if rng.random() < 0.5)


def make_scene(rng: np.random.Generator, look: Look, label: int, cast: str, interactions: bool = False) -> Scene:
    """A random video of one class; only the motion of its figures depends on the class."""
    width, height = look.sizes[rng.integers(len(look.sizes))]
    spans = draw_spans(rng, cast)
    rooms = np.tile(np.array([[0.0, 0.0], [width, height]]), (len(spans), 1, 1))
    if cast == "pair":  # each keeps to its half, so that no figure hides another
        rooms[0, 1, 0] = rooms[1, 0, 0] = width / 2
    low, high = (0.36, 0.42) if cast == "pair" else (0.44, 0.5)
    actors = [
        make_actor(
            rng,
            look,
            label,
            span,
            room,
            height * rng.uniform(low, high),
            draw_interactions(rng) if interactions else (),
        )
        for span, room in zip(spans, rooms, strict=True)
    ]
    wide, tall = round(CANVAS * width), round(CANVAS * height)
    centres = np.array([wide, tall]) / 2 + rng.uniform(-0.2, 0.2, (2, 2)) * (width, height)
    return Scene(
        width, height,
        length=max(stop for _, stop in spans) + int(rng.integers(6, 15)),
        backdrop=paint_backdrop(rng, look, wide, tall),
        camera=np.concatenate([centres, rng.uniform(0.85, 1.15, (2, 1))], axis=1),
        distractors=draw_distractors(rng, look, width, height),
        actors=actors,
    )  # fmt: skip


def plan(train: int, test: int, seed: int, interactions: bool = False) -> Iterator[tuple[str, str, Scene]]:
    """The split ("train" or "test"), the name `<Class>/<video>` and the scene of every video.

    The n-th videos of all classes show the same scene and figures and differ in the motion alone. A class has four
    clips in a group. Groups of the test split start at 21, or after the last one of the train split.
    """
    per_group = 4 * len(CLASSES)
    first_test_group = max(20, -(-train // per_group)) + 1
    for part, (split, count, look, first) in enumerate(
        (("train", train, TRAIN, 1), ("test", test, TEST, first_test_group))
    ):
        for index in range(count):
            turn, label = divmod(index, len(CLASSES))
            name = f"v_{CLASSES[label]}_g{first + turn // 4:02d}_c{turn % 4 + 1:02d}"
            rng = np.random.default_rng((seed, part, turn))
            yield (
                split,
                f"{CLASSES[label]}/{name}",
                make_scene(rng, look, label, CASTS[turn % len(CASTS)], interactions),
            )


def write_media(out: Path, name: str, scene: Scene) -> None:
    """Write the numbered pictures and the mp4 of one video.

    Raises:
        OSError: OpenCV could not write a file.
    """
    images, movie = out / "rgb-images" / name, out / "videos" / f"{name}.mp4"
    images.mkdir(parents=True)
    movie.parent.mkdir(parents=True, exist_ok=True)
    writer = open_writer(movie, FPS, (scene.height, scene.width))
    if not writer.isOpened():
        raise OSError(f"{movie}: OpenCV cannot write mp4v video here; check free space and the OpenCV installation")
    for index in range(scene.length):
        picture, file = scene.frame(index), images / f"{index + 1:05d}.jpg"
        writer.write(picture)
        file.write_bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes())
    writer.release()


def write_labels(folder: Path, tubes: Sequence[dict[str, Any]]) -> None:
    """Write a text file per annotated frame, rows `class x1 y1 x2 y2`; like UCF101-24, without each tube's last box."""
    rows: dict[int, list[str]] = {}
    for tube in tubes:
        for number, (x, y, w, h) in enumerate(tube["boxes"][:-1].tolist(), start=tube["sf"] + 1):
            rows.setdefault(number, []).append(f"{tube['label'] + 1} {x} {y} {x + w} {y + h}\n")
    folder.mkdir(parents=True)
    for number, lines in rows.items():
        (folder / f"{number:05d}.txt").write_text("".join(lines), encoding="utf-8")


def write_lists(folder: Path, names: dict[str, list[str]], annotation: dict[str, Any]) -> None:
    """Write `trainlist01.txt`, `testlist01.txt` and `pyannot.pkl`."""
    folder.mkdir()
    for split, members in names.items():
        (folder / f"{split}list01.txt").write_text("".join(f"{name}\n" for name in sorted(members)), encoding="utf-8")
    with (folder / "pyannot.pkl").open("wb") as file:
        pickle.dump(annotation, file, protocol=3)


def write_indexes(out: Path, names: dict[str, list[str]], annotation: dict[str, Any]) -> None:
    """Write `train.jsonl` and `test.jsonl`, where a box stands once for each label of its figure."""
    for split, members in names.items():
        videos = []
        for name in sorted(members):
            about, boxes = annotation[name], []
            for tube in about["annotations"]:
                for number, (x, y, w, h) in enumerate(tube["boxes"].tolist(), start=tube["sf"] + 1):
                    boxes.append((number, tube["label"], x, y, x + w, y + h))
            media = out / "rgb-images" / name
            videos.append(VideoEntry(name, media, about["numf"], about["size"], np.array(sorted(boxes), np.float64)))
        write_index(out / f"{split}.jsonl", ActionIndex(CLASSES + INTERACTIONS, tuple(videos)), out / "rgb-images")


def clear(out: Path, classes: Sequence[str] = CLASSES) -> None:
    """Make the output folder, empty it of what an earlier run wrote, and mark it as ours.

    Raises:
        FileExistsError: it holds a data set that this script did not write.
        PermissionError: it cannot be written.
    """
    text = "".join(f"{name}\n" for name in classes)
    folder = output_folder(out)
    present = [name for name in GENERATED if (folder / name).exists()]
    if present == ["classes.txt"] and (folder / "classes.txt").read_text(encoding="utf-8") == text:
        present = []  # as in a fresh clone
    if present and not (folder / MARKER).exists():
        raise FileExistsError(
            f"{folder}: expected a new folder or one with {MARKER} of an earlier run, found {', '.join(present)} of "
            "another origin; choose another folder with -o, or move them away"
        )
    for name in set(present) - {"classes.txt"}:
        shutil.rmtree(folder / name)
    (folder / MARKER).write_text(
        "made by make_videos.py, which may delete and replace what it made\n", encoding="utf-8"
    )
    (folder / "classes.txt").write_text(text, encoding="utf-8")


def generate(out: Path, train: int = 240, test: int = 32, seed: int = 0, interactions: bool = False) -> None:
    """Write the data set; what an earlier run left in `out` is replaced.

    Args:
        out: folder for `rgb-images/`, `labels/`, `splitfiles/`, `videos/` and `classes.txt`.
        train: number of training videos.
        test: number of test videos.
        seed: start of all random numbers; with the same one the labels are the same.
        interactions: give the figures further labels; then `train.jsonl` and `test.jsonl` take the place of `labels/`
            and `splitfiles/`, whose format has one label a video.

    Raises:
        ValueError: a split is too small for all classes, or the seed is negative.
        OSError: `out` cannot be written, or holds a data set of another origin.
    """
    if min(train, test) < len(CLASSES) or seed < 0:
        raise ValueError(
            f"make_videos.py: expected at least {len(CLASSES)} train and test videos, one of each class, and a seed "
            f"from 0, got --train {train} --test {test} --seed {seed}"
        )
    clear(out, CLASSES + INTERACTIONS if interactions else CLASSES)
    names: dict[str, list[str]] = {"train": [], "test": []}
    annotation = {}
    for split, name, scene in plan(train, test, seed, interactions):
        write_media(out, name, scene)
        tubes = scene.tubes()
        if not interactions:
            write_labels(out / "labels" / name, tubes)
        names[split].append(name)
        about = {"label": tubes[0]["label"], "numf": scene.length, "annotations": tubes}
        annotation[name] = {**about, "size": (scene.height, scene.width)} if interactions else about
    if interactions:
        write_indexes(out, names, annotation)
    else:
        write_lists(out / "splitfiles", names, annotation)
    print(f"{out}: {train} train and {test} test videos of {', '.join(CLASSES)}")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent, help="folder (default: this one)")
    parser.add_argument("--train", type=int, default=240, help="training videos (default: 240)")
    parser.add_argument("--test", type=int, default=32, help="test videos (default: 32)")
    parser.add_argument("--seed", type=int, default=0, help="start of all random numbers (default: 0)")
    parser.add_argument(
        "--interactions", action="store_true", help="figures may also carry a ball or wear a hat: several labels a box"
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    args = parse(arguments)
    return run_command(lambda: generate(args.output, args.train, args.test, args.seed, args.interactions))


if __name__ == "__main__":
    sys.exit(main())
