"""How fast clips are read and prepared, beside plain loaders that take one clip at a time.

The plain loader of training does what the published code does, with Pillow: open the frames of a clip, crop, resize,
mirror and recolour each, then make float arrays. The plain loader of testing does the same without augmentation, so it
opens every frame as often as there are clips with it. From video files both decode up to the last frame of the clip
with OpenCV. All sides run in the same number of worker processes and hand out batches of tensors; they take turns, so
that whatever else the machine does meets all of them. A turn is measured from its start, that of the workers included.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import numpy as np
import paddle
from paddle.io import BatchSampler, DataLoader

try:
    from PIL import Image
except ImportError as error:
    raise SystemExit("benchmarks/loader.py compares with Pillow: pip install -e '.[bench]'") from error

from paddlevideo.config import Config, load_config
from paddlevideo.loader.batches import ShuffledBatches
from paddlevideo.loader.datasets import VideoDataset
from paddlevideo.loader.index import ActionIndex, VideoEntry, write_index
from paddlevideo.loader.media.find import find_sources
from paddlevideo.loader.media.open_source import open_source
from paddlevideo.registry import INPUTS
from paddlevideo.tasks.parts import build_dataset, build_loader
from paddlevideo.utils.command import run_command
from paddlevideo.utils.device import use_device

SIZE = (320, 240)  # of the pictures, as in the archive of UCF101-24
NETWORK = (224, 224)


class PlainClips(paddle.io.Dataset):
    """The clips of a dataset, read and prepared frame by frame with Pillow.

    Args:
        dataset: chooses the frames.
        augment: whether to do as in training.
    """

    def __init__(self, dataset: VideoDataset, augment: bool) -> None:
        super().__init__()
        self.dataset, self.augment = dataset, augment

    def __len__(self) -> int:
        """How many clips there are."""
        return len(self.dataset)

    def __getitem__(self, index: int) -> np.ndarray:
        """Float32 `[3, T, 224, 224]`."""
        rng = np.random.default_rng(index)
        frames = list(plain_frames(self.dataset.place(index).path, self.dataset.clip(index, rng)))
        frames = augmented(frames, rng) if self.augment else [frame.resize(NETWORK) for frame in frames]
        return np.stack([np.asarray(frame, np.float32).transpose(2, 0, 1) / 255 for frame in frames], axis=1)


def plain_frames(path: Path, numbers: np.ndarray) -> Iterator[Image.Image]:
    """The frames of a clip, rising, from a folder of pictures or a video file."""
    if path.is_dir():
        for number in numbers:
            yield Image.open(path / f"{number + 1:05d}.jpg").convert("RGB")
        return
    capture = cv2.VideoCapture(str(path))
    position = 0
    for number in numbers:
        while position <= number:
            capture.grab()
            position += 1
        yield Image.fromarray(cv2.cvtColor(capture.retrieve()[1], cv2.COLOR_BGR2RGB))
    capture.release()


def augmented(frames: Sequence[Image.Image], rng: np.random.Generator) -> list[Image.Image]:
    """Jitter, flip and colours as the published code has them, drawn once for the clip."""
    width, height = frames[0].size
    dx, dy = int(0.2 * width), int(0.2 * height)
    left, right = rng.integers(-dx, dx + 1, 2)
    top, bottom = rng.integers(-dy, dy + 1, 2)
    window = (left, top, width - right - 1, height - bottom - 1)
    flip = rng.random() < 0.5
    hue = rng.uniform(-0.1, 0.1)
    saturation, value = (factor if rng.random() < 0.5 else 1 / factor for factor in rng.uniform(1, 1.5, 2))
    prepared = []
    for frame in frames:
        small = frame.crop(window).resize(NETWORK)
        if flip:
            small = small.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        prepared.append(recoloured(small, hue, saturation, value))
    return prepared


def recoloured(picture: Image.Image, hue: float, saturation: float, value: float) -> Image.Image:
    """A picture with shifted hue and scaled saturation and value."""

    def shifted(level: int) -> float:
        moved = level + 255 * hue
        return moved - 255 if moved > 255 else moved + 255 if moved < 0 else moved

    h, s, v = picture.convert("HSV").split()
    h, s, v = h.point(shifted), s.point(lambda level: level * saturation), v.point(lambda level: level * value)
    return Image.merge("HSV", (h, s, v)).convert("RGB")


@dataclass(frozen=True)
class Side:
    """One way to get batches of clips."""

    name: str
    batches: Iterable[Any]

    def clips_a_second(self) -> float:
        """Speed of one turn."""
        start = time.perf_counter()
        count = sum(len(batch["inputs"]["clip"] if isinstance(batch, dict) else batch) for batch in self.batches)
        return count / (time.perf_counter() - start)


def sides(config: Config, phase: Literal["train", "test"], clips: int) -> list[Side]:
    """Ours first, which takes more clips as it is faster; of testing also our own reading of clip by clip."""
    dataset = cast(VideoDataset, build_dataset(config, phase, INPUTS.build(config.MODEL["input"])))
    is_training = phase == "train"

    def plain(order: Iterable[int]) -> DataLoader:
        stacked: Any = np.stack  # Paddle's type for it does not know this
        batches = BatchSampler(sampler=order, batch_size=config.batch_size)
        clips = PlainClips(dataset, augment=is_training)
        return DataLoader(clips, batch_sampler=batches, num_workers=config.num_workers, collate_fn=stacked)

    def single(order: Iterable[int]) -> ShuffledBatches:
        return ShuffledBatches(dataset, config.batch_size, config.num_workers, order)

    chance = np.random.default_rng(0)
    if is_training:
        few, many = (chance.integers(0, len(dataset), count).tolist() for count in (clips, 4 * clips))
        return [Side("ours", single(many)), Side("Pillow", plain(few))]
    return [
        Side("ours", build_loader(config, dataset)),
        Side("Pillow", plain(range(clips))),
        Side("ours, clip by clip", single(range(2 * clips))),
    ]


def write_data(videos: Sequence[Path], folder: Path, copies: int) -> dict[str, Path]:
    """Folders of pictures of all videos, and index files by kind of media that hold each video several times."""
    entries: dict[str, list[VideoEntry]] = {"jpeg folders": [], "video files": []}
    for video in videos:
        pictures = folder / video.stem
        pictures.mkdir()
        for number, frame in enumerate(open_source(video).frames(), start=1):
            small = cv2.resize(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), SIZE)
            cv2.imwrite(str(pictures / f"{number:05d}.jpg"), small)
        boxes = np.array([[frame, 0, 80, 60, 240, 180] for frame in range(1, number + 1)], np.float64)
        for media, found in zip((pictures, video.resolve()), entries.values(), strict=True):
            for copy in range(copies):
                found.append(VideoEntry(f"{video.stem}/{copy}", media, number, SIZE[::-1], boxes))
    paths = {}
    for kind, found in entries.items():
        paths[kind] = folder / f"{kind.split()[0]}.jsonl"
        write_index(paths[kind], ActionIndex(("action",), tuple(found)), "/")
    return paths


def measure(name: str, competitors: Sequence[Side], rounds: int) -> None:
    """Let all sides take turns, then print their medians and how many times the others' speed ours is."""
    speeds = np.array([[side.clips_a_second() for side in competitors] for _ in range(rounds)])
    for number, side in enumerate(competitors):
        ratios = speeds[:, 0] / speeds[:, number]
        spread = f"{np.median(ratios):>8.1f}{ratios.min():>8.1f} -{ratios.max():>5.1f}" if number else ""
        print(f"{name:<32}{side.name:<20}{np.median(speeds[:, number]):>10.1f}{spread}", flush=True)


