"""The augmentations draw what the published code draws: compared with a sampler that follows its description.

Bounds hold with a probability of one in a million of being broken by chance alone, and seeds are fixed.
"""

from __future__ import annotations

import colorsys
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from paddlevideo.loader.transforms import ColorDistort, HorizontalFlip, JitterCrop

WIDTH, HEIGHT = 320, 240
COLOUR = (0.5, 160 / 255, 165 / 255)  # hue, saturation, value: no factor up to 1.5 makes it clip
CROPS, COLOURS = 6000, 20000
Draws = npt.NDArray[np.float64]


def published_crops(rng: np.random.Generator, count: int) -> Draws:
    """Left, right, top, bottom `[count, 4]`: integers up to a fifth of the frame to either side, both ends included."""
    dx, dy = WIDTH // 5, HEIGHT // 5
    return np.array([[rng.integers(-d, d + 1) for d in (dx, dx, dy, dy)] for _ in range(count)], np.float64)


def published_colours(rng: np.random.Generator, count: int) -> Draws:
    """Hue shift, saturation and value factor `[count, 3]`: a factor up to 1.5, or by a fair coin its inverse."""

    def factor() -> float:
        drawn = rng.uniform(1, 1.5)
        return drawn if rng.integers(2) else 1 / drawn

    return np.array([[rng.uniform(-0.1, 0.1), factor(), factor()] for _ in range(count)])


def assert_same_distribution(drawn: Draws, published: Draws) -> None:
    """Two-sample Kolmogorov-Smirnov test."""
    both = np.sort(np.concatenate([drawn, published]))
    below = [np.searchsorted(np.sort(sample), both, side="right") / len(sample) for sample in (drawn, published)]
    bound = np.sqrt(-np.log(1e-6 / 2) / 2 * (1 / len(drawn) + 1 / len(published)))
    assert np.abs(below[0] - below[1]).max() < bound


def assert_independent(columns: Draws) -> None:
    """No two columns `[count, K]` are correlated."""
    correlation = np.corrcoef(columns, rowvar=False) - np.eye(columns.shape[1])
    assert np.abs(correlation).max() < 5 / np.sqrt(len(columns))


def sample_of(frames: npt.NDArray[np.uint8]) -> dict[str, Any]:
    box = np.array([[0.3, 0.4, 0.5, 0.5]], np.float32)  # inside of every crop, and not in the middle
    return {"frames": frames, "targets": {"boxes": box, "labels": np.array([0])}}


@pytest.fixture(scope="module")
def crops() -> Draws:
    """Left, right, top, bottom of our crops, and whether they were flipped, `[CROPS, 5]`: as the box went along."""
    crop, flip, rng = JitterCrop(0.2), HorizontalFlip(0.5), np.random.default_rng(1)
    drawn = []
    for _ in range(CROPS):
        cropped = crop(sample_of(np.zeros((1, HEIGHT, WIDTH, 3), np.uint8)), rng)
        x1, y1, x2, _ = cropped["targets"]["boxes"][0].astype(np.float64)
        height, width = cropped["frames"].shape[1:3]
        left, top = 0.3 * WIDTH - x1 * width, 0.4 * HEIGHT - y1 * height
        assert (x2 - x1) * width == pytest.approx(0.2 * WIDTH, abs=0.01)
        flipped = flip(sample_of(np.zeros((1, 2, 2, 3), np.uint8)), rng)["targets"]["boxes"][0, 0] > 0.4
        drawn.append([left, WIDTH - width - left, top, HEIGHT - height - top, flipped])
    return np.array(drawn).round(2)


@pytest.fixture(scope="module")
def colours() -> Draws:
    """Hue shift, saturation and value factor of our recolouring `[COLOURS, 3]`, measured on a pixel."""
    distort, rng = ColorDistort(0.1, 1.5, 1.5), np.random.default_rng(2)
    before = (np.array(colorsys.hsv_to_rgb(*COLOUR)) * 255).round().astype(np.uint8)
    hue, saturation, value = colorsys.rgb_to_hsv(*before / 255)
    drawn = []
    for _ in range(COLOURS):
        after = distort(sample_of(before.reshape(1, 1, 1, 3)), rng)["frames"].ravel()
        new_hue, new_saturation, new_value = colorsys.rgb_to_hsv(*after / 255)
        drawn.append([new_hue - hue, new_saturation / saturation, new_value / value])
    return np.array(drawn)


@pytest.mark.parametrize("side", range(4), ids=["left", "right", "top", "bottom"])
def test_sides_move_by_integers_drawn_evenly(crops: Draws, side: int) -> None:
    moves, most = crops[:, side], (WIDTH, WIDTH, HEIGHT, HEIGHT)[side] // 5
    found, counts = np.unique(moves, return_counts=True)
    assert found.tolist() == list(range(-most, most + 1))
    expected = CROPS / len(found)
    freedom = len(found) - 1
    bound = freedom * (1 - 2 / (9 * freedom) + 4.76 * np.sqrt(2 / (9 * freedom))) ** 3  # Wilson and Hilferty
    assert ((counts - expected) ** 2 / expected).sum() < bound
    assert_same_distribution(moves, published_crops(np.random.default_rng(3), CROPS)[:, side])


def test_half_of_the_clips_are_flipped(crops: Draws) -> None:
    assert abs(crops[:, 4].mean() - 0.5) < 4.9 * 0.5 / np.sqrt(CROPS)


def test_sides_and_flip_have_nothing_to_do_with_each_other(crops: Draws) -> None:
    assert_independent(crops)


@pytest.mark.parametrize("channel", range(3), ids=["hue", "saturation", "value"])
def test_colours_are_distorted_as_published(colours: Draws, channel: int) -> None:
    assert_same_distribution(colours[:, channel], published_colours(np.random.default_rng(4), COLOURS)[:, channel])


def test_hue_saturation_and_value_have_nothing_to_do_with_each_other(colours: Draws) -> None:
    assert_independent(colours)


def test_one_draw_holds_for_all_frames_of_a_clip() -> None:
    frame = np.random.default_rng(5).integers(0, 256, (40, 60, 3), np.uint8)
    sample = sample_of(np.stack([frame] * 4))
    rng = np.random.default_rng(6)
    for transform in (JitterCrop(), HorizontalFlip(1.0), ColorDistort()):
        sample = transform(sample, rng)
    assert (sample["frames"] == sample["frames"][0]).all()
