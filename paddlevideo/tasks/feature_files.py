"""Videos to feature files, which models of feature sequences read.

Of a video `NAME.mp4` there are `NAME.npy`, float32 `[T, D]`, a row for each of T snippets in order, and `NAME.json`:

    {"video": "NAME.mp4", "fps": 25.0, "num_frames": 250, "duration": 10.0, "every": 16, "snippets": 16, "width": 2048}

Snippet t is frames `t * every` to before `(t + 1) * every`, from 0; the last one may be shorter. `duration` is in
seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import paddle

from paddlevideo.config import Config
from paddlevideo.loader.datasets.base import on_arrival, prepare
from paddlevideo.loader.media.find import find_sources
from paddlevideo.loader.media.frame_source import FrameSource
from paddlevideo.loader.media.open_source import open_source
from paddlevideo.loader.samplers import Sampler
from paddlevideo.modeling.models import VideoModel
from paddlevideo.tasks.checkpoint import load_weights
from paddlevideo.tasks.parts import build_model, build_pipeline
from paddlevideo.types import FloatArray, FrameChange, Frames, Sample
from paddlevideo.utils.cpu import use_onednn
from paddlevideo.utils.files import write_atomically, write_json
from paddlevideo.utils.locks import claim
from paddlevideo.utils.logging import Progress, logger
from paddlevideo.utils.names import output_name, printable


def extract_files(config: Config, weights: str | Path, text: str, folder: Path, every: int) -> list[Path]:
    """Describe the snippets of videos with a trained model, and write the files.

    Args:
        config: of the model.
        weights: its weights.
        text: which videos, see `find_sources`.
        folder: where the files go.
        every: frames of a snippet.

    Returns:
        The files of features.

    Raises:
        FileNotFoundError: there is no such video.
        ValueError: no frame in a snippet, two videos of one name, or one that cannot be read.
        NotImplementedError: the model describes nothing.
    """
    if every < 1:
        raise ValueError(f"--every: a snippet should have at least 1 frame, got {every}")
    paths = find_sources(text)
    names = [output_name(path.resolve().name if path.is_dir() else path.stem) for path in paths]
    for name, path in zip(names, paths, strict=True):
        if names.count(name) > 1:
            raise ValueError(f"{path}: another video is called {name}, too; extract them into two folders")
    model = build_model(config)
    load_weights(model, weights)
    use_onednn(model)
    model.eval()
    with claim(folder, names):
        for name, path in zip(names, paths, strict=True):
            source = open_source(path)
            features = describe_video(model, config, source, name, every)
            write_features(folder, name, source, features, every)
    logger.info("features of %d videos are in %s", len(paths), folder)
    return [folder / f"{name}.npy" for name in names]


@paddle.no_grad()
def describe_video(model: VideoModel, config: Config, source: FrameSource, name: str, every: int) -> FloatArray:
    """The features `[T, D]` of the snippets of a video, whose frames are read once."""
    parts = build_pipeline(config.PIPELINE["test"], model.input)
    change = on_arrival(parts["transforms"], parts["input"])
    samples = iter(
        {"frames": frames, "meta": {"id": f"{name}/{number}"}}
        for number, frames in enumerate(read_snippets(source, parts["sampler"], every, change))
    )
    progress = Progress(name, -(-len(source) // every), config.log_interval)
    rows = []
    while group := list(islice(samples, config.batch_size)):
        rows.append(model.describe(_inputs(model, parts["transforms"], group)).numpy())
        progress.step(len(group))
    progress.close()
    features: FloatArray = np.concatenate(rows)
    return features


def _inputs(model: VideoModel, transforms: Any, samples: list[Sample]) -> dict[str, paddle.Tensor]:
    arrays = model.input.unpack([model.input.pack(prepare(one, transforms, model.input)) for one in samples])
    return {key: paddle.to_tensor(value) for key, value in arrays.items()}


def read_snippets(source: FrameSource, sampler: Sampler, every: int, change: FrameChange) -> Iterator[Frames]:
    """The clip `[T, H, W, 3]` of each snippet; frames that no clip has are skipped."""
    lengths = [min(every, len(source) - start) for start in range(0, len(source), every)]
    clips = [number * every + sampler(length, length - 1, None) for number, length in enumerate(lengths)]
    frames = source.decode(np.unique(np.concatenate(clips)).tolist())
    for clip in clips:
        numbers, places = np.unique(clip, return_inverse=True)
        kept = np.concatenate([change(frame[None]) for frame in islice(frames, len(numbers))])
        yield kept[places]


def write_features(folder: Path, name: str, source: FrameSource, features: FloatArray, every: int) -> None:
    """Write the two files of a video."""

    def save(path: Path) -> None:
        with path.open("wb") as file:
            np.save(file, features.astype(np.float32))

    write_atomically(folder / f"{name}.npy", save)
    about = {
        "video": printable(source.path.name),
        "fps": source.fps,
        "num_frames": len(source),
        "duration": len(source) / source.fps,
        "every": every,
        "snippets": len(features),
        "width": features.shape[1],
    }
    write_json(folder / f"{name}.json", about)