def run(arguments: Sequence[str] | None) -> None:
    """Write the data, let all sides take turns, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("videos", help="folder of videos, such as the real clips of UCF101")
    parser.add_argument("-c", "--config", type=Path, default=Path("configs/localization/yowo.yaml"))
    parser.add_argument("--workers", type=int, default=2, help="processes of every side; 0 reads in one thread")
    parser.add_argument("--rounds", type=int, default=3, help="turns of every side")
    parser.add_argument("--clips", type=int, default=96, help="in a turn of the slowest side")
    parser.add_argument("--copies", type=int, default=2, help="of each video in the index")
    args = parser.parse_args(arguments)
    use_device("cpu")
    print(f"{'':<32}{'':<20}{'clips/s':>10}{'ours is':>8}{'times':>8}")
    with tempfile.TemporaryDirectory() as folder:
        for kind, index in write_data(find_sources(args.videos), Path(folder), args.copies).items():
            data = [f"DATASET.{phase}.index={index}" for phase in ("train", "test")]
            config = load_config(args.config, [*data, "classes=[action]", f"num_workers={args.workers}"])
            measure(f"training, {kind}", sides(config, "train", args.clips), args.rounds)
            measure(f"testing in order, {kind}", sides(config, "test", args.clips), args.rounds)


if __name__ == "__main__":
    sys.exit(run_command(lambda: run(None)))
