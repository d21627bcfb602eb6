"""Batches are those of samples read one by one, whatever the workers, though frames are read once."""

from __future__ import annotations

import subprocess
import sys
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

from paddlevideo.loader import batches as module
from paddlevideo.loader.batches import Batches, EpochShuffle, OverlappingBatches, Share, ShuffledBatches, plan_runs
from paddlevideo.loader.collate import collate
from paddlevideo.loader.datasets import ActionDataset
from paddlevideo.loader.index import ActionIndex, VideoEntry, write_index
from paddlevideo.loader.media.frame_folder import FrameFolder
from paddlevideo.loader.media.frame_source import FrameSource
from paddlevideo.loader.media.video_file import VideoFile
from paddlevideo.loader.samplers import KeyframeClip
from paddlevideo.loader.transforms import ColorDistort, HorizontalFlip, JitterCrop
from paddlevideo.modeling.inputs import ClipInput
from tests.conftest import children
from tests.loader.media.pictures import HEIGHT, WIDTH, write_folder
from tests.loader.media.test_video_file import write_video

LENGTHS = {"a": 23, "b": 7, "c": 12}
BATCH = 5
WORKERS = pytest.mark.parametrize("workers", [0, 2])


@pytest.fixture(scope="module", params=["folders", "videos"])
def index(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of three videos with a box or two on every other frame."""
    folder = tmp_path_factory.mktemp(request.param)
    videos = []
    for name, count in LENGTHS.items():
        if request.param == "folders":
            source = write_folder(folder / name, count)
        else:
            source = write_video(folder / f"{name}.mp4", count, "mp4v")
        boxes = [[frame, 0, 5, 5, 40, 50] for frame in range(1, count, 2)]
        boxes += [[frame, 0, 1, 2, 30, 40] for frame in range(1, count, 6)]
        videos.append(VideoEntry(name, source, count, (HEIGHT, WIDTH), np.array(boxes, np.float64)))
    write_index(folder / "index.jsonl", ActionIndex(("Run",), tuple(videos)), folder)
    return folder / "index.jsonl"


def open_dataset(index: Path, stride: int = 1, **choices: Any) -> ActionDataset:
    sampler, input = KeyframeClip(4, [stride]), ClipInput(num_frames=4, size=32, mean=[0.4, 0.5, 0.6])
    return ActionDataset(str(index), ["Run"], sampler, choices.pop("transforms", []), input, **choices)


def assert_same(loader: Batches, dataset: ActionDataset, order: list[int]) -> None:
    """The batches of a loader are those of samples that were read one by one."""
    found = list(loader)
    assert len(found) == len(loader)
    for number, batch in enumerate(found):
        expected = collate([dataset[i] for i in order[number * BATCH : (number + 1) * BATCH]])
        assert batch["meta"] == expected["meta"]
        for part in ("inputs", "targets"):
            assert set(batch[part]) == set(expected[part])
            for name, value in expected[part].items():
                np.testing.assert_array_equal(batch[part][name].numpy(), value)
                assert batch[part][name].numpy().dtype == value.dtype


@WORKERS
@pytest.mark.parametrize("choices", [{}, {"stride": 3, "every_frame": True}, {"step": 4}])
def test_test_batches_are_those_of_single_clips(index: Path, workers: int, choices: dict[str, Any]) -> None:
    dataset = open_dataset(index, **choices)
    assert_same(OverlappingBatches(dataset, BATCH, workers), dataset, list(range(len(dataset))))


@pytest.mark.parametrize("most", [1, 5, 9])
def test_short_runs_make_the_same_batches(index: Path, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(module, "plan_runs", partial(plan_runs, most=most))
    dataset = open_dataset(index, every_frame=True)
    assert_same(OverlappingBatches(dataset, BATCH, 0), dataset, list(range(len(dataset))))


def test_frames_may_not_be_resized_before_a_transform_that_takes_them_as_they_are(index: Path) -> None:
    class CutLeft:
        resized = False

        def __call__(self, sample: dict[str, Any], rng: None) -> dict[str, Any]:
            return {**sample, "frames": sample["frames"][:, :, 30:]}

    dataset = open_dataset(index, transforms=[CutLeft()])
    assert_same(OverlappingBatches(dataset, BATCH, 0), dataset, list(range(len(dataset))))


@WORKERS
@pytest.mark.parametrize("most", [module.RUN_FRAMES, 6])
def test_every_frame_is_decoded_and_resized_once(
    index: Path, workers: int, most: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log = tmp_path / "log"  # a file, as workers are processes of their own

    def note(line: str) -> None:
        with log.open("a") as file:
            file.write(line + "\n")

    for source in (FrameFolder, VideoFile):

        def decode(self: Any, numbers: list[int], original: Any = source.decode) -> Any:
            for number, frame in zip(numbers, original(self, numbers), strict=True):
                note(f"{self.path.stem} {number + 1}")
                yield frame

        monkeypatch.setattr(source, "decode", decode)
    resize = ClipInput.resize

    def noted_resize(self: ClipInput, frames: np.ndarray) -> np.ndarray:
        if frames.shape[1:3] != self.size:
            note(f"resized {len(frames)}")
        return resize(self, frames)

    monkeypatch.setattr(ClipInput, "resize", noted_resize)
    monkeypatch.setattr(module, "plan_runs", partial(plan_runs, most=most))
    for _ in OverlappingBatches(open_dataset(index, every_frame=True), BATCH, workers):
        pass
    lines = log.read_text().splitlines()
    frames = [f"{name} {number + 1}" for name, count in LENGTHS.items() for number in range(count)]
    assert sorted(line for line in lines if not line.startswith("resized")) == sorted(frames)
    assert [line for line in lines if line.startswith("resized")] == ["resized 1"] * len(frames)


def test_runs_by_hand(index: Path) -> None:
    dataset = open_dataset(index, step=3)
    runs = list(plan_runs(dataset, range(len(dataset)), most=6))  # key frames 0, 6, 12, 18 of a, 0 of b, 0, 6 of c
    first = [(run.first, run.stop, run.new) for run in runs[:2]]
    assert first == [(0, 2, [0, 3, 4, 5, 6]), (2, 3, [9, 10, 11, 12])]
    dataset = open_dataset(index, every_frame=True)
    overlapping = list(plan_runs(dataset, range(len(dataset)), most=10))
    assert [(run.first, run.stop) for run in overlapping[:4]] == [(0, 10), (10, 20), (20, 23), (23, 30)]
    assert overlapping[1].new == list(range(10, 20))
    assert overlapping[1].frames == frozenset(range(7, 20))


@WORKERS
def test_training_batches_are_those_of_single_samples(index: Path, workers: int) -> None:
    dataset = open_dataset(index, transforms=[JitterCrop(), HorizontalFlip(), ColorDistort()], seed=3)
    dataset.epoch = 2
    order = EpochShuffle(dataset, 3)
    loader = ShuffledBatches(dataset, BATCH, workers, order)
    assert len(loader) == len(dataset) // BATCH
    assert_same(loader, dataset, list(order))
    order.limit = 2 * BATCH
    assert len(loader) == len(list(loader)) == 2


@WORKERS
def test_what_is_before_an_error_is_delivered(index: Path, workers: int, tmp_path: Path) -> None:
    """The second video has fewer frames than its index says."""
    text = index.read_text().replace('"num_frames": 7', '"num_frames": 8')
    (index.parent / "wrong.jsonl").write_text(text)
    dataset = open_dataset(index.parent / "wrong.jsonl", every_frame=True)
    batches, ids = iter(OverlappingBatches(dataset, BATCH, workers)), []
    with pytest.raises(ValueError, match=r"[/]b(\.mp4)?: expected 8 frames, got 7"):
        for batch in batches:
            ids += [meta["id"] for meta in batch["meta"]]
    assert ids == [f"a/{frame:05d}" for frame in range(1, 21)]  # whole batches of the 23 frames before


def test_a_loader_can_be_left_and_used_again(index: Path) -> None:
    dataset = open_dataset(index)
    loader = OverlappingBatches(dataset, BATCH, 0)
    next(iter(loader))
    assert_same(loader, dataset, list(range(len(dataset))))


AFTER_THREADS = """
import sys
from pathlib import Path
import cv2, numpy as np
from paddlevideo.loader.batches import OverlappingBatches
from tests.loader.test_batches import open_dataset

cv2.setNumThreads(4)
cv2.resize(np.zeros((2000, 2000, 3), np.uint8), (1500, 1500))  # OpenCV's threads begin
print(len(list(OverlappingBatches(open_dataset(Path(sys.argv[1])), 5, 2))))
"""


def test_workers_start_after_opencv_has_used_threads(index: Path) -> None:
    command = [sys.executable, "-c", AFTER_THREADS, str(index)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split()[-1] == str(len(OverlappingBatches(open_dataset(index), 5, 0)))


@pytest.mark.parametrize("end", ["error", "left"])
def test_no_worker_is_left_behind(index: Path, monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    def fail(self: FrameSource, *arguments: Any) -> NoReturn:
        raise ValueError("damaged")

    if end == "error":
        monkeypatch.setattr(FrameSource, "read", fail)
    monkeypatch.setattr(module, "plan_runs", partial(plan_runs, most=1))  # many, so that work is left
    before = children()
    batches = iter(OverlappingBatches(open_dataset(index, every_frame=True), BATCH, 2))
    with pytest.raises(ValueError, match="damaged") if end == "error" else nullcontext():
        next(batches)
    if end == "left":
        assert children() > before
    batches.close()
    assert children() == before


def ids(loader: Batches) -> list[list[str]]:
    return [[meta["id"] for meta in batch["meta"]] for batch in loader]


def test_processes_share_the_batches_of_one(index: Path) -> None:
    dataset = open_dataset(index, every_frame=True, seed=3)  # 42 samples

    def order() -> EpochShuffle:
        shuffle = EpochShuffle(dataset, 3)
        shuffle.first = 6  # of a resumed epoch
        return shuffle

    alone = ids(ShuffledBatches(dataset, 6, 0, order()))
    shares = [ids(ShuffledBatches(dataset, 2, 0, order(), Share(rank, 3))) for rank in range(3)]
    assert len(alone) == 6
    assert [[name for part in parts for name in part] for parts in zip(*shares, strict=True)] == alone
    with pytest.raises(ValueError, match=r"expected 44 samples or more for 2 processes with a batch_size of 22, got"):
        ShuffledBatches(dataset, 22, 0, order(), Share(0, 2))


@pytest.mark.parametrize("count", [2, 4, 5])
def test_processes_share_a_test_set_in_equally_many_batches(index: Path, count: int) -> None:
    dataset = open_dataset(index, every_frame=True)
    shares = [OverlappingBatches(dataset, 3, 0, Share(rank, count)) for rank in range(count)]
    assert len({len(share) for share in shares}) == 1
    seen = [name for share in shares for batch in ids(share) for name in batch]
    assert list(dict.fromkeys(seen)) == [dataset.annotation(k)["meta"]["id"] for k in range(len(dataset))]
    assert len(seen) == count * -(-len(dataset) // count)
