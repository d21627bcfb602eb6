"""Make a small data set for temporal proposals: features of long videos, in which segments of actions are planted.

A video is a slow walk through feature space with noise on top. An action adds the pattern of its class; a decoy adds
less than half of a pattern for long, or all of it for a moment.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from paddlevideo.utils.command import run_command
from paddlevideo.utils.files import output_folder, write_json

Array: TypeAlias = npt.NDArray[np.float64]

CLASSES = ("Clap", "Dance", "Jump", "Throw")
CHANNELS = 32
SECONDS = 16 / 25  # of a snippet
LENGTHS = (80, 240)  # snippets of a video
SHARES = (0.04, 0.35)  # of a video that an action lasts
ACTIONS = (1, 5)  # of a video
GAP = 2.0  # snippets between actions, at least
STRENGTH = 1.5  # of a pattern, beside noise of 1
MARKER = ".generated"
GENERATED = ("features", "annotations.json", "video_labels.json")


class Event(NamedTuple):
    """Something that adds the pattern of a class to snippets from `start` to `end`, which may be fractions."""

    label: int
    start: float
    end: float
    strength: float


def draw_actions(rng: np.random.Generator, length: int, label: int) -> list[Event]:
    """Actions of one class that do not touch each other, in order."""
    actions: list[Event] = []
    for _ in range(int(rng.integers(ACTIONS[0], ACTIONS[1] + 1))):
        extent = length * np.exp(rng.uniform(*np.log(SHARES)))
        start = rng.uniform(0, length - extent)
        if all(start + extent + GAP < other.start or other.end + GAP < start for other in actions):
            actions.append(Event(label, start, start + extent, STRENGTH * rng.uniform(0.8, 1.2)))
    return sorted(actions, key=lambda action: action.start)


def draw_decoys(rng: np.random.Generator, length: int) -> list[Event]:
    """Weak patterns that last, and strong ones of a moment."""
    decoys = []
    for number in range(int(rng.integers(2, 6))):
        extent, strength = (length * rng.uniform(0.05, 0.2), 0.4) if number % 2 else (1.0, 1.0)
        start = rng.uniform(0, length - extent)
        decoys.append(Event(int(rng.integers(len(CLASSES))), start, start + extent, STRENGTH * strength))
    return decoys


def presence(event: Event, length: int) -> Array:
    """How much of each snippet an event is there, `[length]` in 0..1."""
    snippet = np.arange(length)
    return (np.minimum(snippet + 1, event.end) - np.maximum(snippet, event.start)).clip(0, 1)


def make_features(rng: np.random.Generator, length: int, events: Sequence[Event], patterns: Array) -> Array:
    """Features `[length, CHANNELS]` of a video with these events."""
    steps = rng.normal(0, 0.15, (length, CHANNELS))
    features = rng.normal(0, 0.5, CHANNELS) + steps.cumsum(0) - np.linspace(0, 1, length)[:, None] * steps.sum(0)
    features += rng.normal(0, 1, features.shape)
    for event in events:
        features += event.strength * presence(event, length)[:, None] * patterns[event.label]
    return features


def draw_patterns(rng: np.random.Generator) -> Array:
    """Directions of the classes, `[classes, CHANNELS]`, orthogonal, of a length that stands out of the noise."""
    directions = np.linalg.qr(rng.normal(size=(CHANNELS, len(CLASSES))))[0].T
    return 2 * directions


def clear(folder: Path) -> None:
    """Remove what an earlier run made.

    Raises:
        FileExistsError: these files are there and of another origin.
    """
    present = [name for name in GENERATED if (folder / name).exists()]
    if present and not (folder / MARKER).exists():
        raise FileExistsError(
            f"{folder}: expected an empty folder or the output of an earlier run, found {', '.join(present)} of "
            "another origin; choose another folder with -o, or move them away"
        )
    for name in present:
        shutil.rmtree(folder / name) if (folder / name).is_dir() else (folder / name).unlink()
    (folder / MARKER).write_text("made by make_features.py, which may replace what it made\n", encoding="utf-8")


def generate(out: Path, train: int = 300, test: int = 60, seed: int = 0) -> None:
    """Write the data set; what an earlier run left in `out` is replaced.

    Args:
        out: folder for `features/`, `annotations.json` and `video_labels.json`.
        train: number of training videos.
        test: number of validation videos.
        seed: start of all random numbers.

    Raises:
        ValueError: no video of a subset, or a negative seed.
        OSError: `out` cannot be written, or holds a data set of another origin.
    """
    if min(train, test) < 1 or seed < 0:
        raise ValueError(
            "make_features.py: expected at least one training and one test video and a seed from 0, got "
            f"--train {train} --test {test} --seed {seed}"
        )
    clear(output_folder(out))
    folder = output_folder(out / "features")
    patterns = draw_patterns(np.random.default_rng(seed))
    annotations, labels = {}, {}
    for number in range(train + test):
        rng = np.random.default_rng((seed, number))
        name, label, length = f"v_{number:05d}", number % len(CLASSES), int(rng.integers(*LENGTHS))
        actions = draw_actions(rng, length, label)
        features = make_features(rng, length, [*actions, *draw_decoys(rng, length)], patterns)
        np.save(folder / f"{name}.npy", features.astype(np.float32))
        duration = round(length * SECONDS, 2)
        write_json(folder / f"{name}.json", {"duration": duration, "every": 16, "fps": 25})
        annotations[name] = _node(duration, "training" if number < train else "validation", actions)
        labels[name.removeprefix("v_")] = [{"label": CLASSES[label], "score": 1.0}]
    write_json(out / "annotations.json", annotations)
    write_json(out / "video_labels.json", labels)
    print(f"{out}: {train} training and {test} validation videos of {', '.join(CLASSES)}")


def _node(duration: float, subset: str, actions: Sequence[Event]) -> dict[str, Any]:
    """What the annotation says of a video."""
    rows = [
        {
            "segment": [round(action.start * SECONDS, 3), min(round(action.end * SECONDS, 3), duration)],
            "label": CLASSES[action.label],
        }
        for action in actions
    ]
    return {"duration_second": duration, "subset": subset, "annotations": rows}


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent, help="folder (default: this one)")
    parser.add_argument("--train", type=int, default=300, help="training videos (default: 300)")
    parser.add_argument("--test", type=int, default=60, help="validation videos (default: 60)")
    parser.add_argument("--seed", type=int, default=0, help="start of all random numbers (default: 0)")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    args = parse(arguments)
    return run_command(lambda: generate(args.output, args.train, args.test, args.seed))


if __name__ == "__main__":
    sys.exit(main())
